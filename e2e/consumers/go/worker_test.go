package consumers

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	consumer "github.com/aliyun/aliyun-log-go-sdk/consumer"
)

const (
	group = "workers"
	// Set to a consumer's name in the process that is one.
	workerVariable = "CONSUMERS_GO_WORKER"
	orderVariable  = "CONSUMERS_GO_IN_ORDER"
	keyVariable    = "CONSUMERS_GO_KEY"
	secretVariable = "CONSUMERS_GO_SECRET"
	// A consumer is taken for dead after twice this: short for the test's sake, and long enough for
	// a busy machine not to lose consumers that live.
	heartbeatSeconds = 5
)

// consume is one consumer process: prints a line `shard text` for every log it reads, until it is
// killed or its input ends.
func consume() {
	config := consumer.LogHubConfig{
		Endpoint:                  endpoint,
		AccessKeyID:               os.Getenv(keyVariable),
		AccessKeySecret:           os.Getenv(secretVariable),
		Project:                   project,
		Logstore:                  logstore,
		ConsumerGroupName:         group,
		ConsumerName:              os.Getenv(workerVariable),
		CursorPosition:            consumer.BEGIN_CURSOR,
		HeartbeatIntervalInSecond: heartbeatSeconds,
		HeartbeatTimeoutInSecond:  2 * heartbeatSeconds,
		InOrder:                   os.Getenv(orderVariable) != "",
		AutoCommitDisabled:        true,
		AllowLogLevel:             "warn",
		LogFileName:               os.DevNull,
	}
	worker := consumer.InitConsumerWorkerWithCheckpointTracker(config, printLogs)
	worker.Start()
	_, _ = io.Copy(io.Discard, os.Stdin)
	worker.StopAndWait()
}

func printLogs(shard int, groups *sls.LogGroupList, tracker consumer.CheckPointTracker) (string, error) {
	for _, group := range groups.LogGroups {
		for _, log := range group.Logs {
			for _, content := range log.Contents {
				fmt.Println(shard, content.GetValue())
			}
		}
	}
	return "", tracker.SaveCheckPoint(true)
}

// A worker is a consumer process and what it has read.
type worker struct {
	process *exec.Cmd
	input   io.Closer
	done    chan struct{}
	lock    sync.Mutex
	read    []string
}

// start starts a consumer process, which ends with the test.
func start(t *testing.T, name string, inOrder bool) *worker {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	w := &worker{process: exec.Command(self), done: make(chan struct{})}
	w.process.Stderr = os.Stderr
	w.process.Env = append(os.Environ(), workerVariable+"="+name, keyVariable+"="+keyID, secretVariable+"="+secret)
	if inOrder {
		w.process.Env = append(w.process.Env, orderVariable+"=1")
	}
	w.input, err = w.process.StdinPipe()
	check(t, err)
	output, err := w.process.StdoutPipe()
	check(t, err)
	check(t, w.process.Start())
	go w.collect(output)
	t.Cleanup(w.stop)
	return w
}

func (w *worker) collect(output io.Reader) {
	defer close(w.done)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		_, text, found := strings.Cut(lines.Text(), " ")
		if !found {
			continue
		}
		w.lock.Lock()
		w.read = append(w.read, text)
		w.lock.Unlock()
	}
}

func (w *worker) texts() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	return append([]string(nil), w.read...)
}

func (w *worker) kill() {
	_ = w.process.Process.Kill()
	<-w.done
	_ = w.process.Wait()
}

func (w *worker) stop() {
	_ = w.input.Close()
	<-w.done
	_ = w.process.Wait()
}
