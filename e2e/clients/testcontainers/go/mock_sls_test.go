// Package mocksls shows Log Service in a container, for a Go test: testcontainers-go and the official
// SDK. Run by `just testcontainers`; explained in docs/testcontainers.md.
package mocksls

import (
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	sls "github.com/aliyun/aliyun-log-go-sdk"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const port = "8080/tcp"

// startSls starts an emulator that lives as long as the test and returns a client of it.
func startSls(t *testing.T) sls.ClientInterface {
	t.Helper()
	image := os.Getenv("MOCK_SLS_IMAGE")
	if image == "" {
		image = "sls-bed/mock-sls:dev"
	}
	container, err := testcontainers.Run(t.Context(), image,
		testcontainers.WithExposedPorts(port),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/_mock/v1/health").WithPort(port)),
	)
	// Registered before the error is looked at: a container that never became ready must go too.
	testcontainers.CleanupContainer(t, container)
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := container.PortEndpoint(t.Context(), port, "http")
	if err != nil {
		t.Fatal(err)
	}
	// The SDK puts the project before the host name, which no DNS server knows; as its proxy the
	// emulator gets the whole name and reads the project there. HTTP_PROXY would come too late: Go reads
	// it once, and testcontainers has made requests before.
	proxy, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	provider := sls.NewStaticCredentialsProvider("mockAccessKeyId", "mockAccessKeySecret", "")
	client := sls.CreateNormalInterfaceV2("http://sls.test", provider)
	client.SetHTTPClient(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}})
	return client
}

func TestALogThatWasPutIsFound(t *testing.T) {
	client := startSls(t)
	const project, logstore = "go-project", "app"
	if _, err := client.CreateProject(project, "test"); err != nil {
		t.Fatal(err)
	}
	if err := client.CreateLogStore(project, logstore, 1, 2, false, 2); err != nil {
		t.Fatal(err)
	}
	index := sls.Index{Line: &sls.IndexLine{Token: []string{" "}}}
	if err := client.CreateIndex(project, logstore, index); err != nil {
		t.Fatal(err)
	}

	now := time.Now().Unix()
	second, key, value := uint32(now), "content", "hello from go"
	group := &sls.LogGroup{Logs: []*sls.Log{{
		Time:     &second,
		Contents: []*sls.LogContent{{Key: &key, Value: &value}},
	}}}
	if err := client.PutLogs(project, logstore, group); err != nil {
		t.Fatal(err)
	}

	found, err := client.GetLogs(project, logstore, "", now-60, now+60, "go", 10, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Logs) != 1 || found.Logs[0]["content"] != value {
		t.Fatalf("found %v, want one log %q", found.Logs, value)
	}
}
