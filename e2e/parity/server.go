package parity

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"signpost/internal/remoting"
	"signpost/internal/wire"
)

const (
	// patience bounds the wait for any answer. A Java process on a busy
	// machine can be slow; nothing waits for this to pass.
	patience = 20 * time.Second
	// pollEvery is the pause between two looks at a server that is not done yet.
	pollEvery = 2 * time.Millisecond
)

// Server is a NameServer with the connections that a sequence has to it. It is
// for one goroutine at a time.
type Server struct {
	addr    string
	version int32 // of those who ask
	conns   map[connKey]*client
	aside   *client // for everybody but brokers
	opaque  int32
}

// connKey is one connection of one broker process.
type connKey struct{ broker, addr, conn int }

// client is one connection.
type client struct {
	nc net.Conn
	r  *remoting.Reader
}

// NewServer returns the server at addr; those who ask say that they are of
// that version. Nothing is sent yet.
func NewServer(addr string, version int32) *Server {
	return &Server{addr: addr, version: version, conns: map[connKey]*client{}}
}

func (s *Server) dial() (*client, error) {
	nc, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{nc: nc, r: remoting.NewReader(nc, func(remoting.Code) int { return remoting.MaxFrame })}, nil
}

// conn returns how to reach that connection, which is opened at its first use.
func (s *Server) conn(k connKey) func() (*client, error) {
	return func() (*client, error) {
		if c := s.conns[k]; c != nil {
			return c, nil
		}
		c, err := s.dial()
		if err == nil {
			s.conns[k] = c
		}
		return c, err
	}
}

// hangUp closes that connection if it is open.
func (s *Server) hangUp(k connKey) {
	if c := s.conns[k]; c != nil {
		c.nc.Close()
		delete(s.conns, k)
	}
}

// Close closes all connections.
func (s *Server) Close() {
	for k := range s.conns {
		s.hangUp(k)
	}
	if s.aside != nil {
		s.aside.nc.Close()
		s.aside = nil
	}
}

func (s *Server) asideConn() (c *client, err error) {
	if s.aside == nil {
		s.aside, err = s.dial()
	}
	return s.aside, err
}

// ask sends one request through a connection and returns the facts of the answer.
func (s *Server) ask(ctx context.Context, conn func() (*client, error), n names, cmd remoting.Command) (Facts, error) {
	answers, err := s.roundTrip(ctx, conn, []remoting.Command{cmd})
	if err != nil {
		return nil, err
	}
	f := Facts{}
	return f, f.addAnswer("answer", n, cmd, answers[0])
}

// askAside is ask through the connection of those who are no broker.
func (s *Server) askAside(ctx context.Context, n names, cmd remoting.Command) (Facts, error) {
	if cmd.Version == 0 {
		cmd.Version = s.version
	}
	return s.ask(ctx, s.asideConn, n, cmd)
}

// roundTrip sends the requests at once and returns their answers in the
// requests' order, however they come.
func (s *Server) roundTrip(ctx context.Context, conn func() (*client, error), cmds []remoting.Command) ([]remoting.Command, error) {
	c, err := conn()
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := c.nc.SetDeadline(deadline); err != nil {
		return nil, err
	}
	at := map[int32]int{}
	var out []byte
	for i := range cmds {
		cmd := cmds[i]
		s.opaque++
		cmd.Opaque, cmd.Language = s.opaque, "JAVA"
		at[cmd.Opaque] = i
		out = remoting.AppendFrame(out, &cmd)
	}
	if _, err := c.nc.Write(out); err != nil {
		return nil, fmt.Errorf("send %s: %w", cmds[0].Code, err)
	}
	answers := make([]remoting.Command, len(cmds))
	for range cmds {
		var got remoting.Command
		if err := c.r.Next(&got); err != nil {
			return nil, fmt.Errorf("answer to %s: %w", cmds[0].Code, err)
		}
		i, ok := at[got.Opaque]
		if !ok || !got.IsResponse() {
			return nil, fmt.Errorf("an answer that nobody waits for: code %d, opaque %d", got.Code, got.Opaque)
		}
		delete(at, got.Opaque)
		answers[i] = got
	}
	return answers, nil
}

// awaitReady waits until those that stand for one with others elsewhere know
// what those know.
func (p Pair) awaitReady(ctx context.Context, n names) error {
	for _, s := range p.all() {
		err := poll(ctx, 3*patience, func() (bool, error) {
			f, err := s.askAside(ctx, n, remoting.Command{Code: remoting.GetRouteInfoByTopic, ExtFields: fields("topic", n.topic(0))})
			return f["answer: code"] == strconv.Itoa(int(remoting.TopicNotExist)), err
		})
		if err != nil {
			return fmt.Errorf("%s is ready: %w", s.addr, err)
		}
	}
	return nil
}

// lists says whether the cluster list shows that broker with that address; an
// empty address is any. Java makes the list without its lock and fails when
// the tables change meanwhile: then the broker may be listed.
func (s *Server) lists(ctx context.Context, broker, addr string) (bool, error) {
	answers, err := s.roundTrip(ctx, s.asideConn, []remoting.Command{{Code: remoting.GetBrokerClusterInfo, Version: s.version}})
	if err != nil {
		return false, err
	}
	if answers[0].Code != remoting.Success {
		return true, nil
	}
	groups, _, err := wire.DecodeClusterInfo(answers[0].Body)
	if err != nil {
		return false, err
	}
	for _, g := range groups {
		if g.Name != broker {
			continue
		}
		if addr == "" {
			return true, nil
		}
		for _, r := range g.Replicas {
			if r.Addr == addr {
				return true, nil
			}
		}
	}
	return false, nil
}

// awaitGone waits until the cluster list shows that broker with that address
// no more.
func (s *Server) awaitGone(ctx context.Context, broker, addr string) error {
	return poll(ctx, patience, func() (bool, error) {
		listed, err := s.lists(ctx, broker, addr)
		return !listed, err
	})
}

// drain returns when what the server has put off is done. Java takes the end
// of connections, and 5.x all departures, from queues in their order: the end
// of one more broker's connection comes after everything before it.
func (s *Server) drain(ctx context.Context, n names) error {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer c.nc.Close()
	last := n.token + "last"
	_, err = s.roundTrip(ctx, func() (*client, error) { return c, nil }, []remoting.Command{{
		Code: remoting.RegisterBroker, Version: wire.JSON4.Version(),
		ExtFields: fields("brokerName", last, "brokerAddr", strings.TrimSuffix(n.net, ".")+".250:10911", "clusterName", last,
			"haServerAddr", "", "brokerId", "0", "compressed", "false"),
	}})
	if err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	c.nc.Close()
	if err := s.awaitGone(ctx, last, ""); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// poll calls done until it says so, for at most that time.
func poll(ctx context.Context, within time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not done within %v", within))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
