//go:build e2e

package brokers

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// stopTimeout is how long a process may take to end.
	stopTimeout = 20 * time.Second
	// outputShown is how much of a process's output a failed test shows, in bytes.
	outputShown = 3000
)

// process is a program that a test runs. Its output goes to a file.
type process struct {
	name  string
	path  string // of the output
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended
}

// start runs a program, with more in its environment, that ends with this one,
// at the latest with the test. A test that fails shows the end of its output.
func start(t *testing.T, name, program string, env []string, args ...string) *process {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := &process{name: name, path: path, done: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), env...)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	// The signal comes when the thread that started the process ends, so that
	// thread waits for it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.end(t, syscall.SIGKILL)
		showIfFailed(t, name, p.output)
	})
	return p
}

// end sends the signal, if the process still runs, and waits for its end.
func (p *process) end(t *testing.T, signal syscall.Signal) {
	t.Helper()
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		t.Fatalf("%s runs on %v after %v", p.name, stopTimeout, signal)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) output() string {
	b, err := os.ReadFile(p.path)
	if err != nil {
		return "no output: " + err.Error()
	}
	return string(b)
}

// lines are the complete lines of output that start with one of the words.
func (p *process) lines(words ...string) []string {
	out := p.output()
	out = out[:strings.LastIndexByte(out, '\n')+1]
	var lines []string
	for line := range strings.Lines(out) {
		for _, w := range words {
			if strings.HasPrefix(line, w+" ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

func showIfFailed(t *testing.T, name string, output func() string) {
	if !t.Failed() {
		return
	}
	var out string
	for line := range strings.Lines(output()) {
		// What a client did well is not what failed.
		if !strings.HasPrefix(line, "ok ") && !strings.HasPrefix(line, "got ") {
			out += line
		}
	}
	if len(out) > outputShown {
		out = "..." + out[len(out)-outputShown:]
	}
	t.Logf("%s said:\n%s", name, out)
}

// await polls look until nothing is missing any more, which it says with "".
// After the given time the test fails with what is missing then.
func await(t *testing.T, within time.Duration, what string, look func() (missing string)) {
	t.Helper()
	began := time.Now()
	deadline := began.Add(within)
	for {
		missing := look()
		if missing == "" {
			if took := time.Since(began); took > time.Second {
				t.Logf("%v for %s", took.Round(100*time.Millisecond), what) // where a run's time goes
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %s", within, what, missing)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freePort finds a free port below those of outgoing connections, so that it
// is free again when who listens on it is gone for a moment.
func freePort(t *testing.T) int {
	t.Helper()
	for range 200 {
		port := 10000 + rand.IntN(2000)
		if l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port in 200 tries between 10000 and 12000")
	return 0
}

func fetchText(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
