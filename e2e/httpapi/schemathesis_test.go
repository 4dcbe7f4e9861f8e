//go:build e2e

package httpapi_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signpost/internal/daemon/daemontest"
)

// TestSchemathesis: no call that anybody could make of the description is
// answered by a 500, or in a way that is not described.
func TestSchemathesis(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // the tools may have to be fetched
	defer cancel()
	out, err := exec.CommandContext(ctx, "../../infra/tools.sh").Output()
	if err != nil {
		t.Fatalf("infra/tools.sh: %v", err)
	}
	api, log := launch(t)
	cmd := exec.CommandContext(ctx, strings.TrimSpace(string(out))+"/schemathesis", "run", "../../infra/openapi.yaml",
		"--url", api, "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "1", "--generation-database", "none",
		"--request-timeout", "30", "--continue-on-failure", "--suppress-health-check", "all",
		// What is described may still be refused: a broker that is not
		// registered cannot be unregistered. Numbers of brokers are taken in
		// more forms than are described, as RocketMQ takes them. And who may
		// call is not decided here.
		"--exclude-checks", "positive_data_acceptance,negative_data_rejection,ignored_auth",
	)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	report, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("schemathesis: %v\n%s", err, report)
	}
	if !strings.Contains(string(report), "passed") {
		t.Errorf("it has judged nothing:\n%s", report)
	}
	if strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("the NameServer says:\n%s", log)
	}
}

var webLine = regexp.MustCompile(`"httpAddr":"([^"]+)"`)

// launch runs bin/namesrv over the memory store until the test ends, and
// returns where its API is and what it logs.
func launch(t *testing.T) (url string, log *daemontest.Output) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "namesrv")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/namesrv").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	log = &daemontest.Output{}
	cmd := exec.Command(binary, "--listenPort", "0", "--bindAddress", "127.0.0.1", "--httpAddr", "127.0.0.1:0",
		"--store", "memory", "--kvConfigPath", filepath.Join(dir, "kvConfig.json"), "--logFormat", "json")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if line := webLine.FindStringSubmatch(log.String()); line != nil {
			return "http://" + line[1], log
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not serve:\n%s", log)
		}
	}
}
