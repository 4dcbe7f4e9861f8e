//go:build e2e

package soak

import (
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"signpost/bench/load"
	"signpost/bench/process"
	"signpost/e2e/shim/link"
)

// front is a shim, and what clients have seen of it.
type front struct {
	index   int
	name    string
	addr    netip.AddrPort
	link    *link.Link
	process *process.Process

	// faulty is held while something is wrong with the link.
	faulty sync.Mutex

	mu     sync.Mutex
	clear  time.Time            // since when nothing is wrong with the link; zero if something is
	first  map[string]time.Time // when this process first answered a topic's route
	killed time.Time            // the last time
	knew   map[string]bool      // what it must have had on disk then
}

// newFront starts a shim of the cloud, which listens soon.
func newFront(t *testing.T, cloud shims, i int) *front {
	t.Helper()
	s, err := cloud(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	command := process.Command{Name: fmt.Sprint("shim-", i), Env: s.Env, Args: func(port int, _ string) []string {
		return append([]string{s.Program, "--listenPort", strconv.Itoa(port)}, s.Args...)
	}}
	p, err := command.Start(process.Anywhere)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{index: i, name: command.Name, addr: p.Addr, link: s.Link, process: p, first: map[string]time.Time{}}
	f.clear = time.Now().Add(-noticed) // nothing was wrong before
	t.Cleanup(func() {
		if err := f.process.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// broken sets what goes wrong with the link; nothing does by link.Pass.
func (f *front) broken(fault link.Fault) {
	f.link.Set(link.Always(fault))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clear = time.Time{}
	if fault == link.Pass {
		f.clear = time.Now()
	}
}

// onDisk is how long a route has to be known for certainty that it is on disk.
const onDisk = 10 * time.Second

// kill ends the shim as a crash does.
func (f *front) kill() error {
	f.mu.Lock()
	f.killed, f.knew = time.Now(), map[string]bool{}
	if !f.clear.IsZero() && time.Since(f.clear) > onDisk {
		for topic, since := range f.first {
			f.knew[topic] = time.Since(since) > onDisk
		}
	}
	f.mu.Unlock()
	return f.process.Kill()
}

// start starts it again.
func (f *front) start() error {
	p, err := f.process.Restart()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.process, f.first = p, map[string]time.Time{}
	}
	return err
}

// noticed is how long a shim may take to notice that its link is whole again.
const noticed = 10 * time.Second

// works says whether then nothing was wrong with the link any more, nor with what
// the shim takes it for, and whether that is so now.
func (f *front) works(then time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.clear.IsZero() && then.Sub(f.clear) > noticed
}

// saw notes that a route was answered.
func (f *front) saw(topic string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first[topic].IsZero() {
		f.first[topic] = time.Now()
	}
}

// remembers says whether the shim, started again, must know the topic from
// before, and since when.
func (f *front) remembers(topic string) (killed time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.killed, f.knew[topic] && time.Since(f.killed) < lease-10*time.Second // beats are 5 s apart
}

// lease is how long what a session holds outlives its last beat.
const lease = 30 * time.Second

// client asks one shim, again on a new connection if need be.
type client struct {
	front *front
	conn  *load.Client
}

// ask returns no answer if there is none, as when the shim is down.
func (c *client) ask(r *load.Request) (load.Answer, bool) {
	if c.conn == nil {
		conn, err := load.DialClient(c.front.addr, dialTimeout)
		if err != nil {
			time.Sleep(20 * time.Millisecond) // it is being started
			return load.Answer{}, false
		}
		c.conn = conn
	}
	a, _, err := c.conn.Do(r, registerTimeout)
	if err != nil {
		c.close()
		return load.Answer{}, false
	}
	return a, true
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// faults are what goes wrong with a link.
var faults = []link.Fault{
	link.Cut, link.Lost, link.Half, link.Hung, link.Slow(200 * time.Millisecond), link.Slow(5 * time.Second), link.Answer(429), link.Answer(500), link.Answer(503),
}
