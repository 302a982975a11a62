package walk

import (
	"fmt"
	"testing"

	sls "github.com/aliyun/aliyun-log-go-sdk"

	"mock-sls.test/clients/emulator"
)

func TestAProjectIsMadeListedChangedAndRemoved(t *testing.T) {
	client := clientWith(sls.AuthV4, emulator.KeyID, emulator.KeySecret)
	name := newName()
	equal(t, got(client.CheckProjectExist(name))(t), false)
	made := got(client.CreateProjectV2(name, "made by the Go SDK", "LRS"))(t)
	equal(t, made.Name, name)
	equal(t, got(client.CheckProjectExist(name))(t), true)
	must(t, second(client.UpdateProject(name, "changed")))
	project := got(client.GetProject(name))(t)
	shown(t, "changed Normal cn-hangzhou LRS", project.Description, project.Status, project.Region, project.DataRedundancyType)
	names := got(client.ListProject())(t)
	shown(t, "["+name+"]", names)
	listed, count, total, err := client.ListProjectV3(&sls.ListProjectRequest{Size: 10, Description: "chang"})
	must(t, err)
	shown(t, name+" 1 1", listed[0].Name, count, total)
	must(t, client.DeleteProject(name))
	_, err = client.GetProject(name)
	refused(t, err, "ProjectNotExist")
}

// second drops the answer of a call that is made for its effect.
func second[T any](_ T, err error) error { return err }

func TestALogstoreKeepsItsSettings(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		other := &sls.LogStore{Name: "other", TTL: 7, ShardCount: 1, WebTracking: true, AppendMeta: true, Mode: "standard"}
		must(t, client.CreateLogStoreV2(project, other))
		made := got(client.GetLogStore(project, "other"))(t)
		shown(t, "other 7 1 true true standard", made.Name, made.TTL, made.ShardCount, made.WebTracking, made.AppendMeta, made.Mode)
		must(t, client.UpdateLogStore(project, "other", 90, 1))
		made = got(client.GetLogStore(project, "other"))(t)
		equal(t, made.TTL, 90)
		must(t, client.UpdateLogStoreV2(project, &sls.LogStore{Name: "other", TTL: 3, ShardCount: 1, AutoSplit: true, MaxSplitShard: 9}))
		made = got(client.GetLogStore(project, "other"))(t)
		shown(t, "3 true 9", made.TTL, made.AutoSplit, made.MaxSplitShard)
		shown(t, "[access other]", got(client.ListLogStore(project))(t))
		shown(t, "[other]", got(client.ListLogStoreV2(project, 1, 1, ""))(t))
		must(t, client.DeleteLogStore(project, "other"))
		equal(t, got(client.CheckLogstoreExist(project, "other"))(t), false)
		equal(t, got(client.CheckLogstoreExist(project, store))(t), true)
	})
}

func TestAnIndexIsMadeReadChangedAndRemoved(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		made := got(client.GetIndex(project, store))(t)
		shown(t, "[  ,] text long", made.Line.Token, made.Keys["method"].Type, made.Keys["status"].Type)
		refused(t, client.CreateIndex(project, store, index()), "IndexAlreadyExist")
		must(t, client.UpdateIndexString(project, store, `{"keys":{"path":{"type":"text","token":["/"],"doc_value":true}}}`))
		made = got(client.GetIndex(project, store))(t)
		shown(t, "1 [/]", len(made.Keys), made.Keys["path"].Token)
		must(t, client.PutLogs(project, store, group("path", "/a/b")))
		equal(t, len(search(t, client, project, "path: b")), 1)
		must(t, client.DeleteIndex(project, store))
		_, err := client.GetIndex(project, store)
		refused(t, err, "IndexConfigNotExist")
	})
}

func TestShardsAreSplitAndMerged(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		states := func(shards []*sls.Shard) (states string) {
			for _, shard := range shards {
				states += fmt.Sprintf("%d %s %s;", shard.ShardID, shard.Status, shard.InclusiveBeginKey[:2])
			}
			return states
		}
		shown(t, "0 readwrite 00;1 readwrite 80;", states(got(client.ListShards(project, store))(t)))
		split := got(client.SplitShard(project, store, 0, "40000000000000000000000000000000"))(t)
		shown(t, "0 readonly 00;2 readwrite 00;3 readwrite 40;", states(split))
		merged := got(client.MergeShards(project, store, 2))(t)
		equal(t, len(merged), 3)
		got(client.SplitNumShard(project, store, 1, 3))(t)
		writable := 0
		for _, shard := range got(client.ListShards(project, store))(t) {
			if shard.Status == "readwrite" {
				writable++
			}
		}
		equal(t, writable, 4)
	})
}

func TestErrorsHaveTheCodesOfTheService(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		wrongSecret := clientWith(sls.AuthV1, emulator.KeyID, "wrong")
		nobody := clientWith(sls.AuthV1, "nobody", emulator.KeySecret)
		for code, err := range map[string]error{
			"LogStoreNotExist":     second(client.GetLogStore(project, "missing")),
			"ProjectNotExist":      second(client.GetProject("missing-project")),
			"ProjectAlreadyExist":  second(client.CreateProject(project, "")),
			"LogStoreAlreadyExist": client.CreateLogStore(project, store, 1, 1, false, 0),
			"SignatureNotMatch":    second(wrongSecret.ListLogStore(project)),
			"Unauthorized":         second(nobody.ListLogStore(project)),
			"ParameterInvalid":     second(client.MergeShards(project, store, 9)),
		} {
			refused(t, err, code)
		}
	})
}

func TestRegionsAreDescribed(t *testing.T) {
	client := clientWith(sls.AuthV1, emulator.KeyID, emulator.KeySecret)
	answer := got(client.DescribeRegions(&sls.DescribeRegionsRequest{Language: "en"}))(t)
	shown(t, "1 cn-hangzhou", len(answer.Regions), answer.Regions[0].Region)
}
