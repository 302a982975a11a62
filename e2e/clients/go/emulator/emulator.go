// Package emulator starts the emulator that MOCK_SLS_BIN names, for the tests of this module.
package emulator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The documented key pair of the emulator.
const (
	KeyID     = "mockAccessKeyId"
	KeySecret = "mockAccessKeySecret"
)

// Endpoint is a made-up name: the emulator is the proxy that all plain-http names lead to.
const Endpoint = "http://sls.test"

// Emulator is a running emulator.
type Emulator struct {
	Address string
	process *exec.Cmd
}

// Start starts an emulator on a free port and makes it the HTTP proxy of this process. It must be
// called before the first request: net/http reads the variable once.
func Start() (*Emulator, error) {
	program := os.Getenv("MOCK_SLS_BIN")
	if program == "" {
		return nil, fmt.Errorf("set MOCK_SLS_BIN to the emulator, e.g. target/debug/mock-sls")
	}
	// Of two labels the first would be a project: ListProject goes to the endpoint without one.
	host := strings.TrimPrefix(Endpoint, "http://")
	process := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "-o", "json", "--endpoint-host", host)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the emulator ended before it answered: %w", err)
	}
	var started struct {
		Endpoint string `json:"endpoint"`
	}
	if err := json.Unmarshal(line, &started); err != nil {
		return nil, err
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		if err := os.Setenv(name, started.Endpoint); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	return &Emulator{Address: started.Endpoint, process: process}, nil
}

// Stop ends the emulator and leaves its counts for the table if a folder is named for them.
func (e *Emulator) Stop(client string) error {
	if folder := os.Getenv("MOCK_SLS_OPERATIONS_DIR"); folder != "" {
		direct := &http.Client{Transport: &http.Transport{}}
		answer, err := direct.Get(e.Address + "/_mock/v1/operations")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		counts, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%d-%d.json", client, os.Getpid(), time.Now().UnixNano())
		if err := os.WriteFile(filepath.Join(folder, name), counts, 0o644); err != nil {
			return err
		}
	}
	if err := e.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return e.process.Wait()
}
