package discovery

import (
	"net"
	"sync"
	"sync/atomic"
)

// bounded is a listener with so many connections at most. One more is closed at
// once, so that those before it are answered within the client's 3 s.
type bounded struct {
	net.Listener
	most int64
	open atomic.Int64
}

func newBounded(l net.Listener, most int64) *bounded { return &bounded{Listener: l, most: most} }

// Accept returns the next connection that there is room for.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if b.open.Add(1) <= b.most {
			return &counted{Conn: c, done: sync.OnceFunc(func() { b.open.Add(-1) })}, nil
		}
		b.open.Add(-1)
		c.Close()
	}
}

type counted struct {
	net.Conn
	done func()
}

// Close closes the connection and makes room for another.
func (c *counted) Close() error {
	defer c.done()
	return c.Conn.Close()
}
