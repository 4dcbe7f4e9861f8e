//go:build e2e

package brokers

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"signpost/e2e/peers"
	"signpost/internal/compare"
	"signpost/internal/remoting"
)

// TestCompareWithJava compares Java NameServers of all releases with ours.
func TestCompareWithJava(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "compare")
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	if _, err := output(ctx, "go", "build", "-o", program, "signpost/cmd/compare"); err != nil {
		t.Fatal(err)
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			compareWithJava(t, program, version)
		})
	}
}

// compareWithJava has a broker register with a Java NameServer and with ours,
// which then say the same, until one of them loses it.
func compareWithJava(t *testing.T, program, version string) {
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	java, err := peers.StartNameServer(ctx, version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, java) })
	ours := startNameServer(t)
	here := ours.addrs()[0]

	b := startBroker(t, version, "compared", java.Addr+";"+ours.addr, "registerNameServerPeriod=10000")
	ours.awaitRoute(t, brokerTimeout, "TBW102", "compared of DefaultCluster at 0="+b.Addr+": r8 w8 perm 7")
	admin{version: version, namesrv: java.Addr + ";" + ours.addr}.expect(t, []string{b.Addr}, "updateTopic", "-b", b.Addr, "-t", "orders", "-o", "true")

	r, text, code := compareThem(t, program, "--wait", brokerTimeout.String(), java.Addr, here)
	if code != 0 || !r.Equal || r.Brokers != 1 || r.Topics < 5 {
		t.Fatalf("compare ends with %d:\n%s", code, text)
	}

	freeze(t, b) // so that it does not come back
	answer, err := askAt(here, remoting.UnregisterBroker, nil, remoting.Field{Key: "brokerName", Value: "compared"},
		remoting.Field{Key: "brokerAddr", Value: b.Addr}, remoting.Field{Key: "clusterName", Value: "DefaultCluster"}, remoting.Field{Key: "brokerId", Value: "0"})
	if err != nil || answer.Code != remoting.Success {
		t.Fatalf("unregister: %v %s, %v", answer.Code, answer.Remark, err)
	}
	r, text, code = compareThem(t, program, java.Addr, here)
	if code != 1 || r.Equal {
		t.Fatalf("after one lost the broker compare ends with %d:\n%s", code, text)
	}
	for _, want := range []compare.Difference{
		{Kind: "cluster", Name: "DefaultCluster", A: "there"},
		{Kind: "broker", Name: "compared", A: "there"},
		{Kind: "topic", Name: "orders", A: "there"},
		{Kind: "topic", Name: "TBW102", A: "there"},
	} {
		found := false
		for _, d := range r.Differences {
			found = found || d == want
		}
		if !found {
			t.Errorf("no %+v in\n%s", want, text)
		}
	}

	thaw(t, b)
	if _, text, code := compareThem(t, program, "--wait", brokerTimeout.String(), java.Addr, here); code != 0 {
		t.Errorf("after it came back compare ends with %d:\n%s", code, text)
	}
	if _, _, code := compareThem(t, program, java.Addr, "127.0.0.1:1"); code != 2 {
		t.Errorf("with nobody there compare ends with %d, want 2", code)
	}
}

// compareThem runs the program.
func compareThem(t *testing.T, program string, args ...string) (r compare.Result, text string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*brokerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"--json"}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code says it
	if stdout.Len() > 0 {
		if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
			t.Errorf("compare writes no JSON: %v", err)
		}
	}
	return r, stdout.String() + stderr.String(), cmd.ProcessState.ExitCode()
}
