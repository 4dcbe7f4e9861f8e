package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// patience bounds every wait; none of these tests waits for it to end.
const patience = 10 * time.Second

// observer counts nothing, but says when connections are gone.
type observer struct{ closed chan struct{} }

func (observer) Requests(remoting.Code, remoting.Code, int, time.Duration) {}
func (observer) ConnectionOpened()                                         {}
func (o observer) ConnectionClosed()                                       { o.closed <- struct{}{} }
func (observer) Refused(string)                                            {}

type noConfig struct{}

func (noConfig) List() string        { return "" }
func (noConfig) Update([]byte) error { return nameserver.ErrNotPermitted }

// tcpFront is the other front over the same registry.
type tcpFront struct {
	a      *api
	addr   string
	closed chan struct{} // one for each connection that the server has let go
}

func (a *api) tcpFront() *tcpFront {
	f := &tcpFront{a: a, closed: make(chan struct{}, 10)}
	server := nameserver.New(nameserver.Options{
		Registry: a.registry, Config: noConfig{}, Observer: observer{f.closed}, Local: true,
		Limits: nameserver.Limits{
			Frame: 1 << 20, Registration: 1 << 20, Inflated: 1 << 20, Topics: 100, Connections: 10, InFlight: 8, Idle: time.Minute,
			Read: patience, Write: patience, Handler: patience, NotifyTimeout: time.Second, BrokerTimeout: core.DefaultTimeout,
		},
		Switches: func() *nameserver.Switches { return &nameserver.Switches{} },
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now:      a.now,
		Secure:   func(c net.Conn) (net.Conn, error) { return c, nil },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	f.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	a.t.Cleanup(func() {
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		server.Shutdown(ctx, 0)
		if err := <-served; err != nil {
			a.t.Errorf("Serve: %v", err)
		}
	})
	return f
}

// register registers a broker of cluster c1 over a connection of its own.
func (f *tcpFront) register(name, addr string, topics ...string) (hangUp func()) {
	t := f.a.t
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	cmd := remoting.Command{Code: remoting.RegisterBroker, Version: remoting.V5_3_3, Language: "JAVA", Opaque: 1}
	for _, f := range [][2]string{
		{"brokerName", name}, {"brokerAddr", addr}, {"clusterName", "c1"}, {"haServerAddr", ""}, {"brokerId", strconv.Itoa(0)},
	} {
		cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: f[0], Value: f[1]})
	}
	var content core.Content
	for _, topic := range append(topics, name+"-own") {
		content.Topics = append(content.Topics, core.Topic{Name: topic, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	cmd.Body = wire.AppendRegistration(nil, content, wire.JSON5)
	if _, err := c.Write(remoting.AppendFrame(nil, &cmd)); err != nil {
		t.Fatal(err)
	}
	var reply remoting.Command
	if err := remoting.NewReader(c, nil).Next(&reply); err != nil || reply.Code != remoting.Success {
		t.Fatalf("registration over TCP: %v, %v %s", err, reply.Code, reply.Remark)
	}
	return func() {
		t.Helper()
		c.Close()
		select {
		case <-f.closed:
		case <-time.After(patience):
			t.Fatal("the server does not let the connection go")
		}
	}
}

// A broker that only heartbeats over HTTPS and one on TCP stand side by side.
func TestBrokersOfBothFrontsStandSideBySide(t *testing.T) {
	a := newAPI(t)
	tcp := a.tcpFront()
	hangUp := tcp.register("tcp", "10.0.8.8:10911", "orders")
	a.register(broker("web", 0, "orders")).is(200)
	const both = "tcp/0=10.0.8.8:10911 web/0=10.0.3.1:10911"
	if got := a.addrs("orders"); got != both {
		t.Fatalf("orders is at %q", got)
	}
	a.step(core.DefaultTimeout)
	if got := a.beat(beatOf(broker("web", 0))); got != "ok" {
		t.Errorf("the broker on HTTPS is answered %q", got)
	}
	if got := a.addrs("orders"); got != both {
		t.Errorf("orders is at %q", got)
	}
	a.step(time.Second) // the broker on TCP did not beat
	if got := a.addrs("orders"); got != "web/0=10.0.3.1:10911" {
		t.Errorf("orders is at %q", got)
	}
	hangUp2 := tcp.register("tcp", "10.0.8.8:10911", "orders")
	if got := a.addrs("orders"); got != both {
		t.Errorf("orders is at %q", got)
	}
	hangUp() // an older connection's end takes nothing that is not its own
	if got := a.addrs("orders"); got != both {
		t.Errorf("orders is at %q", got)
	}
	hangUp2()
	if got := a.addrs("orders"); got != "web/0=10.0.3.1:10911" {
		t.Errorf("orders is at %q", got)
	}
}

// A broker that uses both fronts at once, as while it is moved from one to the
// other, is kept by either: the end of its connection takes the lease of that
// front only.
func TestOneBrokerOnBothFronts(t *testing.T) {
	a := newAPI(t)
	tcp := a.tcpFront()
	web := broker("web", 0, "orders")
	hangUp := tcp.register("web", "10.0.3.1:10911", "orders")
	a.step(time.Second)
	a.register(web).is(200)
	a.step(time.Second)
	hangUp()
	if got := a.addrs("orders"); got != "web/0=10.0.3.1:10911" {
		t.Errorf("orders is at %q", got)
	}
	a.step(time.Second)
	if got := a.beat(beatOf(web)); got != "ok" {
		t.Errorf("answered %q", got)
	}
	hangUp = tcp.register("web", "10.0.3.1:10911", "orders")
	a.step(core.DefaultTimeout)
	if got := a.beat(beatOf(web)); got != "ok" {
		t.Errorf("answered %q", got)
	}
	hangUp()
	if got := a.addrs("orders"); got != "web/0=10.0.3.1:10911" {
		t.Errorf("orders is at %q", got)
	}
}
