package nameserver_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// patience bounds every wait of these tests; none of them waits for it to end.
const patience = 10 * time.Second

// fixture is a server on a free port over an empty memory store.
type fixture struct {
	t        testing.TB
	addr     string
	server   *nameserver.Server
	registry *core.Registry
	observer *counts
	clock    atomic.Int64 // added to the real time
	switches atomic.Pointer[nameserver.Switches]
	stop     func()
}

type counts struct {
	mu      sync.Mutex
	refused map[string]int
	results map[remoting.Code]int
	open    int
}

func (c *counts) Requests(_, result remoting.Code, n int, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results[result] += n
}
func (c *counts) ConnectionOpened() { c.mu.Lock(); c.open++; c.mu.Unlock() }
func (c *counts) ConnectionClosed() { c.mu.Lock(); c.open--; c.mu.Unlock() }
func (c *counts) Refused(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[reason]++
}

func (c *counts) refusals(reason string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused[reason]
}

type fixedConfig struct{}

func (fixedConfig) List() string        { return "a=1\n" }
func (fixedConfig) Update([]byte) error { return nameserver.ErrNotPermitted }

func testLimits() nameserver.Limits {
	return nameserver.Limits{
		Frame: 1 << 20, Registration: 4 << 20, Inflated: 16 << 20, Topics: 100_000, Connections: 100, InFlight: 8,
		Idle: time.Minute, Read: patience, Write: patience, Handler: patience,
		NotifyTimeout: time.Second, BrokerTimeout: core.DefaultTimeout,
	}
}

func start(t testing.TB, change func(*nameserver.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, observer: &counts{refused: map[string]int{}, results: map[remoting.Code]int{}}}
	f.switches.Store(&nameserver.Switches{TopicList: true, AllTopicList: true, OrderToBroker: true})
	var ids atomic.Int64
	f.registry = core.New(memory.New(), core.Options{
		NewID:       func() string { return strconv.FormatInt(ids.Add(1), 10) },
		OnMinBroker: func(c core.MinBrokerChange) { f.server.MinBrokerChanged(c) },
	})
	o := nameserver.Options{
		Registry: f.registry, Config: fixedConfig{}, Limits: testLimits(), Observer: f.observer, Local: true,
		Switches: func() *nameserver.Switches { return f.switches.Load() },
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now:      func() time.Time { return time.Now().Add(time.Duration(f.clock.Load())) },
		Secure:   func(c net.Conn) (net.Conn, error) { return c, nil },
	}
	if change != nil {
		change(&o)
	}
	f.server = nameserver.New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(l) }()
	f.stop = sync.OnceFunc(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		f.server.Shutdown(ctx, 0)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// client is one connection that sends and receives frames.
type client struct {
	t testing.TB
	c net.Conn
	r *remoting.Reader
}

func (f *fixture) dial() *client {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	f.t.Cleanup(func() { c.Close() })
	return &client{t: f.t, c: c, r: remoting.NewReader(c, nil)}
}

func (c *client) send(cmds ...remoting.Command) {
	c.t.Helper()
	var b []byte
	for i := range cmds {
		b = remoting.AppendFrame(b, &cmds[i])
	}
	if _, err := c.c.Write(b); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func (c *client) receive() remoting.Command {
	c.t.Helper()
	var cmd remoting.Command
	if err := c.r.Next(&cmd); err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	return cmd
}

func (c *client) call(cmd remoting.Command) remoting.Command {
	c.t.Helper()
	c.send(cmd)
	got := c.receive()
	if got.Opaque != cmd.Opaque || !got.IsResponse() {
		c.t.Fatalf("answer %d with flag %d to request %d", got.Opaque, got.Flag, cmd.Opaque)
	}
	return got
}

// closed waits until the server has closed the connection.
func (c *client) closed() {
	c.t.Helper()
	var cmd remoting.Command
	err := c.r.Next(&cmd)
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatalf("connection is open: %v, %v", cmd.Code, err)
	}
}

var opaques atomic.Int32

func request(code remoting.Code, ext ...string) remoting.Command {
	cmd := remoting.Command{Code: code, Version: remoting.V5_3_3, Language: "JAVA", Opaque: opaques.Add(1)}
	for i := 0; i < len(ext); i += 2 {
		cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: ext[i], Value: ext[i+1]})
	}
	return cmd
}

func registration(broker, addr string, id int, topics ...string) remoting.Command {
	cmd := request(remoting.RegisterBroker, "brokerName", broker, "brokerAddr", addr, "clusterName", "c1",
		"haServerAddr", addr+"0", "brokerId", strconv.Itoa(id))
	content := core.Content{DataVersion: core.DataVersion{Counter: 1, Timestamp: 1}}
	for _, name := range append(topics, "t-always-1", "t-always-2") {
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	cmd.Body = wire.AppendRegistration(nil, content, wire.JSON5)
	return cmd
}

func routeOf(topic string) remoting.Command {
	return request(remoting.GetRouteInfoByTopic, "topic", topic)
}

func (c *client) mustRegister(cmd remoting.Command) {
	c.t.Helper()
	if got := c.call(cmd); got.Code != remoting.Success {
		c.t.Fatalf("register: %d %s", got.Code, got.Remark)
	}
}

// eventually polls a condition that is reached without the test's doing.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func (f *fixture) routed(topic string) bool {
	return f.dial().call(routeOf(topic)).Code == remoting.Success
}
