// Package emulator runs binaries of Lambda functions under AWS's own runtime
// interface emulator, the one inside the SAM CLI, which infra/tools.sh
// installs. It needs Linux and bash.
//
// What the emulator is not, and what is made good here: it starts the function
// with its first event only (so that event takes the init time too); it takes
// one event at a time and crashes on a second one, where Lambda starts another
// instance; it cuts events off at 6 MB instead of refusing them; it answers
// 200 when a function failed or ran out of time; and it limits neither memory
// nor processor.
package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"signpost/e2e/gateway"
)

// architectures are the emulator's names for Go's.
var architectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// Path returns the emulator's program for this machine. root is the folder of
// the repository. The first call on a machine downloads the SAM CLI, which
// takes minutes.
func Path(ctx context.Context, root string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(root, "infra/tools.sh"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("infra/tools.sh: %w\n%s", err, stderr.Bytes())
	}
	pattern := filepath.Join(strings.TrimSpace(string(out)), "../lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-"+architectures[runtime.GOARCH])
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("the SAM CLI has no emulator for %s: %d files are like %s", runtime.GOARCH, len(found), pattern)
	}
	return found[0], nil
}

// Options say what to run.
type Options struct {
	Emulator string // from Path
	Binary   string // the function's bootstrap
	// Env is the function's environment, NAME=value. Nothing is inherited.
	Env []string
	// Concurrency is how many instances there may be at a time, 0 for 1.
	Concurrency int
	// Timeout is how long the function may take, in whole seconds, 0 for 28 s.
	Timeout time.Duration
	// Memory is what the function is told that it has, in MB, 0 for 256.
	Memory int
	// Started, if set, gets the process id of each new emulator before it has
	// started the function: to put both into a cgroup.
	Started func(pid int) error
}

// Function is a function with its instances. It is safe for concurrent use.
type Function struct {
	o Options

	mu     sync.Mutex
	free   []*instance // the one used last is the first to be used again, as in Lambda
	all    map[*instance]bool
	closed bool
	output output
}

var _ gateway.Function = (*Function)(nil)

// New returns a function without an instance; the first event starts one.
func New(o Options) *Function {
	if o.Concurrency == 0 {
		o.Concurrency = 1
	}
	if o.Timeout == 0 {
		o.Timeout = 28 * time.Second
	}
	if o.Memory == 0 {
		o.Memory = 256
	}
	return &Function{o: o, all: map[*instance]bool{}}
}

// FailedError says that the function has no answer.
type FailedError struct {
	Type, Message string
}

func (e *FailedError) Error() string { return e.Type + ": " + e.Message }

// Invoke hands the event to a free instance. Who stops waiting by ctx does not
// stop the function: its instance is free again when it has ended, as in
// Lambda. A function that failed is a *FailedError.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	i, err := f.take(ctx)
	if err != nil {
		return nil, err
	}
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := i.invoke(event)
		f.giveBack(i, err)
		done <- result{answer, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		return r.answer, r.err
	}
}

// take finds or starts an instance.
func (f *Function) take(ctx context.Context) (*instance, error) {
	f.mu.Lock()
	if n := len(f.free); n > 0 && !f.closed {
		i := f.free[n-1]
		f.free = f.free[:n-1]
		f.mu.Unlock()
		return i, nil
	}
	if f.closed {
		f.mu.Unlock()
		return nil, errors.New("the function is closed")
	}
	if len(f.all) >= f.o.Concurrency {
		f.mu.Unlock()
		return nil, gateway.ErrThrottled
	}
	i := &instance{}
	f.all[i] = true // it counts while it starts
	f.mu.Unlock()
	err := i.start(ctx, f.o, &f.output)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.all[i] {
		return i, nil
	}
	delete(f.all, i)
	i.kill()
	if err == nil {
		err = errors.New("the instance was killed")
	}
	return nil, err
}

// giveBack keeps the instance for the next event unless it is of no use.
func (f *Function) giveBack(i *instance, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed *FailedError
	if !f.all[i] {
		return // killed
	}
	if err != nil && !errors.As(err, &failed) {
		delete(f.all, i)
		i.kill()
		return
	}
	f.free = append(f.free, i)
}

// Kill9 ends all instances by SIGKILL, in the middle of whatever they do. The
// next event starts a new one.
func (f *Function) Kill9() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		i.kill()
	}
	clear(f.all)
	f.free = nil
}

// Close ends the function for good.
func (f *Function) Close() {
	f.Kill9()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// Instances is how many there are.
func (f *Function) Instances() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// Lines are the lines that the function itself has written, of all instances.
func (f *Function) Lines() []string { return f.output.lines() }

// Timings are the times of all events so far as the emulator measured them.
func (f *Function) Timings() Timings { return f.output.timings() }

// Output is all that instances and emulators have written.
func (f *Function) Output() string { return f.output.String() }

// failure reads what the emulator answers in place of an answer.
func failure(status int, body []byte) error {
	var e struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
		Status  *int   `json:"statusCode"`
	}
	isObject := json.Unmarshal(body, &e) == nil
	switch {
	case isObject && e.Status == nil && (e.Type != "" || e.Message != ""):
		return &FailedError{Type: e.Type, Message: e.Message}
	case strings.HasPrefix(string(body), "Task timed out"):
		return &FailedError{Type: "Sandbox.Timedout", Message: string(body)}
	case status != http.StatusOK:
		return fmt.Errorf("the emulator answers %d %.200q", status, body)
	}
	return nil
}

// client has no pool: an emulator that was killed leaves nothing behind.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (i *instance) invoke(event []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), i.patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.addr+"/2015-03-31/functions/function/invocations", bytes.NewReader(event))
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	return body, failure(resp.StatusCode, body)
}
