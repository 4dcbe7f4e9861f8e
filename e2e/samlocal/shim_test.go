//go:build e2e

package samlocal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signpost/internal/daemon/daemontest"
)

// shimTimeout is how long a broker's word may take through a shim: the
// containers of the functions start with the first calls.
const shimTimeout = 4 * time.Minute

// overShim runs the shim as the command says, over the API at address, and
// has a broker register through it.
func overShim(t *testing.T, command, address string) {
	words := strings.Fields(strings.ReplaceAll(command, "127.0.0.1:3000", address))
	if words[0] != "bin/shim" {
		t.Fatalf("README.md says to run %s", command)
	}
	binary := filepath.Join(t.TempDir(), "shim")
	shell(t, "cd ../.. && go build -o '"+binary+"' ./cmd/shim")
	run := func(ctx context.Context, args, _ []string, stdout, stderr io.Writer) error {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		return cmd.Run()
	}
	shim := daemontest.Launch(t, run, append(words[1:], "--stateFile", filepath.Join(t.TempDir(), "shim.db"))...)
	var topics []string
	for i := range 300 { // more than is sent uncompressed otherwise
		topics = append(topics, fmt.Sprintf("topic-%03d", i))
	}
	broker := shim.Dial()
	defer broker.Close()
	client := http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	last := ""
	for deadline := time.Now().Add(shimTimeout); time.Now().Before(deadline); time.Sleep(time.Second) {
		shim.Call(broker, daemontest.Registration("broker-b", "10.0.0.2:10911", topics...))
		if last = lookup(&client, address, "topic-299"); strings.Contains(last, "10.0.0.2:10911") {
			route := shim.Call(nil, daemontest.RouteOf("topic-299"))
			if !json.Valid(route.Body) || !strings.Contains(string(route.Body), "10.0.0.2:10911") {
				t.Errorf("the shim answers %d %s %s", route.Code, route.Remark, route.Body)
			}
			return
		}
	}
	t.Errorf("what a broker said through the shim is not in the API's answer: %s; the shim wrote:\n%s", last, shim.Stderr.String())
}

// lookup asks the API itself for a route.
func lookup(client *http.Client, address, topic string) string {
	res, err := client.Get("http://" + address + "/v1/read/route?topic=" + topic)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
