// Package smoke walks through the emulator with the Go SDK, from a new project to its removal.
package smoke

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"google.golang.org/protobuf/proto"

	"mock-sls.test/clients/emulator"
)

func TestMain(m *testing.M) {
	running, err := emulator.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if err := running.Stop("go"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func clientWith(version sls.AuthVersionType, id, secret string) sls.ClientInterface {
	client := sls.CreateNormalInterface(emulator.Endpoint, id, secret, "")
	client.SetAuthVersion(version)
	client.SetRegion("cn-hangzhou")
	return client
}

// forBoth runs a test with both versions of signatures, each in a project with a Logstore.
func forBoth(t *testing.T, test func(t *testing.T, client sls.ClientInterface, project string)) {
	for _, version := range []sls.AuthVersionType{sls.AuthV1, sls.AuthV4} {
		t.Run(string(version), func(t *testing.T) {
			client := clientWith(version, emulator.KeyID, emulator.KeySecret)
			project := "go-" + strconv.FormatInt(time.Now().UnixNano(), 36)
			_, err := client.CreateProject(project, "made by the Go SDK")
			must(t, err)
			t.Cleanup(func() { must(t, client.DeleteProject(project)) })
			must(t, client.CreateLogStore(project, "access", 30, 2, true, 64))
			must(t, client.CreateIndex(project, "access", index()))
			test(t, client, project)
		})
	}
}

func index() sls.Index {
	key := sls.IndexKey{Token: []string{" "}, Type: "text", DocValue: true}
	return sls.Index{
		Line: &sls.IndexLine{Token: []string{" ", ","}},
		Keys: map[string]sls.IndexKey{"method": key},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func group(fields ...string) *sls.LogGroup {
	log := &sls.Log{Time: proto.Uint32(uint32(time.Now().Unix()))}
	for n := 0; n+1 < len(fields); n += 2 {
		log.Contents = append(log.Contents, &sls.LogContent{Key: proto.String(fields[n]), Value: proto.String(fields[n+1])})
	}
	return &sls.LogGroup{
		Topic:   proto.String("topic-a"),
		Source:  proto.String("10.0.0.9"),
		Logs:    []*sls.Log{log},
		LogTags: []*sls.LogTag{{Key: proto.String("pod"), Value: proto.String("web-0")}},
	}
}

func window() (from, to int64) {
	now := time.Now().Unix()
	return now - 600, now + 600
}

func TestAWrittenLogIsFoundWithItsFieldsInEveryCompression(t *testing.T) {
	forBoth(t, func(t *testing.T, client sls.ClientInterface, project string) {
		for n, compression := range []int{sls.Compress_LZ4, sls.Compress_ZSTD, sls.Compress_None} {
			must(t, client.PutLogsWithCompressType(project, "access", group("method", "GET", "n", strconv.Itoa(n)), compression))
		}
		from, to := window()
		found, err := client.GetLogs(project, "access", "", from, to, "method: GET", 100, 0, false)
		must(t, err)
		equal(t, found.Count, 3)
		row := found.Logs[0]
		equal(t, row["__topic__"]+row["__source__"]+row["__tag__:pod"], "topic-a10.0.0.9web-0")
		sql, err := client.GetLogs(project, "access", "", from, to, "* | select count(*) as n", 100, 0, false)
		must(t, err)
		equal(t, sql.Logs[0]["n"], "3")
		histogram, err := client.GetHistograms(project, "access", "", from, to, "GET")
		must(t, err)
		equal(t, histogram.Count, int64(3))
	})
}

func TestWrittenLogsArePulledFromTheirShards(t *testing.T) {
	forBoth(t, func(t *testing.T, client sls.ClientInterface, project string) {
		for n := range 4 {
			must(t, client.PutLogs(project, "access", group("n", strconv.Itoa(n))))
		}
		key := "80000000000000000000000000000001"
		must(t, client.PostLogStoreLogs(project, "access", group("n", "keyed"), &key))
		shards, err := client.ListShards(project, "access")
		must(t, err)
		var pulled []string
		for _, shard := range shards {
			cursor, err := client.GetCursor(project, "access", shard.ShardID, "begin")
			must(t, err)
			groups, _, err := client.PullLogs(project, "access", shard.ShardID, cursor, "", 100)
			must(t, err)
			for _, group := range groups.LogGroups {
				for _, log := range group.Logs {
					pulled = append(pulled, log.Contents[0].GetValue())
				}
			}
		}
		sort.Strings(pulled)
		equal(t, fmt.Sprint(pulled), "[0 1 2 3 keyed]")
	})
}

func TestAConfigIsAppliedToAMachineGroup(t *testing.T) {
	forBoth(t, func(t *testing.T, client sls.ClientInterface, project string) {
		must(t, client.CreateMachineGroup(project, &sls.MachineGroup{
			Name: "web", MachineIDType: "userdefined", MachineIDList: []string{"web-id"},
		}))
		detail := sls.RegexConfigInputDetail{}
		sls.InitRegexConfigInputDetail(&detail)
		detail.LogPath, detail.FilePattern, detail.Key = "/var/log/nginx", "*.log", []string{"content"}
		must(t, client.CreateConfig(project, &sls.LogConfig{
			Name: "nginx", InputType: "file", InputDetail: detail, OutputType: "LogService",
			OutputDetail: sls.OutputDetail{ProjectName: project, LogStoreName: "access"},
		}))
		must(t, client.ApplyConfigToMachineGroup(project, "nginx", "web"))
		applied, err := client.GetAppliedConfigs(project, "web")
		must(t, err)
		equal(t, fmt.Sprint(applied), "[nginx]")
		config, err := client.GetConfig(project, "nginx")
		must(t, err)
		equal(t, config.OutputDetail.LogStoreName, "access")
		machines, err := client.GetMachineGroup(project, "web")
		must(t, err)
		equal(t, fmt.Sprint(machines.MachineIDList), "[web-id]")
		must(t, client.RemoveConfigFromMachineGroup(project, "nginx", "web"))
		must(t, client.DeleteConfig(project, "nginx"))
		must(t, client.DeleteMachineGroup(project, "web"))
		exists, err := client.CheckMachineGroupExist(project, "web")
		must(t, err)
		equal(t, exists, false)
	})
}

func TestErrorsHaveTheCodesOfTheService(t *testing.T) {
	forBoth(t, func(t *testing.T, client sls.ClientInterface, project string) {
		wrongSecret := clientWith(sls.AuthV1, emulator.KeyID, "wrong")
		nobody := clientWith(sls.AuthV1, "nobody", emulator.KeySecret)
		for code, call := range map[string]func() error{
			"LogStoreNotExist":    func() error { _, err := client.GetLogStore(project, "missing"); return err },
			"ProjectNotExist":     func() error { _, err := client.GetProject("missing-project"); return err },
			"ProjectAlreadyExist": func() error { _, err := client.CreateProject(project, ""); return err },
			"SignatureNotMatch":   func() error { _, err := wrongSecret.ListLogStore(project); return err },
			"Unauthorized":        func() error { _, err := nobody.ListLogStore(project); return err },
		} {
			var refused *sls.Error
			if err := call(); !errors.As(err, &refused) {
				t.Fatalf("%s: got %v", code, err)
			}
			equal(t, refused.Code, code)
			equal(t, len(refused.RequestID), 24)
		}
	})
}
