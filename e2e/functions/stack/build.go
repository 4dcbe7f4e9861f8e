package stack

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"signpost/e2e/gateway/emulator"
)

// Binaries are the functions as they are deployed, for this machine.
type Binaries struct {
	emulator  string
	functions map[string]string // by logical id
}

// Build builds the functions into dir and finds the emulator.
func Build(ctx context.Context, root, dir string) (*Binaries, error) {
	b := &Binaries{functions: map[string]string{}}
	var err error
	if b.emulator, err = emulator.Path(ctx, root); err != nil {
		return nil, err
	}
	for id, name := range map[string]string{Register: "register", Route: "route", Sweeper: "sweeper"} {
		out := filepath.Join(dir, name, "bootstrap")
		cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", out, "./functions/"+name)
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", name, err, said)
		}
		if b.functions[id], err = filepath.Abs(out); err != nil {
			return nil, err
		}
	}
	return b, nil
}
