//go:build e2e

package samlocal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signpost/e2e/docker"
	"signpost/e2e/peers"
)

// startTimeout is how long `make sam-local` may take until it listens: it
// installs SAM, and builds the functions and an image.
const startTimeout = 8 * time.Minute

// TestReadme runs what README.md says of sam-local, on other ports.
func TestReadme(t *testing.T) {
	if err := peers.Fetch(t.Context(), "dynamodb"); err != nil {
		t.Fatal(err)
	}
	address := samLocal(t, docker.Host(t))
	commands := readme(t, "### Run it locally with SAM")
	if len(commands) != 4 || commands[0] != "make sam-local" {
		t.Fatalf("README.md says to do %q, not make sam-local, a registration, a lookup and a shim", commands)
	}
	registered := shell(t, strings.ReplaceAll(commands[1], "127.0.0.1:3000", address))
	var revision struct{ Revision uint64 }
	if err := json.Unmarshal([]byte(registered), &revision); err != nil || revision.Revision == 0 {
		t.Errorf("the registration is answered %s", registered)
	}
	looked := shell(t, strings.ReplaceAll(commands[2], "127.0.0.1:3000", address))
	var route struct {
		BrokerDatas []struct {
			BrokerName  string
			BrokerAddrs map[string]string
		}
		QueueDatas []struct{ ReadQueueNums int }
	}
	if err := json.Unmarshal([]byte(looked), &route); err != nil || len(route.BrokerDatas) != 1 || len(route.QueueDatas) != 1 {
		t.Fatalf("the lookup is answered %s", looked)
	}
	if b := route.BrokerDatas[0]; b.BrokerName != "broker-a" || b.BrokerAddrs["0"] != "10.0.0.1:10911" || route.QueueDatas[0].ReadQueueNums != 8 {
		t.Errorf("the lookup is answered %s", looked)
	}
	// An everyday name that a gateway could take apart.
	looked = shell(t, "curl -sS -m 60 'http://"+address+"/v1/read/route?topic=%25RETRY%25g'")
	if !strings.Contains(looked, "%RETRY%g") {
		t.Errorf("an unknown topic is answered %s, which does not name it", looked)
	}
	overShim(t, commands[3], address)
}

// samLocal runs `make sam-local` until the test ends, and returns its address.
func samLocal(t *testing.T, host string) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	port, dynamodb, bus := freePort(t), freePort(t), freePort(t)
	// Without make between: a signal is for the script.
	cmd := exec.Command("../../infra/sam-local.sh")
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, "PORT="+port, "DYNAMODB_PORT="+dynamodb, "BUS_PORT="+bus)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		docker.Stop(t, "sam-local.sh", cmd.Process, ended)
		if t.Failed() {
			t.Logf("sam-local.sh wrote:\n%s", docker.Output(log.Name()))
		}
	})
	address := "127.0.0.1:" + port
	client := http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for deadline := time.Now().Add(startTimeout); ; {
		// A connection alone says nothing: one to a port on which nobody listens can meet itself.
		if r, err := client.Get("http://" + address); err == nil {
			r.Body.Close()
			return address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("sam-local.sh ended: %v", err)
		case <-time.After(500 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("sam-local.sh does not listen after %v", startTimeout)
		}
	}
}

// readme returns the commands of one section of README.md: its indented blocks.
func readme(t *testing.T, heading string) []string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var commands []string
	for _, block := range strings.Split(section, "\n\n") {
		if strings.HasPrefix(strings.Trim(block, "\n"), "    ") {
			commands = append(commands, strings.TrimSpace(block))
		}
	}
	return commands
}

// shell runs one command and returns what it wrote.
func shell(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "-c", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(fmt.Errorf("find a free port: %w", err))
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
