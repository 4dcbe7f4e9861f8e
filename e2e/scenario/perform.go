package scenario

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"signpost/internal/remoting"
)

const (
	// answerWithin is how long an answer, a close or a wanted state may take.
	// A Java server under load has pauses of hundreds of milliseconds; what
	// takes longest is its eviction of a silent broker, scanned for each 5 s.
	answerWithin = 15 * time.Second
	// quiet is how long nothing must happen for "no answer", "stays open" and
	// "stays so".
	quiet = 300 * time.Millisecond
	// between is the pause between two tries of Await and Settle.
	between = 10 * time.Millisecond
)

// performer carries out steps.
type performer struct {
	addr  string
	conns map[string]*conn
	all   []*conn
	lists map[string]*listener
	// wanted judges the answers of Await steps.
	wanted func(step Step, answer []byte) bool
	// within is answerWithin, but for tests and for replays.
	within time.Duration
	// mute, if set, tells the steps for which it is enough to wait until it is
	// plain that nothing happens.
	mute func(step Step) bool
}

// perform carries out the steps against the server at addr and returns them
// with what came of each, in the same order. Frames that nobody waited for
// come last, as further Answer steps named "extra".
func perform(ctx context.Context, addr string, steps []Step, within time.Duration, wanted func(Step, []byte) bool) ([]Step, error) {
	p := &performer{addr: addr, within: within, wanted: wanted}
	return p.perform(ctx, steps)
}

func (p *performer) perform(ctx context.Context, steps []Step) ([]Step, error) {
	p.conns, p.lists = map[string]*conn{}, map[string]*listener{}
	defer p.close()
	done := make([]Step, 0, len(steps))
	listens := false
	for _, step := range steps {
		step.Outcome, step.Answer = Nothing, nil
		if err := p.step(ctx, &step); err != nil {
			return nil, fmt.Errorf("step %s: %w", step.Name, err)
		}
		step.Answer = apply(step.Masks, step.Answer)
		done = append(done, step)
		listens = listens || step.Kind == Silent
	}
	if listens {
		if err := sleep(ctx, quiet); err != nil {
			return nil, err
		}
	}
	return p.extras(done), nil
}

// extras attributes the frames that nobody waited for: to the Silent step
// that asked for them, or to none.
func (p *performer) extras(done []Step) []Step {
	for _, c := range p.all {
		for _, frame := range c.rest() {
			opaque, ok := opaqueOf(frame)
			found := false
			for i := range done {
				d := &done[i]
				if ok && d.Kind == Silent && d.Conn == c.name && d.Opaque == opaque && d.Answer == nil {
					d.Outcome, d.Answer, found = Answered, frame, true
					break
				}
			}
			if !found {
				done = append(done, Step{Name: "extra", Kind: Answer, Conn: c.name, Opaque: opaque, Outcome: Answered, Answer: frame})
			}
		}
	}
	return done
}

func (p *performer) step(ctx context.Context, s *Step) error {
	switch s.Kind {
	case Listen:
		l, err := listen(ctx, s.Addr)
		if err != nil {
			return err
		}
		p.lists[s.Conn] = l
		return nil
	case Receive:
		l := p.lists[s.Conn]
		if l == nil {
			return fmt.Errorf("no listener %q", s.Conn)
		}
		return s.take(l.receive(ctx, p.within))
	case Close:
		if c := p.conns[s.Conn]; c != nil {
			c.close()
			delete(p.conns, s.Conn)
		}
		return nil
	}
	c, err := p.dial(ctx, s.Conn)
	if err != nil {
		return err
	}
	switch s.Kind {
	case Await:
		return p.await(ctx, c, s)
	case Settle:
		return p.settle(ctx, c, s)
	}
	c.send(s.Send)
	switch s.Kind {
	case Ask, Answer:
		return s.take(c.answer(ctx, s.Opaque, p.within))
	case Cut:
		within := p.within
		if p.mute != nil && p.mute(*s) {
			within = quiet
		}
		out, err := c.closed(ctx, within)
		s.Outcome = out
		return err
	case Open:
		out, err := c.closed(ctx, quiet)
		s.Outcome = out
		return err
	case Silent:
		return p.silent(ctx, c, s)
	case Write:
		return nil
	}
	return fmt.Errorf("unknown kind %q", s.Kind)
}

// silent gives a server that is compared the time to answer what the recorded
// one did not, so that the next step sees what came of it.
func (p *performer) silent(ctx context.Context, c *conn, s *Step) error {
	var cmd remoting.Command
	if p.mute == nil || len(s.Send) < 4 || remoting.DecodeFrame(s.Send[4:], &cmd) != nil || cmd.IsOneway() {
		return nil
	}
	answer, out, err := c.answer(ctx, s.Opaque, quiet)
	if out == Answered {
		s.Answer, s.Outcome = answer, out
	}
	return err
}

// take fills in the outcome of a step.
func (s *Step) take(answer []byte, out Outcome, err error) error {
	s.Answer, s.Outcome = answer, out
	return err
}

func (p *performer) await(ctx context.Context, c *conn, s *Step) error {
	deadline := time.Now().Add(p.within)
	for {
		c.send(s.Send)
		answer, out, err := c.answer(ctx, s.Opaque, p.within)
		if err != nil || out != Answered || p.wanted(*s, apply(s.Masks, answer)) || time.Now().After(deadline) {
			return s.take(answer, out, err)
		}
		if err := sleep(ctx, between); err != nil {
			return err
		}
	}
}

func (p *performer) settle(ctx context.Context, c *conn, s *Step) error {
	deadline := time.Now().Add(p.within)
	var last []byte
	var since time.Time
	for {
		c.send(s.Send)
		answer, out, err := c.answer(ctx, s.Opaque, p.within)
		if err != nil || out != Answered {
			return s.take(answer, out, err)
		}
		now := time.Now()
		if !bytes.Equal(answer, last) {
			last, since = answer, now
		}
		if now.Sub(since) >= quiet || now.After(deadline) {
			return s.take(answer, out, nil)
		}
		if err := sleep(ctx, between); err != nil {
			return err
		}
	}
}

// dial returns the named connection, a new one if the server has closed it.
func (p *performer) dial(ctx context.Context, name string) (*conn, error) {
	if c := p.conns[name]; c != nil && !c.isClosed() {
		return c, nil
	}
	d := net.Dialer{Timeout: p.within}
	nc, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	c := newConn(name, nc)
	p.conns[name] = c
	p.all = append(p.all, c)
	return c, nil
}

func (p *performer) close() {
	for _, c := range p.all {
		c.close()
	}
	for _, l := range p.lists {
		l.close()
	}
}

// opaqueOf is the opaque of a frame, if that can be decoded.
func opaqueOf(frame []byte) (int32, bool) {
	var cmd remoting.Command
	if len(frame) < 4 || remoting.DecodeFrame(frame[4:], &cmd) != nil {
		return 0, false
	}
	return cmd.Opaque, true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
