//go:build e2e

package template_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// maxSize is how large a function's program may be, in bytes.
const maxSize = 14 << 20

// machines are SAM's names of what Go calls amd64 and arm64.
var machines = map[string]struct {
	sam string
	elf elf.Machine
}{"amd64": {"x86_64", elf.EM_X86_64}, "arm64": {"arm64", elf.EM_AARCH64}}

func TestSAMBuilds(t *testing.T) {
	for arch, m := range machines {
		folder := filepath.Join(t.TempDir(), "build")
		runMake(t, "sam-build", "ARCHITECTURE="+m.sam, "BUILD_DIR="+folder)
		for _, function := range []string{"RegisterFunction", "RouteFunction", "SweeperFunction"} {
			checkProgram(t, filepath.Join(folder, function, "bootstrap"), arch)
		}
	}
}

func TestMakeFunctions(t *testing.T) {
	runMake(t, "functions")
	for arch := range machines {
		for _, function := range []string{"register", "route", "sweeper"} {
			checkProgram(t, filepath.Join(root, "bin", "functions", arch, function, "bootstrap"), arch)
		}
	}
}

// checkProgram checks that a program is static, small, without symbols and
// paths, for the architecture, and, if that is this machine's, runs.
func checkProgram(t *testing.T, path, arch string) {
	t.Helper()
	program, err := elf.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer program.Close()
	if program.Machine != machines[arch].elf {
		t.Errorf("%s is for %v, not for %s", path, program.Machine, arch)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s is not static", path)
		}
	}
	if program.Section(".symtab") != nil {
		t.Errorf("%s has symbols", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
	} else if info.Size() > maxSize {
		t.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxSize)
	}
	build, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	settings := map[string]string{}
	for _, s := range build.Settings {
		settings[s.Key] = s.Value
	}
	for key, want := range map[string]string{"-tags": "lambda.norpc", "-trimpath": "true", "CGO_ENABLED": "0"} {
		if settings[key] != want {
			t.Errorf("%s is built with %s=%s, not %s", path, key, settings[key], want)
		}
	}
	if arch != runtime.GOARCH {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // without what it needs
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !bytes.Contains(out, []byte("TABLE_NAME")) {
		t.Errorf("%s without an environment: %v\n%s", path, err, out)
	}
}

// runMake runs make in the repository.
func runMake(t *testing.T, args ...string) {
	t.Helper()
	if _, err := tools(); err != nil { // has a deadline of its own
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", append([]string{"-C", root}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
