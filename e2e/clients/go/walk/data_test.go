package walk

import (
	"fmt"
	"sort"
	"strconv"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"google.golang.org/protobuf/proto"
)

func TestAWrittenLogIsFoundWithItsFieldsInEveryCompression(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		for n, compression := range []int{sls.Compress_LZ4, sls.Compress_ZSTD, sls.Compress_None} {
			must(t, client.PutLogsWithCompressType(project, store, group("method", "GET", "n", strconv.Itoa(n)), compression))
		}
		rows := search(t, client, project, "method: GET")
		equal(t, len(rows), 3)
		equal(t, rows[0]["__topic__"]+rows[0]["__source__"]+rows[0]["__tag__:pod"], "topic-a10.0.0.9web-0")
		equal(t, len(search(t, client, project, "method: PUT")), 0)
		raw := got(group("method", "RAW", "path", "/中 文").Marshal())(t)
		must(t, client.PutRawLogWithCompressType(project, store, raw, sls.Compress_LZ4))
		equal(t, search(t, client, project, "RAW")[0]["path"], "/中 文")
	})
}

func TestLogsAreAnalysedCountedAndPaged(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		for n := range 5 {
			must(t, client.PutLogs(project, store, group("method", "GET", "status", strconv.Itoa(200+n))))
		}
		equal(t, search(t, client, project, "* | select count(*) as n, max(status) as m")[0]["m"], "204")
		from, to := window()
		counted := got(client.GetHistograms(project, store, "", from, to, "status > 201"))(t)
		shown(t, "3 true", counted.Count, counted.IsComplete())
		steps := got(client.GetHistogramsV2(project, store, &sls.GetHistogramRequest{From: from, To: to, Query: "GET", Interval: 600}))(t)
		shown(t, "2 5", len(steps.Histograms), steps.Count)
		page := got(client.GetLogsV2(project, store, &sls.GetLogRequest{From: from, To: to, Query: "GET", Lines: 2, Offset: 4}))(t)
		equal(t, page.Count, 1)
		for _, compression := range []int{sls.Compress_LZ4, sls.Compress_ZSTD} {
			request := &sls.GetLogRequest{From: from, To: to, Query: "status: 203", Lines: 10, CompressType: compression}
			answer := got(client.GetLogsV3(project, store, request))(t)
			shown(t, "Complete 1 203", answer.Meta.Progress, answer.Meta.Count, answer.Logs[0]["status"])
		}
		lines := got(client.GetLogLines(project, store, "", from, to, "status: 204", 10, 0, false))(t)
		equal(t, len(lines.Lines), 1)
		complete := got(client.GetLogsToCompleted(project, store, "", from, to, "GET", 10, 0, true))(t)
		equal(t, complete.Count, 5)
		refused(t, second(client.GetLogs(project, store, "", to, from, "*", 1, 0, false)), "InvalidTimeRange")
	})
}

func TestALogIsSeenInItsContext(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		for part := range 3 {
			logs := group("n", strconv.Itoa(part))
			logs.LogTags = []*sls.LogTag{{Key: proto.String("__pack_id__"), Value: proto.String(fmt.Sprintf("5F2E7B1C9A3D4E60-%d", part))}}
			must(t, client.PutLogs(project, store, logs))
		}
		row := search(t, client, project, "1 | with_pack_meta")[0]
		logstore := got(client.GetLogStore(project, store))(t)
		context := got(logstore.GetContextLogs(5, 5, row["__tag__:__pack_id__"], row["__pack_meta__"]))(t)
		shown(t, "true 3 1 1", context.IsComplete(), context.TotalLines, context.BackLines, context.ForwardLines)
		for n, log := range context.Logs {
			shown(t, fmt.Sprint(n, n-1), log["n"], log["__index_number__"])
		}
		refused(t, second(logstore.GetContextLogs(5, 5, "none", "none")), "InvalidParameter")
	})
}

func TestWrittenLogsArePulledFromTheirShards(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		for n := range 4 {
			must(t, client.PutLogs(project, store, group("n", strconv.Itoa(n))))
		}
		key := "80000000000000000000000000000001"
		must(t, client.PostLogStoreLogs(project, store, group("n", "keyed"), &key))
		var pulled []string
		add := func(groups *sls.LogGroupList) {
			for _, group := range groups.LogGroups {
				for _, log := range group.Logs {
					pulled = append(pulled, log.Contents[0].GetValue())
				}
			}
		}
		for _, shard := range got(client.ListShards(project, store))(t) {
			begin := got(client.GetCursor(project, store, shard.ShardID, "begin"))(t)
			end := got(client.GetCursor(project, store, shard.ShardID, "end"))(t)
			groups, next, err := client.PullLogs(project, store, shard.ShardID, begin, "", 100)
			must(t, err)
			equal(t, next, end)
			add(groups)
			if shard.ShardID == 1 {
				received := got(client.GetCursorTime(project, store, shard.ShardID, begin))(t)
				equal(t, time.Since(received).Abs() < 10*time.Minute, true)
			}
		}
		sort.Strings(pulled)
		shown(t, "[0 1 2 3 keyed]", pulled)

		pulled = nil
		begin := got(client.GetCursor(project, store, 1, "begin"))(t)
		for _, compression := range []int{sls.Compress_LZ4, sls.Compress_ZSTD} {
			request := &sls.PullLogRequest{Project: project, Logstore: store, ShardID: 1, Cursor: begin, LogGroupMaxCount: 10,
				Query: "keyed", CompressType: compression}
			groups, meta, err := client.PullLogsWithQuery(request)
			must(t, err)
			add(groups)
			equal(t, meta.Lines, 1)
		}
		shown(t, "[keyed keyed]", pulled)
		_, _, err := client.PullLogs(project, store, 0, "no cursor", "", 1)
		refused(t, err, "ParameterInvalid")
	})
}

