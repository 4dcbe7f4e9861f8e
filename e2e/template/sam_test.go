//go:build e2e

package template_test

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	root = "../.." // of the repository
	// toolsTimeout is how long the Python tools may take to install.
	toolsTimeout = 10 * time.Minute
	// toolTimeout is how long one run of a tool may take.
	toolTimeout = 5 * time.Minute
)

// tools is the folder of the Python tools.
var tools = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), toolsTimeout)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, root+"/infra/tools.sh")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("infra/tools.sh: %w\n%s", err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
})

// run runs one of the Python tools in the repository, and returns what it
// printed, errors apart.
func run(t *testing.T, stdin []byte, name string, args ...string) (stdout []byte, err error) {
	t.Helper()
	bin, err := tools()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = root, bytes.NewReader(stdin), &out, &stderr
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "PATH="+bin+":"+os.Getenv("PATH"))
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), stderr.Bytes())
	}
	return out.Bytes(), nil
}

//go:embed transform.py
var transformProgram string

// transform returns what AWS makes of a template.
func transform(t *testing.T, template []byte, parameters ...string) ([]byte, error) {
	t.Helper()
	return run(t, template, "python", append([]string{"-c", transformProgram}, parameters...)...)
}

func readTemplate(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(root + "/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
