package walk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/aliyun/aliyun-log-go-sdk/producer"

	"mock-sls.test/clients/emulator"
)

// fault adds a fault of writes that acts once; it ends with the test.
func fault(t *testing.T, what string) {
	t.Helper()
	rule := fmt.Sprintf(`{"when": {"operation": "write"}, "what": %s, "times": 1}`, what)
	ask(t, http.MethodPost, "faults", rule)
	t.Cleanup(func() { ask(t, http.MethodDelete, "faults", "") })
}

// ask makes a call of the emulator itself.
func ask(t *testing.T, method, path, body string) []byte {
	t.Helper()
	direct := &http.Client{Transport: &http.Transport{}}
	request := got(http.NewRequest(method, running.Address+"/_mock/v1/"+path, bytes.NewBufferString(body)))(t)
	answer := got(direct.Do(request))(t)
	defer answer.Body.Close()
	told := got(io.ReadAll(answer.Body))(t)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s", method, path, told)
	}
	return told
}

// answers are the statuses of the writes to a project, in order; 0 for no answer.
func answers(t *testing.T, project string) []int {
	t.Helper()
	var page struct {
		Entries []struct {
			Status int
			Lost   bool
		}
	}
	must(t, json.Unmarshal(ask(t, http.MethodGet, "journal?operation=write&project="+project, ""), &page))
	statuses := []int{}
	for _, entry := range page.Entries {
		if entry.Lost {
			entry.Status = 0
		}
		statuses = append(statuses, entry.Status)
	}
	return statuses
}

// answersOf waits for so many, since the server notices a client that has gone after the client does.
func answersOf(t *testing.T, project string, count int) []int {
	t.Helper()
	ask(t, http.MethodGet, "journal?follow_ms=60000&operation=write&status=none&project="+project, "")
	statuses := answers(t, project)
	equal(t, len(statuses), count)
	return statuses
}

func stored(t *testing.T, client *sls.Client, project string) int {
	t.Helper()
	return len(search(t, client, project, "*"))
}

func TestAServerErrorIsTriedAgain(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		fault(t, `{"error": 500}`)
		must(t, client.PutLogs(project, store, group("n", "1")))
		shown(t, "[500 200] 1", answers(t, project), stored(t, client, project))
	})
}

func TestAnExceededQuotaIsReturnedAtOnce(t *testing.T) {
	forBoth(t, func(t *testing.T, client *sls.Client, project string) {
		fault(t, `{"quota": "write"}`)
		refused(t, client.PutLogs(project, store, group("n", "1")), "WriteQuotaExceed")
		fault(t, `{"error": {"status": 429, "error_code": "WriteQuotaExceed"}}`)
		refused(t, client.PutLogs(project, store, group("n", "1")), "WriteQuotaExceed")
		shown(t, "[403 429] 0", answers(t, project), stored(t, client, project))
	})
}

func TestAResetIsReturnedAtOnceAndDoesNotSayWhetherTheLogsAreStored(t *testing.T) {
	for when, logs := range map[string]int{"before": 0, "after": 1} {
		t.Run(when, func(t *testing.T) {
			client, project := inProject(t)
			fault(t, fmt.Sprintf(`{"reset": %q}`, when))
			lost(t, client.PutLogs(project, store, group("n", "1")))
			shown(t, fmt.Sprintf("[0] %d", logs), answers(t, project), stored(t, client, project))
		})
	}
}

func TestATimeOutIsReturnedAtOnce(t *testing.T) {
	client, project := inProject(t)
	hasty := clientWith(sls.AuthV1, emulator.KeyID, emulator.KeySecret)
	hasty.SetHTTPClient(&http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: time.Second})
	fault(t, `{"hang": {}}`)
	lost(t, hasty.PutLogs(project, store, group("n", "1")))
	shown(t, "[0] 0", answersOf(t, project, 1), stored(t, client, project))
}

// lost expects an error that did not come from the service.
func lost(t *testing.T, err error) {
	t.Helper()
	var broken *sls.Error
	if !errors.As(err, &broken) {
		t.Fatalf("got %T %v", err, err)
	}
	shown(t, "-1 ClientError", broken.HTTPCode, broken.Code)
}

// first is what the producer says of one log: nothing if it is sent.
type first chan string

func (f first) Success(*producer.Result)     { f <- "" }
func (f first) Fail(result *producer.Result) { f <- result.GetErrorCode() }

func TestTheProducerSendsAgainAndAfterALostAnswerTwice(t *testing.T) {
	for _, way := range []struct {
		what, want string
	}{
		{`{"error": 500}`, "[500 200] 1"},
		{`{"quota": "write"}`, "[403 200] 1"},
		{`{"reset": "before"}`, "[0 200] 1"},
		{`{"reset": "after"}`, "[0 200] 2"},
	} {
		t.Run(way.what, func(t *testing.T) {
			client, project := inProject(t)
			fault(t, way.what)
			sender, outcome := newProducer(t, emulator.KeySecret, sls.AuthV1, sls.Compress_LZ4), make(first, 1)
			must(t, sender.SendLogWithCallBack(project, store, "", "", group("n", "1").Logs[0], outcome))
			// A producer that is being closed tries nothing again.
			equal(t, <-outcome, "")
			sender.SafeClose()
			shown(t, way.want, answers(t, project), stored(t, client, project))
		})
	}
}
