//go:build e2e

package functions_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signpost/e2e/functions/stack"
)

// TestSmoke runs the program behind `make smoke`, as against a real account.
func TestSmoke(t *testing.T) {
	s := start(t, nil)
	dir := t.TempDir()
	var profiles strings.Builder
	for _, key := range []string{stack.Reader, stack.Registrar, stack.Admin, stack.Limited, stack.Master} {
		fmt.Fprintf(&profiles, "[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key, key, s.Users[key].Secret)
	}
	credentials := filepath.Join(dir, "credentials")
	if err := os.WriteFile(credentials, []byte(profiles.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	smoke := filepath.Join(dir, "smoke")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", smoke, "signpost/infra/smoke").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, smoke, append([]string{"-endpoint", s.Endpoint, "-region", stack.Region}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_SHARED_CREDENTIALS_FILE="+credentials, "AWS_CONFIG_FILE="+filepath.Join(dir, "config"),
			"AWS_PROFILE="+stack.Master, "AWS_EC2_METADATA_DISABLED=true")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("-read", stack.Reader, "-register", stack.Registrar, "-admin", stack.Admin)
	if t.Log(out); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out, "ok    no class reaches into another") || !strings.Contains(out, "ok    a broker registers 60000 topics") {
		t.Error("not all was checked")
	}
	// It has to fail where something is wrong: this one may write one cluster only.
	out, err = run("-register", stack.Limited, "-topics", "0", "-forbidden-cluster", "other")
	if err == nil || !strings.Contains(out, "FAIL  a broker registers") || !strings.Contains(out, "ok    a cluster that the caller may not write is refused") {
		t.Errorf("%v\n%s", err, out)
	}
}
