//go:build e2e

package functions_test

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// maxSize is what a function may weigh: Lambda fetches it before an instance
// starts.
const maxSize = 14_000_000

// What `make functions` builds is small, static, and for the machine that it
// says.
func TestSizes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "make", "-C", root, "functions").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for arch, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64} {
		for _, name := range []string{"register", "route", "sweeper"} {
			path := filepath.Join(root, "bin/functions", arch, name, "bootstrap")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if t.Logf("%s/%s: %.1f MiB", arch, name, float64(info.Size())/(1<<20)); info.Size() > maxSize {
				t.Errorf("%s has %d bytes, more than %d", path, info.Size(), maxSize)
			}
			f, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Machine != machine {
				t.Errorf("%s is for %v", path, f.Machine)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP {
					t.Errorf("%s is not static", path)
				}
			}
		}
	}
}
