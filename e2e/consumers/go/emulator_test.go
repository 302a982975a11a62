// Package consumers runs the Go SDK against the emulator: net/http takes HTTP_PROXY, the endpoint is
// a made-up name.
package consumers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

const (
	endpoint = "http://sls.test"
	project  = "consumers-go"
	logstore = "consumed"
	// How long a test may wait for what must happen: a guard against hanging, no measure.
	hangGuard = 600 * time.Second
)

// A key pair of the emulator that runs.
var keyID, secret string

// TestMain starts the emulator, or is a consumer process when the tests start it as one.
func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		consume()
		return
	}
	os.Exit(withEmulator(m.Run))
}

func withEmulator(run func() int) int {
	emulator := exec.Command(os.Getenv("MOCK_SLS_BIN"), "serve", "--listen", "127.0.0.1:0", "--output", "json")
	emulator.Stderr = os.Stderr
	output, err := emulator.StdoutPipe()
	must(err)
	must(emulator.Start())
	defer func() {
		must(emulator.Process.Signal(syscall.SIGTERM))
		must(emulator.Wait())
	}()
	line, err := bufio.NewReader(output).ReadBytes('\n')
	must(err)
	var started struct{ Endpoint, AccessKeyID, AccessKeySecret string }
	must(json.Unmarshal(line, &started))
	keyID, secret = started.AccessKeyID, started.AccessKeySecret
	must(os.Setenv("HTTP_PROXY", started.Endpoint))
	must(os.Setenv("NO_PROXY", ""))
	_, err = client().CreateProject(project, "consumers of the Go SDK")
	must(err)
	return run()
}

func client() sls.ClientInterface {
	return sls.CreateNormalInterface(endpoint, keyID, secret, "")
}

// makeLogstore makes an empty Logstore of four shards for one test.
func makeLogstore(t *testing.T) {
	t.Helper()
	check(t, client().CreateLogStore(project, logstore, 1, 4, false, 16))
	t.Cleanup(func() { check(t, client().DeleteLogStore(project, logstore)) })
}

// eventually waits until condition holds.
func eventually(t *testing.T, condition func() bool, what func() string) {
	t.Helper()
	deadline := time.Now().Add(hangGuard)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal(what())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprint("cannot run the emulator: ", err))
	}
}
