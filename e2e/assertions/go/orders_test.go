// Package orders expects what the Go SDK writes of the emulator at MOCK_SLS_ENDPOINT. HTTP_PROXY leads
// there too.
package orders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"google.golang.org/protobuf/proto"
)

const store = "orders"

var client = sls.CreateNormalInterface("http://sls.test", "mockAccessKeyId", "mockAccessKeySecret", "")

type object map[string]any

// answer is a verdict, or a scope, or why something was refused.
type answer struct {
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
	Scope string `json:"scope"`
	Error string `json:"error"`
}

// post calls the emulator; a verdict that something does not hold comes with status 417.
func post(path string, body object) (answer, error) {
	var got answer
	bytesOf, err := json.Marshal(body)
	if err != nil {
		return got, err
	}
	url := os.Getenv("MOCK_SLS_ENDPOINT") + "/_mock/v1/" + path
	response, err := http.Post(url, "application/json", bytes.NewReader(bytesOf))
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return got, err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusExpectationFailed {
		return got, fmt.Errorf("%s: %s", response.Status, got.Error)
	}
	return got, nil
}

func expect(project string, members object) (answer, error) {
	members["project"], members["logstore"] = project, store
	return post("expect", members)
}

// expectLater asks and gives the channel on which the verdict comes.
func expectLater(t *testing.T, project string, members object) <-chan answer {
	asked := make(chan answer, 1)
	go func() {
		verdict, err := expect(project, members)
		if err != nil {
			t.Error(err)
		}
		asked <- verdict
	}()
	return asked
}

func put(t *testing.T, project, order, status string) {
	t.Helper()
	field := func(name, value string) *sls.LogContent {
		return &sls.LogContent{Key: proto.String(name), Value: proto.String(value)}
	}
	log := &sls.Log{
		Time:     proto.Uint32(uint32(time.Now().Unix())),
		Contents: []*sls.LogContent{field("order", order), field("status", status)},
	}
	must(t, client.PutLogs(project, store, &sls.LogGroup{Logs: []*sls.Log{log}}))
}

func newProject(t *testing.T) string {
	t.Helper()
	project := "go-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	_, err := client.CreateProject(project, "")
	must(t, err)
	t.Cleanup(func() { must(t, client.DeleteProject(project)) })
	must(t, client.CreateLogStore(project, store, 1, 2, true, 64))
	key := sls.IndexKey{Token: []string{" "}, Type: "text", DocValue: true}
	must(t, client.CreateIndex(project, store, sls.Index{Keys: map[string]sls.IndexKey{"order": key, "status": key}}))
	return project
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryPaidOrderArrivesOnce(t *testing.T) {
	project := newProject(t)
	put(t, project, "1000", "paid") // before this test's scope
	before, err := post("scopes", nil)
	must(t, err)
	asked := expectLater(t, project, object{
		"query": "status:paid", "scope": before.Scope, "count": object{"op": "exactly", "n": 2},
		"each": []object{{"field": "order", "matches": "^100[12]$"}},
	})
	for _, order := range [][2]string{{"1001", "paid"}, {"1002", "paid"}, {"1003", "refused"}} {
		put(t, project, order[0], order[1])
	}
	if verdict := <-asked; !verdict.OK {
		t.Fatal(verdict.Text)
	}
}

func TestAMissingOrderIsNamed(t *testing.T) {
	project := newProject(t)
	put(t, project, "1001", "paid")
	verdict, err := expect(project, object{"query": "order:1004 and status:paid", "timeout_ms": 100})
	must(t, err)
	if verdict.OK {
		t.Fatal("an order that nobody wrote was found")
	}
	for _, told := range []string{"1 log is missing", `does not hold: order:1004 (it is "1001")`} {
		if !strings.Contains(verdict.Text, told) {
			t.Fatalf("%q is not in:\n%s", told, verdict.Text)
		}
	}
}
