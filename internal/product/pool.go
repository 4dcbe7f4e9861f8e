package product

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

const (
	// idleTime is how long a connection is kept without a use. NameServers
	// close it after two minutes.
	idleTime = time.Minute
	// maxAnswer bounds the frame of an answer, in bytes.
	maxAnswer = 16 << 20
)

// pool keeps connections to the one NameServer that is asked, as long as that
// answers. Connections carry one request at a time.
type pool struct {
	dial dialFunc
	now  func() time.Time
	log  *slog.Logger

	mu     sync.Mutex
	chosen string  // the NameServer that is asked
	idle   []*conn // to the chosen one, the last used at the end
}

// order returns the addresses in the order in which to ask them: first the
// chosen one, and any if there is none, so that the many who ask spread.
func (p *pool) order(addrs []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := slices.Index(addrs, p.chosen)
	if first < 0 {
		first = rand.IntN(len(addrs))
		p.choose(addrs[first])
	}
	return slices.Concat(addrs[first:], addrs[:first])
}

// moveOn chooses the next of the addresses because this one has failed.
func (p *pool) moveOn(addrs []string, failed string, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chosen != failed {
		return // somebody else has moved on already
	}
	next := addrs[(slices.Index(addrs, failed)+1)%len(addrs)]
	p.choose(next)
	if next == failed {
		return // there is no other
	}
	p.log.Warn("product NameServer failed", "addr", failed, "next", next, "error", cause)
}

func (p *pool) choose(addr string) {
	p.chosen = addr
	p.closeIdle()
}

func (p *pool) closeIdle() {
	for _, c := range p.idle {
		c.Close()
	}
	p.idle = nil
}

// close is for when nobody asks any more.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeIdle()
}

// take returns an idle connection to addr, or nil.
func (p *pool) take(addr string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if addr != p.chosen || last < 0 {
		return nil
	}
	c := p.idle[last]
	if p.now().Sub(c.used) > idleTime {
		p.closeIdle() // the others were idle for even longer
		return nil
	}
	p.idle = p.idle[:last]
	return c
}

// put keeps a connection that is fit for another request.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.addr != p.chosen {
		c.Close()
		return
	}
	c.used = p.now()
	p.idle = append(p.idle, c)
}

// ask asks one NameServer for a route.
func (p *pool) ask(ctx context.Context, addr, topic string) (*core.Route, error) {
	var answer remoting.Command
	c := p.take(addr)
	if c != nil {
		if err := c.ask(ctx, topic, &answer); err != nil {
			c.Close()
			if ctx.Err() != nil {
				return nil, err
			}
			c = nil // closed by the other side while it was idle, most likely
		}
	}
	if c == nil {
		nc, err := p.dial(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		c = newConn(addr, nc)
		if err := c.ask(ctx, topic, &answer); err != nil {
			c.Close()
			return nil, err
		}
	}
	route, err := decode(topic, &answer)
	if err == nil || answer.Code == remoting.TopicNotExist {
		p.put(c)
	} else {
		c.Close()
	}
	return route, err
}

// decode says what an answer means. Java takes only these two codes for one,
// and asks nobody else at the others; here they are failures of the server
// like any.
func decode(topic string, answer *remoting.Command) (*core.Route, error) {
	switch answer.Code {
	case remoting.Success:
		route, err := wire.DecodeRoute(topic, answer.Body)
		if err != nil {
			return nil, err
		}
		if len(route.Rows) == 0 || len(route.Brokers) == 0 {
			return nil, noTopic(topic) // a client could do nothing with it
		}
		return route, nil
	case remoting.TopicNotExist:
		return nil, noTopic(topic)
	}
	return nil, fmt.Errorf("answered %v: %.200q", answer.Code, answer.Remark)
}

// conn is a connection to a NameServer.
type conn struct {
	net.Conn
	addr   string
	reader *remoting.Reader
	opaque int32
	used   time.Time
}

func newConn(addr string, c net.Conn) *conn {
	limit := func(remoting.Code) int { return maxAnswer }
	return &conn{Conn: c, addr: addr, reader: remoting.NewReader(c, limit)}
}

// ask sends a request for a route and reads the answer. After an error, which
// the end of ctx is too, the connection must be closed.
func (c *conn) ask(ctx context.Context, topic string, answer *remoting.Command) error {
	// Frees what waits for the peer as soon as ctx ends.
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	err := c.exchange(topic, answer)
	if !stop() {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	return err
}

func (c *conn) exchange(topic string, answer *remoting.Command) error {
	c.opaque++
	frame := remoting.AppendFrame(nil, &remoting.Command{
		Code:     remoting.GetRouteInfoByTopic,
		Language: "GO",
		Version:  remoting.ServerVersion,
		Opaque:   c.opaque,
		Encoding: remoting.EncodingJSON, // which all releases read
		ExtFields: remoting.Fields{
			{Key: "topic", Value: topic},
			{Key: "acceptStandardJsonOnly", Value: "true"},
		},
	})
	if _, err := c.Write(frame); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	if err := c.reader.Next(answer); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if !answer.IsResponse() || answer.Opaque != c.opaque {
		return fmt.Errorf("not an answer to request %d: code %d, opaque %d, flag %d",
			c.opaque, answer.Code, answer.Opaque, answer.Flag)
	}
	return nil
}
