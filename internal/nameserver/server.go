// Package nameserver is the TCP front: RocketMQ's remoting protocol over a
// route registry. It owns the connections, knows which brokers registered
// through each of them, and says so when one closes.
//
// Each request code has a file of its own, named by its number.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"signpost/internal/quiet"
	"signpost/internal/remoting"
)

// Limits bound what peers can make the server hold or wait for. Zero values
// are not meaningful.
type Limits struct {
	Frame         int           // bytes of any frame but a registration's
	Registration  int           // bytes of a registration's frame
	Inflated      int           // bytes of a registration's body, inflated
	Topics        int           // topics in one registration
	Connections   int           // at a time
	InFlight      int           // requests of one connection being worked on
	Idle          time.Duration // a connection without traffic is closed
	Read          time.Duration // from a frame's first byte to its last
	Write         time.Duration // for a peer to take an answer
	Handler       time.Duration // for one request to be answered
	BrokerTimeout time.Duration // a broker's lease unless it names its own timeout
	NotifyTimeout time.Duration // for one broker to take a notification
}

// Switches are the operator's choices that may change while the server runs.
type Switches struct {
	TopicList       bool // enableTopicList: codes 224, 311, 312, 313
	AllTopicList    bool // enableAllTopicList: code 206
	OrderToBroker   bool // returnOrderTopicConfigToBroker
	NotifyMinBroker bool // notifyMinBrokerIdChanged
	GoAway          bool // enableShutdownGracefully: newer clients are told to go while the server drains

	ServiceFrom time.Time // needWaitForService: 105 is not answered before; zero is at once
}

// Options are what a Server works with.
type Options struct {
	Registry Registry
	Config   Configuration
	// Switches are read for each request; nobody modifies what it returns.
	Switches func() *Switches
	Limits   Limits
	// Front names the direct leases of the brokers that register here, among
	// those of other servers over the same store; "tcp" if it is empty.
	Front    string
	Log      *slog.Logger
	Observer Observer
	Now      func() time.Time

	// Secure decides what kind of connection has been accepted, and returns
	// it ready for frames: TLS or plain, any PROXY header taken off. It has
	// deadlines of its own; closing the connection ends it.
	Secure func(c net.Conn) (net.Conn, error)
	// Local says that the registry answers reads without waiting for
	// anything, so that they are worked on in the connection's own loop.
	Local bool
	// Known, where the registry is not Local, is what it knows without waiting:
	// that is answered in the connection's own loop.
	Known Known
	// Authorize, if set, is asked about each request before anything else is
	// done with it, in the connection's loop: it must not wait. What it returns
	// is answered instead, as any error; one with a Code is meant for the peer.
	// from is the peer's address, without a zone, as the socket knows it.
	Authorize func(cmd *remoting.Command, from netip.Addr) error
	// Advertise, if set, returns how brokers' addresses are shown to a peer; nil
	// is as they are. It must not wait. peer is where the peer is according to a
	// proxy, if one told, or to its socket.
	Advertise func(peer netip.Addr) Addresses
	// Product, if set, is asked for routes not found here (clusterTest).
	Product ProductRoutes
}

// Configuration is behind request codes 318 and 319.
type Configuration interface {
	// List returns the k=v lines.
	List() string
	// Update applies a properties text. ErrNotPermitted is answered with code
	// 16, other errors with 1; the text goes to the peer.
	Update(body []byte) error
}

// ErrNotPermitted says that Configuration.Update may not change something.
var ErrNotPermitted = errors.New("not permitted")

// Observer counts what happens, for metrics. Its methods are called on hot
// paths and must not block.
type Observer interface {
	// Requests tells that n requests of a code were answered with a result,
	// each within that time of its arrival.
	Requests(code, result remoting.Code, n int, took time.Duration)
	ConnectionOpened()
	ConnectionClosed()
	Refused(reason string)
}

// Server is the TCP front of one NameServer.
type Server struct {
	o        Options
	handlers handlers
	owners   owners
	notifier *notifier
	gate     gate
	refused  quiet.Lines[uint64] // registrations, by a hash of whose they are

	base     context.Context
	cancel   context.CancelFunc
	draining atomic.Bool

	mu    sync.Mutex
	conns map[*conn]struct{}
	wg    sync.WaitGroup // connections
}

// New returns a Server; it does no I/O.
func New(o Options) *Server {
	if o.Front == "" {
		o.Front = "tcp"
	}
	s := &Server{o: o, conns: map[*conn]struct{}{}}
	s.base, s.cancel = context.WithCancel(context.Background())
	s.handlers = newHandlers(s.handlerTable())
	s.owners.by = map[brokerKey]*conn{}
	s.notifier = newNotifier(s)
	if o.Local || o.Known != nil {
		s.gate = newGate()
	}
	return s
}

// Serve accepts connections until the listener is closed by Shutdown, or
// fails. It is called once.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if !s.draining.Load() {
		s.notifier.start()
	}
	s.mu.Unlock()
	var backoff time.Duration
	for {
		c, err := l.Accept()
		if err != nil {
			if s.draining.Load() || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if !temporary(err) {
				return fmt.Errorf("accept: %w", err)
			}
			// Out of file descriptors, most likely: do not spin.
			backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
			s.o.Observer.Refused("accept")
			select {
			case <-time.After(backoff):
			case <-s.base.Done():
				return nil
			}
			continue
		}
		backoff = 0
		s.start(c)
	}
}

func temporary(err error) bool {
	var ne net.Error
	//lint:ignore SA1019 nothing else tells running out of descriptors from a broken listener
	return errors.As(err, &ne) && ne.Temporary()
}

func (s *Server) start(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.draining.Load() || len(s.conns) >= s.o.Limits.Connections {
		s.mu.Unlock()
		s.o.Observer.Refused("connections")
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	s.o.Observer.ConnectionOpened()
	go func() {
		defer s.wg.Done()
		defer func() {
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			s.o.Observer.ConnectionClosed()
		}()
		c.run()
	}()
}

// Draining says whether Shutdown has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Shutdown stops the server. The caller has closed the listener, or does so
// now. For goAway, connected clients that understand it are told to go while
// everything is still answered; then requests in flight are finished until
// ctx ends, and the connections are closed. What brokers registered stays
// registered: they did not leave.
func (s *Server) Shutdown(ctx context.Context, goAway time.Duration) {
	s.draining.Store(true)
	if goAway > 0 {
		select {
		case <-time.After(goAway):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	for c := range s.conns {
		c.stopReading()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		s.mu.Lock()
		for c := range s.conns {
			c.nc.Close()
		}
		s.mu.Unlock()
		s.cancel()
		<-done
	}
	s.cancel()
	s.notifier.close()
}

// recovered turns a panic of a handler into an error: one request fails, the
// server does not.
func (s *Server) recovered(code remoting.Code, err *error) {
	if p := recover(); p != nil {
		stack := make([]byte, 16<<10)
		stack = stack[:runtime.Stack(stack, false)]
		s.o.Log.Error("request handler panicked", "code", code.String(), "panic", p, "stack", string(stack))
		*err = errors.New("internal error")
	}
}
