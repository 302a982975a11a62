// Package walk walks through the emulator with the Go SDK and its producer: from a new project to
// its removal, and through everything that a project holds. The consumer library has a suite of its
// own, e2e/consumers.
package walk

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"google.golang.org/protobuf/proto"

	"mock-sls.test/clients/emulator"
)

const store = "access"

// running is the emulator that all tests talk to.
var running *emulator.Emulator

func TestMain(m *testing.M) {
	var err error
	running, err = emulator.Start()
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

func clientWith(version sls.AuthVersionType, id, secret string) *sls.Client {
	client := sls.CreateNormalInterface(emulator.Endpoint, id, secret, "").(*sls.Client)
	client.SetAuthVersion(version)
	client.SetRegion("cn-hangzhou")
	return client
}

func newName() string { return "go-" + strconv.FormatInt(time.Now().UnixNano(), 36) }

// forBoth runs a test with both versions of signatures, each in a project with a Logstore.
func forBoth(t *testing.T, test func(t *testing.T, client *sls.Client, project string)) {
	for _, version := range []sls.AuthVersionType{sls.AuthV1, sls.AuthV4} {
		t.Run(string(version), func(t *testing.T) {
			client := clientWith(version, emulator.KeyID, emulator.KeySecret)
			test(t, client, newProject(t, client))
		})
	}
}

// newProject makes a project with an indexed Logstore, which goes with the test.
func newProject(t *testing.T, client *sls.Client) string {
	t.Helper()
	project := newName()
	_, err := client.CreateProject(project, "made by the Go SDK")
	must(t, err)
	t.Cleanup(func() { must(t, client.DeleteProject(project)) })
	must(t, client.CreateLogStore(project, store, 30, 2, true, 64))
	must(t, client.CreateIndex(project, store, index()))
	return project
}

func index() sls.Index {
	return sls.Index{
		Line: &sls.IndexLine{Token: []string{" ", ","}},
		Keys: map[string]sls.IndexKey{
			"method": {Token: []string{" "}, Type: "text", DocValue: true},
			"status": {Type: "long", DocValue: true},
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is the answer of a call that must not fail.
func got[T any](answer T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return answer
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// shown compares what prints the same: lists, maps, several values.
func shown(t *testing.T, want string, got ...any) {
	t.Helper()
	equal(t, fmt.Sprintln(got...), want+"\n")
}

// refused expects an error of the service with this code.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	var answer *sls.Error
	if !errors.As(err, &answer) {
		t.Fatalf("%s: got %v", code, err)
	}
	equal(t, answer.Code, code)
	equal(t, len(answer.RequestID), 24)
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

func search(t *testing.T, client *sls.Client, project, query string) []map[string]string {
	t.Helper()
	from, to := window()
	found, err := client.GetLogs(project, store, "", from, to, query, 100, 0, false)
	must(t, err)
	return found.Logs
}
