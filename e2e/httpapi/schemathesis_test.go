//go:build e2e

package httpapi_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
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
	registry := core.New(memory.New(), core.Options{NewID: rand.Text})
	api := httptest.NewServer(httpapi.New(httpapi.Options{
		Read: registry, Write: registry, Identity: httpapi.Anyone, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		CompressFrom: 1024,
	}))
	defer api.Close()
	cmd := exec.CommandContext(ctx, strings.TrimSpace(string(out))+"/schemathesis", "run", "../../infra/openapi.yaml",
		"--url", api.URL, "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "1", "--generation-database", "none",
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
}
