package consumers

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
)

func put(t *testing.T, hashKey string, texts []string) {
	t.Helper()
	for _, text := range texts {
		name, value, now := "text", text, uint32(time.Now().Unix())
		log := &sls.Log{Time: &now, Contents: []*sls.LogContent{{Key: &name, Value: &value}}}
		logs := &sls.LogGroup{Logs: []*sls.Log{log}}
		if hashKey == "" {
			check(t, client().PutLogs(project, logstore, logs))
		} else {
			check(t, client().PostLogStoreLogs(project, logstore, logs, &hashKey))
		}
	}
}

func numbered(prefix string, count int) []string {
	texts := make([]string, count)
	for n := range texts {
		texts[n] = fmt.Sprintf("%s-%d", prefix, n)
	}
	return texts
}

// missing returns what of the expected texts no worker has read.
func missing(expected []string, workers []*worker) []string {
	read := map[string]bool{}
	for _, w := range workers {
		for _, text := range w.texts() {
			read[text] = true
		}
	}
	var lost []string
	for _, text := range expected {
		if !read[text] {
			lost = append(lost, text)
		}
	}
	return lost
}

func untilRead(t *testing.T, expected []string, workers []*worker) {
	t.Helper()
	eventually(t,
		func() bool { return len(missing(expected, workers)) == 0 },
		func() string { return fmt.Sprint("not read: ", missing(expected, workers)) })
}

func TestNothingIsLostWhenOneOfThreeWorkersIsKilled(t *testing.T) {
	makeLogstore(t)
	workers := []*worker{start(t, "one", false), start(t, "two", false), start(t, "three", false)}
	sent := numbered("before", 200)
	put(t, "", sent)
	untilRead(t, sent, workers)
	// Logs for every shard until each worker has some: the shards are spread by now.
	for round := 0; len(workers[0].texts()) == 0 || len(workers[1].texts()) == 0 || len(workers[2].texts()) == 0; round++ {
		more := numbered(fmt.Sprint("spread-", round), 8)
		put(t, "", more)
		untilRead(t, more, workers)
	}

	workers[0].kill()
	after := numbered("after", 200)
	put(t, "", after)
	untilRead(t, after, workers[1:])
	untilRead(t, sent, workers)
}

func TestShardsMadeByASplitAreReadAfterTheOldOneInOrder(t *testing.T) {
	makeLogstore(t)
	key := "10" + strings.Repeat("0", 30)
	put(t, key, numbered("old", 50))
	_, err := client().SplitShard(project, logstore, 0, "20"+strings.Repeat("0", 30))
	check(t, err)
	put(t, key, numbered("new", 50))
	w := start(t, "one", true)
	untilRead(t, append(numbered("old", 50), numbered("new", 50)...), []*worker{w})
	isNew := func(text string) bool { return strings.HasPrefix(text, "new") }
	texts := w.texts()
	if !sort.SliceIsSorted(texts, func(a, b int) bool { return !isNew(texts[a]) && isNew(texts[b]) }) {
		t.Fatal("not all old ones come first: ", texts)
	}
}

func TestErrorsHaveTheCodesThatTheLibraryLooksFor(t *testing.T) {
	makeLogstore(t)
	c := client()
	made := sls.ConsumerGroup{ConsumerGroupName: group, Timeout: 60}
	check(t, c.CreateConsumerGroup(project, logstore, made))
	expect := func(code string, err error) {
		t.Helper()
		var answer *sls.Error
		if !errors.As(err, &answer) || answer.Code != code {
			t.Fatalf("expected %s, got %v", code, err)
		}
	}
	expect("ConsumerGroupAlreadyExist", c.CreateConsumerGroup(project, logstore, made))
	_, err := c.HeartBeat(project, logstore, group, "unknown", []int{0})
	expect("NotExistConsumerWithBody", err)
	_, err = c.HeartBeat(project, logstore, "nobody", "unknown", []int{})
	expect("ConsumerGroupNotExist", err)
	expect("ConsumerNotExist", c.UpdateCheckpoint(project, logstore, group, "unknown", 0, "MQ==", false))
}
