package product

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// network has servers by their address, and connects to them in memory, so
// that tests run in the time of a synctest bubble.
type network struct {
	t     *testing.T
	done  chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex
	at    map[string]func(net.Conn)
	dials map[string]int
	open  map[net.Conn]bool
	peak  int // most open at a time
}

func newNetwork(t *testing.T) *network {
	n := &network{t: t, done: make(chan struct{}), at: map[string]func(net.Conn){}, dials: map[string]int{}, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		close(n.done)
		n.wg.Wait()
		synctest.Wait() // an HTTP client closes in the background
		if len(n.open) > 0 {
			t.Errorf("%d connections were left open", len(n.open))
		}
	})
	return n
}

var errRefused = errors.New("connection refused")

// dial is for a Client; where no server is it fails.
func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials[addr]++
	serve := n.at[addr]
	if serve == nil {
		return nil, errRefused
	}
	near, far := net.Pipe()
	c := &watched{Conn: near, n: n, addr: addr}
	n.open[c] = true
	n.peak = max(n.peak, len(n.open))
	n.wg.Go(func() {
		defer far.Close()
		serve(far)
	})
	return c, nil
}

// watched is a connection that says when it is closed.
type watched struct {
	net.Conn
	n    *network
	addr string
}

func (c *watched) Close() error {
	c.n.mu.Lock()
	delete(c.n.open, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}

func (n *network) set(addr string, serve func(net.Conn)) {
	n.mu.Lock()
	n.at[addr] = serve
	n.mu.Unlock()
}

// connections returns how often addr was dialed.
func (n *network) connections(addr string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[addr]
}

// hang is a server that reads and says nothing.
func (n *network) hang(c net.Conn) {
	b := make([]byte, 1<<10)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// raw is a server that answers every request with these bytes and closes.
func raw(b []byte) func(net.Conn) {
	return func(c net.Conn) {
		var req remoting.Command
		if remoting.NewReader(c, nil).Next(&req) == nil {
			_, _ = c.Write(b)
		}
	}
}

// nameServer is a NameServer that has some topics.
type nameServer struct {
	mu       sync.Mutex
	routes   map[string]*core.Route
	form     wire.Form
	requests []remoting.Command
	code     remoting.Code                  // if not zero, of all answers
	hold     chan struct{}                  // if not nil, answers wait for it
	change   func(c *remoting.Command) bool // if not nil, spoils an answer; false closes
}

func newNameServer(routes ...*core.Route) *nameServer {
	s := &nameServer{routes: map[string]*core.Route{}, form: wire.Standard}
	s.add(routes...)
	return s
}

func (s *nameServer) add(routes ...*core.Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range routes {
		s.routes[r.Topic] = r
	}
}

func (s *nameServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func (s *nameServer) serve(c net.Conn) {
	r := remoting.NewReader(c, nil)
	for {
		var req remoting.Command
		if err := r.Next(&req); err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, req)
		hold := s.hold
		s.mu.Unlock()
		if hold != nil {
			<-hold
		}
		rep, ok := s.answer(&req)
		if !ok {
			return
		}
		if _, err := c.Write(remoting.AppendFrame(nil, &rep)); err != nil {
			return
		}
	}
}

func (s *nameServer) answer(req *remoting.Command) (rep remoting.Command, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	topic, _ := req.ExtFields.Get("topic")
	route := s.routes[topic]
	switch {
	case s.code != 0:
		rep = req.Reply(s.code)
		rep.Remark = "not today"
	case route == nil:
		rep = req.Reply(remoting.TopicNotExist)
	default:
		rep = req.Reply(remoting.Success)
		rep.Body = wire.AppendRoute(nil, route, s.form)
	}
	if s.change != nil {
		return rep, s.change(&rep)
	}
	return rep, true
}

// webServer serves HTTP on connections of a network.
type webServer struct {
	conns chan net.Conn
	done  chan struct{}
	http  http.Server
}

func (n *network) web(addr string, h http.Handler) {
	s := &webServer{conns: make(chan net.Conn), done: make(chan struct{}), http: http.Server{Handler: h}}
	n.wg.Go(func() { _ = s.http.Serve(s) })
	n.t.Cleanup(func() { _ = s.http.Close() })
	n.set(addr, func(c net.Conn) {
		closed := make(chan struct{})
		select {
		case s.conns <- &served{Conn: c, closed: closed}:
		case <-s.done:
			return
		}
		<-closed
	})
}

func (s *webServer) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}
func (s *webServer) Close() error   { close(s.done); return nil }
func (s *webServer) Addr() net.Addr { return &net.TCPAddr{} }

// served is a connection that the HTTP server closes.
type served struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *served) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func route(topic string) *core.Route {
	return &core.Route{
		Topic:   topic,
		Rows:    []core.Row{{Broker: "broker-a", Topic: core.Topic{Name: topic, Queues: core.Queues{Read: 8, Write: 4, Perm: 6}}}},
		Brokers: []core.RouteBroker{{Name: "broker-a", Cluster: "product", Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0.1:10911"}, {ID: 1, Addr: "10.0.0.2:10911"}}}},
	}
}

// text is a route as a client reads it.
func text(r *core.Route) string { return string(wire.AppendRoute(nil, r, wire.Standard)) }

// open returns a Client in the network that asks these NameServers, starting
// with the first.
func open(t *testing.T, n *network, addrs ...string) *Client {
	c := newClient(Options{Addrs: addrs}, n.dial)
	c.pool.chosen = addrs[0]
	t.Cleanup(c.Close)
	return c
}

func wantRoute(t *testing.T, c *Client, topic string) {
	t.Helper()
	r, err := c.Route(t.Context(), topic)
	if err != nil {
		t.Fatalf("Route(%q): %v", topic, err)
	}
	if got, want := text(r), text(route(topic)); got != want || r.Topic != topic {
		t.Fatalf("Route(%q) is %s of %q, want %s", topic, got, r.Topic, want)
	}
}

func wantNoTopic(t *testing.T, c *Client, topic string) {
	t.Helper()
	if r, err := c.Route(t.Context(), topic); !errors.Is(err, core.ErrNoTopic) {
		t.Fatalf("Route(%q) = %v, %v, want core.ErrNoTopic", topic, r, err)
	}
}

// wantFailure returns the error of a lookup for which nobody could be asked.
func wantFailure(t *testing.T, c *Client, topic string) error {
	t.Helper()
	r, err := c.Route(t.Context(), topic)
	if err == nil || errors.Is(err, core.ErrNoTopic) {
		t.Fatalf("Route(%q) = %v, %v, want a failure", topic, r, err)
	}
	return err
}
