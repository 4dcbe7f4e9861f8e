// Package peers starts and stops the real systems that Signpost is compared
// with: Java NameServers, brokers and the admin tool of any RocketMQ release,
// and DynamoDB Local. peer.sh does the work and can be used by hand as well.
//
// A missing java or mvn is an error that says what is needed; nothing here
// ever makes a test pass by not running.
package peers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The releases every comparison is made with.
const (
	V480 = "4.8.0"
	V497 = "4.9.7"
	V533 = "5.3.3"
)

const (
	// readyTimeout is how long a peer may take from its start until it
	// accepts connections. A JVM on a busy machine needs seconds.
	readyTimeout = 90 * time.Second
	// stopTimeout is how long a peer may take to end after SIGTERM. A broker
	// flushes its files and unregisters first.
	stopTimeout = 20 * time.Second
	// outputShown is how much of a peer's output an error quotes, in bytes.
	outputShown = 4096
)

//go:embed peer.sh
var script string

// Process is one running peer. Its methods are for one goroutine at a time.
type Process struct {
	// Addr is the host:port it accepts connections on.
	Addr string
	// Dir is its working folder: configuration, store and output.
	Dir string

	name   string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended and err is set
	err    error         // from Wait; read after done
	killed bool          // its owner has ended it, or has been told that it ended
}

// Fetch downloads the jars of a RocketMQ version, or of "dynamodb", unless
// they are there. Starting a peer does this by itself; a test calls it first
// where a download should not count against a shorter deadline. Concurrent
// calls, also from other processes, wait for each other.
func Fetch(ctx context.Context, version string) error {
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "peer.sh", "fetch", version)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch %s: %w\n%s", version, err, tail(out))
	}
	return nil
}

// StartNameServer starts the Java NameServer of a version with the given
// key=value properties and returns once it accepts connections. The port is
// free and random unless a property listenPort says which. ctx bounds the
// start only; the process runs until Stop or Kill9, or until this process ends.
func StartNameServer(ctx context.Context, version string, props ...string) (*Process, error) {
	port, err := portOf(props, 0)
	if err != nil {
		return nil, fmt.Errorf("start NameServer %s: %w", version, err)
	}
	args := append([]string{"nameserver", version, strconv.Itoa(port)}, props...)
	return start(ctx, "NameServer "+version, version, port, args...)
}

// StartBroker starts a broker that registers with the NameServers in namesrv
// (addresses separated by ";", empty for none). It is a master of DefaultCluster on 127.0.0.1
// unless properties say otherwise (brokerId=1 and brokerRole=SLAVE make a
// slave, brokerClusterName another cluster, listenPort and storePathRootDir a
// broker that comes back). It returns once the broker accepts connections;
// its registration may still be on the way, so poll the route for it.
func StartBroker(ctx context.Context, version, name, namesrv string, props ...string) (*Process, error) {
	port, err := portOf(props, -2, 0, 1)
	if err != nil {
		return nil, fmt.Errorf("start broker %s %s: %w", name, version, err)
	}
	args := append([]string{"broker", version, name, strconv.Itoa(port), namesrv}, props...)
	return start(ctx, "broker "+name+" "+version, version, port, args...)
}

// StartDynamoDB starts DynamoDB Local, in memory, and returns once it accepts
// connections. Any credentials do.
func StartDynamoDB(ctx context.Context) (*Process, error) {
	port, err := freePort(0)
	if err != nil {
		return nil, fmt.Errorf("start DynamoDB Local: %w", err)
	}
	return start(ctx, "DynamoDB Local", "dynamodb", port, "dynamodb", strconv.Itoa(port))
}

// MQAdmin runs one mqadmin command of a version and returns what it wrote to
// standard output. The tool exits with 0 even when the command failed, and
// prints stack traces when a broker it asks is not there, so judge stdout; an
// error, with both outputs, means that the tool itself could not run to its
// end. A JVM starts for each command: about a second of one core.
func MQAdmin(ctx context.Context, version string, args ...string) (string, error) {
	op := fmt.Sprintf("mqadmin %s %s", version, strings.Join(args, " "))
	if err := Fetch(ctx, version); err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	dir, err := os.MkdirTemp("", "signpost-mqadmin-")
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	defer os.RemoveAll(dir)
	cmd := command(dir, append([]string{"mqadmin", version}, args...)...)
	if _, err := cmd.StdinPipe(); err != nil { // Wait closes it
		return "", fmt.Errorf("%s: %w", op, err)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err = cmd.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s\n%s", op, err, tail([]byte(stdout.String())), tail([]byte(stderr.String())))
	}
	return stdout.String(), nil
}

