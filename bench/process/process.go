//go:build linux

// Package process starts servers, on one core or on all, and looks at what they take of
// the machine.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// stopTime is how long a server may take to end after SIGTERM.
	stopTime = 20 * time.Second
	// outputShown is how much of a server's output an error quotes, in bytes.
	outputShown = 4096
	// outputFile has both outputs of a server, in its folder.
	outputFile = "output"
)

// Command says how to start a server.
type Command struct {
	// Name is for people.
	Name string
	// Args returns program and arguments that make it listen on port of
	// 127.0.0.1 and keep its files in dir.
	Args func(port int, dir string) []string
	// Env are variables besides those of this process; $DIR in them is dir.
	Env []string
}

// Process is a server that runs.
type Process struct {
	Addr netip.AddrPort
	// Started is when the start began.
	Started time.Time

	command Command
	core    int
	dir     string
	pid     int
	done    chan struct{} // closed when the process has ended and err is set
	err     error
	killed  bool // by Kill, not by itself
}

// Attach returns a process that somebody else started. It cannot be stopped.
func Attach(addr netip.AddrPort, pid int) *Process {
	return &Process{Addr: addr, command: Command{Name: addr.String()}, pid: pid}
}

// Anywhere stands for all cores.
const Anywhere = -1

// Start starts the server on the given core, on a free port and with a new
// folder. It does not wait for it to listen. The server ends with this process.
func (c Command) Start(core int) (*Process, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	dir, err := os.MkdirTemp("", "signpost-bench-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	p, err := c.start(core, addr, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return p, nil
}

func (c Command) start(core int, addr netip.AddrPort, dir string) (*Process, error) {
	out, err := os.Create(filepath.Join(dir, outputFile))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	line := c.Args(int(addr.Port()), dir)
	if core != Anywhere {
		line = append([]string{"taskset", "-c", strconv.Itoa(core)}, line...)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = os.Environ()
	for _, e := range c.Env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(e, "$DIR", dir))
	}
	// The signal comes when the thread that started the process ends, so that
	// thread waits for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{Addr: addr, command: c, core: core, dir: dir, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.Started = time.Now()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", line[0], err)
	}
	return p, nil
}

// Kill ends the process with SIGKILL, as a crash would.
func (p *Process) Kill() error {
	if err := p.Ended(); err != nil {
		return err
	}
	p.killed = true
	_ = syscall.Kill(p.pid, syscall.SIGKILL)
	<-p.done
	return nil
}

// Restart kills the process, if that is not done yet, and starts it again on
// the same port and with its files as they are.
func (p *Process) Restart() (*Process, error) {
	if !p.killed {
		if err := p.Kill(); err != nil {
			return nil, err
		}
	}
	again, err := p.command.start(p.core, p.Addr, p.dir)
	if err != nil {
		return nil, fmt.Errorf("restart %s: %w", p.command.Name, err)
	}
	return again, nil
}

// Ended returns nil while the process runs, and then an error that quotes its
// output.
func (p *Process) Ended() error {
	select {
	case <-p.done:
		out, _ := os.ReadFile(filepath.Join(p.dir, outputFile))
		if len(out) > outputShown {
			out = out[len(out)-outputShown:]
		}
		return fmt.Errorf("%s ended by itself: %v\n%s", p.command.Name, p.err, bytes.TrimSpace(out))
	default:
		return nil
	}
}

// Stop ends the process, if need be by force, and removes its folder.
func (p *Process) Stop() error {
	if err := p.Ended(); err != nil {
		_ = os.RemoveAll(p.dir)
		return err
	}
	_ = syscall.Kill(p.pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTime):
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("stop %s: %w", p.command.Name, err)
	}
	return nil
}

// Resident is how much memory a process has, in bytes.
type Resident struct {
	Now, Peak int64 // all, and the most since the start
	// Files is the part of Now that are pages of files: code, and what is
	// mapped. The system takes them back when it needs room.
	Files int64
}

// Memory returns the resident memory of the process.
func (p *Process) Memory() (r Resident, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return r, fmt.Errorf("memory of %s: %w", p.command.Name, err)
	}
	for _, of := range []struct {
		key string
		to  *int64
	}{{"VmRSS:", &r.Now}, {"VmHWM:", &r.Peak}, {"RssFile:", &r.Files}} {
		if *of.to, err = statusBytes(string(b), of.key); err != nil {
			return r, fmt.Errorf("memory of %s: %w", p.command.Name, err)
		}
	}
	return r, nil
}

// statusBytes returns the value of a line such as "VmRSS:	 1234 kB".
func statusBytes(status, key string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %q: %w", line, err)
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("no %s in the status of the process", key)
}

// CPU returns the processor time that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.command.Name, err)
	}
	d, err := statCPU(string(b))
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.command.Name, err)
	}
	return d, nil
}

// userHz is the unit of times in /proc, the same on all of today's machines.
const userHz = 100

// statCPU adds user and system time, fields 14 and 15 of proc_pid_stat(5).
// The second field may contain anything, but ends with the last parenthesis.
func statCPU(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields in %q", len(fields), stat)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %q: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHz, nil
}

// OwnCPU returns the processor time that this process has used.
func OwnCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("own processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// MachineCPU returns the processor time that all programs together have used
// since the machine started.
func MachineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("processor time of the machine: %w", err)
	}
	d, err := machineCPU(string(b))
	if err != nil {
		return 0, fmt.Errorf("processor time of the machine: %w", err)
	}
	return d, nil
}

// machineCPU adds what is not idle in the first line of proc_stat(5): user,
// nice, system, then behind idle and iowait irq, softirq and steal.
func machineCPU(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("no times of all cores in %q", line)
	}
	var ticks int64
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %q: %w", line, err)
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / userHz, nil
}

// nextPort is tried next, less 12000: none is tried twice, for a server may not
// listen yet when another one starts.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(ports)) }

const ports = 18000

// freePort returns a port that is free now. It lies below those of outgoing
// connections (32768 and up on Linux): none of these takes it before the server
// does, or while the server is started again.
func freePort() (uint16, error) {
	for range 200 {
		port := uint16(12000 + nextPort.Add(1)%ports)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port in 200 tries between 12000 and 30000")
}
