package shim_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// broker is a simulated broker: it registers with all of its NameServers, with
// each at its own pace, again when its topics change, and once in a period.
type broker struct {
	cluster, name, addr string
	id                  int64
	timeout             time.Duration // 0: the NameServers'
	acting              bool
	period              time.Duration

	mu      sync.Mutex
	version int64
	topics  []string
	silent  bool
	changed chan struct{} // closed when there is something to say

	lines sync.WaitGroup
	ctx   context.Context
	ended context.CancelFunc
	conns map[*front]net.Conn
	quits map[*front]context.CancelFunc
}

// newBroker returns a broker with topics that is not started yet.
func newBroker(name string, topics ...string) *broker {
	return &broker{
		cluster: "c", name: name, addr: "10.0.0.1:" + strconv.Itoa(10000+len(name)), period: 30 * time.Second,
		version: 1, topics: topics, changed: make(chan struct{}), conns: map[*front]net.Conn{}, quits: map[*front]context.CancelFunc{},
	}
}

// start connects it to the fronts, the NameServer among them, and waits until
// that has it. It dies with the test at the latest.
func (b *broker) start(s *scene, fronts ...*front) {
	b.ctx, b.ended = context.WithCancel(context.Background())
	s.t.Cleanup(b.die)
	for _, f := range fronts {
		b.join(f)
	}
	s.eventually(soon, "the NameServer has "+b.name, func() string {
		if got := s.java.say(routeOf(b.name)); !strings.Contains(got, b.addr) {
			return got
		}
		return ""
	})
}

// join connects it to one front more.
func (b *broker) join(f *front) {
	ctx, quit := context.WithCancel(b.ctx)
	b.quits[f] = quit
	b.lines.Go(func() { b.line(ctx, f) })
}

// quit ends its connection to a front, for good.
func (b *broker) quit(f *front) {
	b.quits[f]()
	b.hangUp(f)
}

// line speaks with one NameServer, whatever becomes of the connection.
func (b *broker) line(ctx context.Context, f *front) {
	for {
		b.mu.Lock()
		changed, silent := b.changed, b.silent
		b.mu.Unlock()
		if !silent {
			b.register(ctx, f)
		}
		t := time.NewTimer(b.period)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// register says everything, on the connection that there is or a new one. An
// answer is not needed: there is a next time.
func (b *broker) register(ctx context.Context, f *front) {
	c := b.conn(ctx, f)
	if c == nil {
		return
	}
	if _, err := roundTrip(c, registerTimeout, b.registration()); err != nil {
		b.hangUp(f)
	}
}

// conn returns the connection, nil if there is none to be had.
func (b *broker) conn(ctx context.Context, f *front) net.Conn {
	b.mu.Lock()
	c := b.conns[f]
	b.mu.Unlock()
	if c != nil || ctx.Err() != nil {
		return c
	}
	dialing, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c, err := f.dial(dialing)
	if err != nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() != nil {
		c.Close()
		return nil
	}
	b.conns[f] = c
	return c
}

// hangUp ends the connection to a NameServer.
func (b *broker) hangUp(f *front) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.conns[f]; c != nil {
		c.Close()
		delete(b.conns, f)
	}
}

func (b *broker) registration() remoting.Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	content := core.Content{DataVersion: core.DataVersion{Counter: b.version, Timestamp: 1_700_000_000_000 + b.version}}
	for _, name := range append([]string{b.name}, b.topics...) { // one topic alone is not taken
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	cmd := remoting.Command{
		Code: remoting.RegisterBroker,
		ExtFields: fields("clusterName", b.cluster, "brokerName", b.name, "brokerId", fmt.Sprint(b.id), "brokerAddr", b.addr, "haServerAddr", b.addr+"0",
			"enableActingMaster", strconv.FormatBool(b.acting)),
		Body: wire.AppendRegistration(nil, content, wire.JSON5),
	}
	if b.timeout > 0 {
		cmd.ExtFields = append(cmd.ExtFields, fields("heartbeatTimeoutMillis", fmt.Sprint(b.timeout.Milliseconds()))...)
	}
	return cmd
}

// say has it register at once, after change.
func (b *broker) say(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

// has changes its topics.
func (b *broker) has(topics ...string) {
	b.say(func() { b.topics = topics; b.version++ })
}

// freeze has it say nothing more; its connections stay open.
func (b *broker) freeze() { b.say(func() { b.silent = true }) }

// thaw has it go on.
func (b *broker) thaw() { b.say(func() { b.silent = false }) }

// die ends it as a crash does: its connections close. It may be dead.
func (b *broker) die() {
	b.ended()
	b.mu.Lock()
	for f, c := range b.conns {
		c.Close()
		delete(b.conns, f)
	}
	b.mu.Unlock()
	b.lines.Wait()
	time.Sleep(time.Millisecond) // whoever comes in its place comes later
}

// leave ends it in order: it says goodbye to all first.
func (b *broker) leave(fronts ...*front) {
	b.ended()
	b.lines.Wait()
	for _, f := range fronts {
		if c := b.conn(context.Background(), f); c != nil {
			_, _ = roundTrip(c, askTimeout, remoting.Command{ // it goes, whatever the answer
				Code:      remoting.UnregisterBroker,
				ExtFields: fields("clusterName", b.cluster, "brokerName", b.name, "brokerId", fmt.Sprint(b.id), "brokerAddr", b.addr),
			})
		}
	}
	b.die()
}