func TestAConsumerGroupKeepsCheckpoints(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		must(t, client.CreateConsumerGroup(project, store, sls.ConsumerGroup{ConsumerGroupName: "readers", Timeout: 30, InOrder: true}))
		must(t, client.UpdateConsumerGroup(project, store, sls.ConsumerGroup{ConsumerGroupName: "readers", Timeout: 60}))
		groups := got(client.ListConsumerGroup(project, store))(t)
		shown(t, "1 60 false", len(groups), groups[0].Timeout, groups[0].InOrder)
		shown(t, "[0 1]", got(client.HeartBeat(project, store, "readers", "one", []int{}))(t))
		cursor := got(client.GetCursor(project, store, 0, "end"))(t)
		must(t, client.UpdateCheckpoint(project, store, "readers", "one", 0, cursor, false))
		kept := got(client.GetCheckpoint(project, store, "readers"))(t)
		shown(t, cursor+" one", kept[0].CheckPoint, kept[0].Consumer)
		refused(t, client.CreateConsumerGroup(project, store, sls.ConsumerGroup{ConsumerGroupName: "readers", Timeout: 30}), "ConsumerGroupAlreadyExist")
		must(t, client.DeleteConsumerGroup(project, store, "readers"))
		refused(t, second(client.GetCheckpoint(project, store, "readers")), "ConsumerGroupNotExist")
	})
}

func TestAConfigIsAppliedToAMachineGroup(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		machines := &sls.MachineGroup{Name: "web", MachineIDType: "userdefined", MachineIDList: []string{"web-id"}}
		must(t, client.CreateMachineGroup(project, machines))
		refused(t, client.CreateMachineGroup(project, machines), "MachineGroupAlreadyExist")
		machines.MachineIDList = []string{"other-id"}
		must(t, client.UpdateMachineGroup(project, machines))
		shown(t, "[other-id]", got(client.GetMachineGroup(project, "web"))(t).MachineIDList)
		names, total, err := client.ListMachineGroup(project, 0, 10)
		must(t, err)
		shown(t, "[web] 1", names, total)
		_, total, err = client.ListMachines(project, "web")
		must(t, err)
		equal(t, total, 0)

		detail := sls.RegexConfigInputDetail{}
		sls.InitRegexConfigInputDetail(&detail)
		detail.LogPath, detail.FilePattern, detail.Key = "/var/log/nginx", "*.log", []string{"content"}
		config := &sls.LogConfig{
			Name: "nginx", InputType: "file", InputDetail: detail, OutputType: "LogService",
			OutputDetail: sls.OutputDetail{ProjectName: project, LogStoreName: store},
		}
		must(t, client.CreateConfig(project, config))
		refused(t, client.CreateConfig(project, config), "ConfigAlreadyExist")
		detail.LogPath = "/other"
		config.InputDetail = detail
		must(t, client.UpdateConfig(project, config))
		kept := got(client.GetConfig(project, "nginx"))(t)
		equal(t, kept.OutputDetail.LogStoreName, store)
		shown(t, "/other", kept.InputDetail.(map[string]interface{})["logPath"])
		names, total, err = client.ListConfig(project, 0, 10)
		must(t, err)
		shown(t, "[nginx] 1", names, total)

		must(t, client.ApplyConfigToMachineGroup(project, "nginx", "web"))
		shown(t, "[nginx]", got(client.GetAppliedConfigs(project, "web"))(t))
		shown(t, "[web]", got(client.GetAppliedMachineGroups(project, "nginx"))(t))
		must(t, client.RemoveConfigFromMachineGroup(project, "nginx", "web"))
		shown(t, "[]", got(client.GetAppliedConfigs(project, "web"))(t))
		must(t, client.DeleteConfig(project, "nginx"))
		must(t, client.DeleteMachineGroup(project, "web"))
		equal(t, got(client.CheckConfigExist(project, "nginx"))(t), false)
		equal(t, got(client.CheckMachineGroupExist(project, "web"))(t), false)
	})
}