// Output returns what the process has written so far, to either output.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.outputPath())
	if err != nil {
		return "no output: " + err.Error()
	}
	return string(b)
}

// PID is the process id of the peer itself.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends the process with SIGTERM, and with SIGKILL when it takes too long,
// returns when it is gone, and removes Dir. An early or forced end is an error
// that quotes the output, and Dir stays. After Kill9, Stop only removes Dir.
func (p *Process) Stop() error {
	if p.killed {
		return os.RemoveAll(p.Dir)
	}
	if p.ended() {
		p.killed = true
		return fmt.Errorf("stop %s: it had ended by itself: %w; see %s\n%s", p.name, endOf(p.err), p.Dir, tail([]byte(p.Output())))
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if !p.wait(stopTimeout) {
		said := tail([]byte(p.Output()))
		return errors.Join(fmt.Errorf("stop %s: still running %v after SIGTERM, killed; see %s\n%s", p.name, stopTimeout, p.Dir, said), p.Kill9())
	}
	p.killed = true
	return os.RemoveAll(p.Dir)
}

// Kill9 ends the process with SIGKILL, as a crash would, and returns when it
// is gone. Dir stays until Stop: a peer started again may need what is in it.
func (p *Process) Kill9() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	if !p.wait(stopTimeout) {
		return fmt.Errorf("kill %s: process %d does not end", p.name, p.PID())
	}
	p.killed = true
	return nil
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *Process) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		return false
	}
}

func (p *Process) outputPath() string { return filepath.Join(p.Dir, "output") }

// start runs peer.sh with args and waits until port accepts connections.
func start(ctx context.Context, name, version string, port int, args ...string) (*Process, error) {
	if err := Fetch(ctx, version); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	dir, err := os.MkdirTemp("", "signpost-peer-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Dir: dir, name: name, done: make(chan struct{})}
	out, err := os.Create(p.outputPath())
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	p.cmd = command(dir, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if _, err := p.cmd.StdinPipe(); err != nil { // open until the peer has ended: the guard's line
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: bash is needed: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := p.ready(ctx); err != nil {
		err = fmt.Errorf("start %s: %w; see %s\n%s", name, err, dir, tail([]byte(p.Output())))
		_ = p.Kill9()
		return nil, err
	}
	return p, nil
}

// ready returns nil when the process accepts connections, and an error when
// it ends first or takes longer than readyTimeout or ctx allow.
func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("no connection to %s within %v", p.Addr, readyTimeout))
	defer cancel()
	var d net.Dialer
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := d.DialContext(ctx, "tcp", p.Addr); err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %w", endOf(p.err))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// endOf names the end of a process that ended with status 0.
func endOf(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// command is peer.sh in a process group of its own, so that a signal to the
// caller's group does not reach the peer; the guard ends it with its starter.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("bash", append([]string{"-c", script, "peer.sh"}, args...)...)
	cmd.Env = append(os.Environ(), "PEER_RUN="+dir, "PEER_GUARD=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	return cmd
}

// portOf returns the listenPort among props, or a free port p for which
// p+offset is free for all offsets.
func portOf(props []string, offsets ...int) (int, error) {
	port := 0
	for _, prop := range props {
		if v, ok := strings.CutPrefix(prop, "listenPort="); ok {
			n, err := strconv.Atoi(v)
			if err != nil || n <= 0 || n > 65535 {
				return 0, fmt.Errorf("property %q is no port", prop)
			}
			port = n
		}
	}
	if port != 0 {
		return port, nil
	}
	return freePort(offsets...)
}

// freePort finds a port p in 12000..29999 for which p+offset is free for all
// offsets. The range lies below that of outgoing connections (32768 and up on
// Linux), so none of those takes it between now and the peer's bind.
func freePort(offsets ...int) (int, error) {
	for range 200 {
		p := 12000 + rand.IntN(18000)
		if allFree(p, offsets) {
			return p, nil
		}
	}
	return 0, errors.New("no free port in 200 tries between 12000 and 30000")
}

func allFree(port int, offsets []int) bool {
	for _, o := range offsets {
		l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port+o)))
		if err != nil {
			return false
		}
		defer l.Close()
	}
	return true
}

// tail is the end of an output, short enough for an error.
func tail(out []byte) string {
	if len(out) > outputShown {
		out = out[len(out)-outputShown:]
	}
	return strings.TrimSpace(string(out))
}
