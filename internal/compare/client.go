package compare

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"signpost/internal/remoting"
)

// client asks a NameServer, over a few connections that carry a request at a
// time each.
type client struct {
	server  Server
	most    int // requests at a time
	timeout time.Duration
	account *Account

	mu   sync.Mutex
	idle []*conn
}

func newClient(s Server, o Options) *client {
	return &client{server: s, most: max(1, o.Connections), timeout: o.Timeout, account: o.Account}
}

// conn is a connection.
type conn struct {
	net.Conn
	reader *remoting.Reader
	opaque int32
}

// ask sends a request and returns the answer, whatever its code.
func (c *client) ask(ctx context.Context, code remoting.Code, fields remoting.Fields) (remoting.Command, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no answer within %v", c.timeout))
	defer cancel()
	cn, err := c.take(ctx)
	if err != nil {
		return remoting.Command{}, inTime(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cn.SetDeadline(time.Unix(1, 0)) })
	answer, err := cn.exchange(code, c.account.sign(fields))
	if !stop() || err != nil {
		cn.Close()
		return remoting.Command{}, inTime(ctx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, cn)
	return answer, nil
}

// inTime is why something failed that the end of ctx may have ended.
func inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// take returns a connection that is not in use, or a new one.
func (c *client) take(ctx context.Context) (*conn, error) {
	c.mu.Lock()
	if last := len(c.idle) - 1; last >= 0 {
		cn := c.idle[last]
		c.idle = c.idle[:last]
		c.mu.Unlock()
		return cn, nil
	}
	c.mu.Unlock()
	nc, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: nc, reader: remoting.NewReader(nc, func(remoting.Code) int { return remoting.MaxFrame })}, nil
}

func (c *client) dial(ctx context.Context) (net.Conn, error) {
	if c.server.TLS == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", c.server.Addr)
	}
	return (&tls.Dialer{Config: c.server.TLS}).DialContext(ctx, "tcp", c.server.Addr)
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cn := range c.idle {
		cn.Close()
	}
	c.idle = nil
}

func (c *conn) exchange(code remoting.Code, fields remoting.Fields) (answer remoting.Command, err error) {
	c.opaque++
	// A client of 5.3.3: its routes are standard JSON, as far as the server can.
	request := remoting.Command{Code: code, Language: "GO", Version: remoting.V5_3_3, Opaque: c.opaque, ExtFields: fields}
	if _, err := c.Write(remoting.AppendFrame(nil, &request)); err != nil {
		return answer, fmt.Errorf("send a request: %w", err)
	}
	if err := c.reader.Next(&answer); err != nil {
		return answer, fmt.Errorf("read the answer: %w", err)
	}
	if !answer.IsResponse() || answer.Opaque != c.opaque {
		return answer, errors.New("what came is not the answer")
	}
	return answer, nil
}
