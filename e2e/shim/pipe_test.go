package shim_test

import (
	"context"
	"net"
	"sync"
)

// port is a listener without a network.
type port struct {
	name  string
	calls chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPort(name string) *port {
	return &port{name: name, calls: make(chan net.Conn), done: make(chan struct{})}
}

func (p *port) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *port) Addr() net.Addr { return addr(p.name) }

// dial connects to the port, unless it is closed.
func (p *port) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.calls <- end{there}:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end is the server's end of a connection. Its peer has an address.
type end struct{ net.Conn }

func (end) RemoteAddr() net.Addr { return addr("10.9.9.9:40000") }

type addr string

func (addr) Network() string  { return "pipe" }
func (a addr) String() string { return string(a) }
