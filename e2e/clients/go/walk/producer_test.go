package walk

import (
	"strconv"
	"sync"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-log-go-sdk/producer"

	"mock-sls.test/clients/emulator"
)

// told counts what the producer says of the logs that it was given.
type told struct {
	mutex  sync.Mutex
	good   int
	failed []string
}

func (t *told) Success(*producer.Result) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.good++
}

func (t *told) Fail(result *producer.Result) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.failed = append(t.failed, result.GetErrorCode())
}

func newProducer(t *testing.T, secret string, version sls.AuthVersionType, compression int) *producer.Producer {
	t.Helper()
	config := producer.GetDefaultProducerConfig()
	config.Endpoint = emulator.Endpoint
	config.CredentialsProvider = sls.NewStaticCredentialsProvider(emulator.KeyID, secret, "")
	config.AuthVersion, config.Region, config.CompressType = version, "cn-hangzhou", compression
	config.LingerMs, config.GeneratePackId, config.AllowLogLevel, config.DisableRuntimeMetrics = 100, true, "error", true
	made := got(producer.NewProducer(config))(t)
	made.Start()
	return made
}

func TestTheProducerSendsAndTellsOfEveryLog(t *testing.T) {
	client, project := inProject(t)
	for _, way := range []struct {
		version     sls.AuthVersionType
		compression int
	}{{sls.AuthV1, sls.Compress_LZ4}, {sls.AuthV4, sls.Compress_ZSTD}} {
		sender, outcome := newProducer(t, emulator.KeySecret, way.version, way.compression), &told{}
		for n := range 20 {
			log := producer.GenerateLog(uint32(time.Now().Unix()), map[string]string{"way": string(way.version), "n": strconv.Itoa(n)})
			must(t, sender.SendLogWithCallBack(project, store, "topic-a", "10.0.0.9", log, outcome))
		}
		sender.SafeClose()
		shown(t, "20 []", outcome.good, outcome.failed)
		rows := search(t, client, project, string(way.version))
		equal(t, len(rows), 20)
		equal(t, rows[0]["__tag__:__pack_id__"] != "", true)
	}
}

func TestTheProducerSendsToTheShardOfAKey(t *testing.T) {
	client, project := inProject(t)
	sender := newProducer(t, emulator.KeySecret, sls.AuthV4, sls.Compress_LZ4)
	must(t, sender.HashSendLog(project, store, "ffffffffffffffffffffffffffffffff", "", "", group("n", "1").Logs[0]))
	sender.SafeClose()
	begin := got(client.GetCursor(project, store, 1, "begin"))(t)
	groups, _, err := client.PullLogs(project, store, 1, begin, "", 10)
	must(t, err)
	equal(t, len(groups.LogGroups), 1)
}

func TestTheProducerTellsWhatIsRefused(t *testing.T) {
	_, project := inProject(t)
	sender, outcome := newProducer(t, emulator.KeySecret, sls.AuthV1, sls.Compress_LZ4), &told{}
	must(t, sender.SendLogWithCallBack(project, "missing", "", "", group("n", "1").Logs[0], outcome))
	sender.SafeClose()
	shown(t, "0 [LogStoreNotExist]", outcome.good, outcome.failed)
}
