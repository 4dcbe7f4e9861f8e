package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// readyTimeout is how long an emulator may take until it accepts
	// connections.
	readyTimeout = 30 * time.Second
	// startAttempts is how often other ports are tried.
	startAttempts = 5
)

// guard becomes the emulator, and kills it when standard input ends, that is,
// when whoever started it is gone. Without its emulator the function ends too.
const guard = `exec 3<&0; ( read -r _ <&3 || true; kill -9 $$ ) >/dev/null 2>&1 & exec 3<&- </dev/null; exec "$@"`

// instance is one emulator with its function.
type instance struct {
	addr     string
	patience time.Duration // with one event

	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
}

// start starts the emulator and returns when it accepts connections.
func (i *instance) start(ctx context.Context, o Options, out io.Writer) error {
	i.patience = o.Timeout + 30*time.Second
	var err error
	for range startAttempts { // somebody may take the port in between
		if err = i.try(ctx, o, out); err == nil || ctx.Err() != nil {
			return err
		}
		i.kill()
	}
	return fmt.Errorf("start the emulator: %w", err)
}

func (i *instance) try(ctx context.Context, o Options, out io.Writer) error {
	addr, api, err := twoAddrs()
	if err != nil {
		return err
	}
	i.addr = addr
	cmd := exec.Command("bash", "-c", guard, "guard", o.Emulator,
		"--runtime-interface-emulator-address", addr, "--runtime-api-address", api, o.Binary)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "AWS_LAMBDA_FUNCTION_TIMEOUT=" + strconv.Itoa(int(o.Timeout/time.Second)),
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(o.Memory),
	}, o.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("bash is needed: %w", err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it ends by being killed
		close(done)
	}()
	i.mu.Lock()
	i.cmd, i.stdin, i.done = cmd, stdin, done
	i.mu.Unlock()
	if o.Started != nil {
		if err := o.Started(cmd.Process.Pid); err != nil {
			return err
		}
	}
	return i.ready(ctx, done)
}

func (i *instance) ready(ctx context.Context, done <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("no connection to %s within %v", i.addr, readyTimeout))
	defer cancel()
	var d net.Dialer
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := d.DialContext(ctx, "tcp", i.addr); err == nil {
			return conn.Close()
		}
		select {
		case <-done:
			return errors.New("it ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// kill ends the function, then the emulator, and returns when the latter is
// gone. It may be called again.
func (i *instance) kill() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cmd == nil {
		return
	}
	for _, pid := range children(i.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = i.cmd.Process.Kill()
	<-i.done // WaitDelay bounds it
	_ = i.stdin.Close()
	i.cmd = nil
}

// children are the processes that a process has started.
func children(parent int) []int {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", parent))
	if err != nil {
		return nil // it has ended
	}
	var pids []int
	for _, t := range tasks {
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", parent, t.Name()))
		for _, f := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// twoAddrs finds two free addresses, below the ports of outgoing connections.
func twoAddrs() (a, b string, err error) {
	for range 200 {
		p := 12000 + rand.IntN(18000)
		a, b = net.JoinHostPort("127.0.0.1", strconv.Itoa(p)), net.JoinHostPort("127.0.0.1", strconv.Itoa(p+1))
		if isFree(a) && isFree(b) {
			return a, b, nil
		}
	}
	return "", "", errors.New("no free ports in 200 tries between 12000 and 30000")
}

func isFree(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	return l.Close() == nil
}
