package load

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Client sends one request at a time over one connection and waits for each
// answer. It takes requests and answers of any size.
type Client struct {
	conn   net.Conn
	opaque int32
	in     []byte
}

// DialClient connects to addr within timeout.
func DialClient(addr netip.AddrPort, timeout time.Duration) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr.String(), timeout)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &Client{conn: conn, opaque: minOpaque, in: make([]byte, 0, 64<<10)}, nil
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Do sends r and returns its answer, which is valid until the next Do, and the
// time from the first byte written to the last byte read. Any error leaves the
// connection unusable.
func (c *Client) Do(r *Request, timeout time.Duration) (Answer, time.Duration, error) {
	c.opaque++
	frame := r.Append(nil, c.opaque)
	c.in = c.in[:0]
	start := time.Now()
	if err := c.conn.SetDeadline(start.Add(timeout)); err != nil {
		return Answer{}, 0, fmt.Errorf("set deadline: %w", err)
	}
	if _, err := c.conn.Write(frame); err != nil {
		return Answer{}, 0, fmt.Errorf("write: %w", err)
	}
	for {
		if len(c.in) == cap(c.in) {
			c.in = append(c.in, make([]byte, len(c.in))...)[:len(c.in)]
		}
		n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
		if err != nil {
			return Answer{}, 0, fmt.Errorf("read: %w", err)
		}
		c.in = c.in[:len(c.in)+n]
		a, size, err := ParseAnswer(c.in)
		if err != nil {
			return Answer{}, 0, err
		}
		if size == 0 {
			continue
		}
		took := time.Since(start)
		if size != len(c.in) || a.Opaque != c.opaque {
			return Answer{}, 0, fmt.Errorf("an answer to no request: opaque %d of %d bytes, %d came", a.Opaque, size, len(c.in))
		}
		return a, took, nil
	}
}
