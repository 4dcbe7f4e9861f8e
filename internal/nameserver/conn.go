package nameserver

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
)

const (
	// flushAt bounds the answers that are gathered before they are written, in
	// bytes, and batch in number.
	flushAt = 64 << 10
	batch   = 64
	// keepOut is the largest answer buffer that is kept for the next use.
	keepOut = 128 << 10
)

var outPool = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// conn is one connection. Its loop reads frames, works on what is quick and
// hands the rest to goroutines, so answers may come in any order.
type conn struct {
	s    *Server
	nc   net.Conn
	tcp  net.Conn // nc as it was accepted
	peer string
	from netip.Addr // the peer's, as the socket knows it; zero if it has none

	network netip.Addr // the peer's, as far as addresses are shown by it; set before the loop

	slots chan struct{} // requests in flight beside the loop
	wg    sync.WaitGroup

	brokers map[brokerKey]struct{} // owned; guarded by owners.mu
	gone    bool                   // it owns nothing any more; guarded by owners.mu

	mu      sync.Mutex // guards what follows, and writes
	out     *[]byte    // answers gathered and not written yet
	readBy  time.Time  // the deadlines that are set
	writeBy time.Time
	broken  bool
	stopped bool
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, tcp: nc, peer: nc.RemoteAddr().String(), slots: make(chan struct{}, s.o.Limits.InFlight)}
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.from = tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return c
}

// run serves the connection until it ends, and then drops what it registered.
func (c *conn) run() {
	defer c.nc.Close()
	nc, err := c.secure()
	if err != nil {
		c.logEnd(err)
		return
	}
	err = c.loop(nc)
	closed := c.s.o.Now()
	c.wg.Wait()
	c.flush()
	c.logEnd(err)
	nc.Close()
	if !c.s.draining.Load() {
		c.s.dropAll(c, closed)
	}
}

func (c *conn) secure() (net.Conn, error) {
	nc, err := c.s.o.Secure(c.nc)
	if err != nil {
		return nil, err
	}
	c.network = networkOf(nc, c.from)
	c.mu.Lock()
	c.nc = nc
	c.mu.Unlock()
	return nc, nil
}

func (c *conn) limit(code remoting.Code) int {
	if code == remoting.RegisterBroker {
		return c.s.o.Limits.Registration
	}
	return c.s.o.Limits.Frame
}

func (c *conn) loop(nc net.Conn) error {
	r := remoting.NewReader(nc, c.limit)
	r.Passing = c.s.handlers.passing
	req := request{conn: c, arrived: c.s.o.Now()}
	var seen tally
	for n := 1; ; n++ {
		// What came in one piece arrived at one time, and is answered in one:
		// the clock is read, the latency counted and the socket written once.
		if ready := r.Ready(); !ready || n%batch == 0 {
			seen.report(c.s, req.arrived)
			if err := c.flush(); err != nil {
				return err
			}
			if !ready {
				clear(req.cmd.ExtFields) // for their memory is the reader's
				if err := c.wait(nc, r); err != nil {
					return err
				}
			}
			req.arrived = c.s.o.Now()
		}
		if err := r.Next(&req.cmd); err != nil {
			return err
		}
		if req.cmd.IsResponse() {
			continue // nobody here waits for one
		}
		if err := c.dispatch(&req, &seen); err != nil {
			return err
		}
		// An idle connection holds nothing.
		req.cmd.Body, req.registration, req.was = nil, core.Registration{}, nil
	}
}

// wait blocks until a frame begins, for as long as a connection may idle; the
// frame then has to be whole within the read timeout.
func (c *conn) wait(nc net.Conn, r *remoting.Reader) error {
	if r.Buffered() == 0 {
		if err := c.allowRead(nc, c.s.o.Limits.Idle); err != nil {
			return err
		}
		if err := r.Wait(); err != nil {
			return err
		}
		if r.Ready() {
			return nil
		}
	}
	return c.allowRead(nc, c.s.o.Limits.Read)
}

// allowRead gives reads so long from now. It does not undo stopReading.
func (c *conn) allowRead(nc net.Conn, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return net.ErrClosed
	}
	return allow(&c.readBy, d, nc.SetReadDeadline)
}

// allow moves a deadline to d from now, unless it is there but for a hundredth
// of d: busy connections would move it thousands of times a second.
func allow(deadline *time.Time, d time.Duration, set func(time.Time) error) error {
	at := time.Now().Add(d)
	if late := at.Sub(*deadline); 0 <= late && late <= d/100 {
		return nil
	}
	*deadline = at
	return set(at)
}

// stopReading ends the loop; what is in flight is still answered.
func (c *conn) stopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

func (c *conn) dispatch(req *request, seen *tally) error {
	if c.s.o.Authorize != nil {
		if err := c.s.authorize(req); err != nil {
			rep := c.s.failure(req, err)
			seen.add(c.s, req, rep.code)
			remoting.Reuse(req.cmd.Body)
			return c.answer(req, rep)
		}
	}
	h := c.s.handlers.get(req.cmd.Code)
	if h == nil || h.inline {
		var rep reply
		if h != nil {
			rep = c.s.handle(h, req)
		} else {
			rep = unsupported(req.cmd.Code)
		}
		seen.add(c.s, req, rep.code)
		return c.answer(req, rep)
	}
	if h.quick != nil {
		if rep, ok := c.s.quickly(h, req); ok && !c.s.draining.Load() {
			seen.add(c.s, req, rep.code)
			remoting.Reuse(req.cmd.Body)
			return c.answer(req, rep)
		}
	}
	select {
	case c.slots <- struct{}{}:
	default:
		// No slot: the peer waits, as its unread frames do. Before, it gets
		// the answers that are ready.
		if err := c.flush(); err != nil {
			return err
		}
		c.slots <- struct{}{}
	}
	own := *req
	if own.cmd.ExtFields = slices.Clone(req.cmd.ExtFields); h.passing {
		own.cmd.Keep()
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		defer func() { <-c.slots }()
		rep := c.s.handle(h, &own)
		c.s.o.Observer.Requests(own.cmd.Code, rep.code, 1, c.s.o.Now().Sub(own.arrived))
		if c.answer(&own, rep) == nil {
			c.flush()
		}
	}()
	return nil
}

// answer gathers a reply. Oneway requests get none, whatever happened.
func (c *conn) answer(req *request, rep reply) error {
	if req.cmd.IsOneway() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = outPool.Get().(*[]byte)
	}
	*c.out = remoting.AppendReply(*c.out, req.cmd.Encoding, rep.code, req.cmd.Opaque, rep.remark, rep.ext, rep.body)
	if len(*c.out) >= flushAt {
		return c.flushLocked()
	}
	return nil
}

func (c *conn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flushLocked()
}

// tally counts the requests of one batch.
type tally struct {
	code, result remoting.Code
	n            int
}

// add counts a request. One kind at a time is enough: clients ask for routes.
func (t *tally) add(s *Server, req *request, result remoting.Code) {
	if t.n > 0 && (t.code != req.cmd.Code || t.result != result) {
		t.report(s, req.arrived)
	}
	t.code, t.result = req.cmd.Code, result
	t.n++
}

func (t *tally) report(s *Server, arrived time.Time) {
	if t.n > 0 {
		s.o.Observer.Requests(t.code, t.result, t.n, s.o.Now().Sub(arrived))
		t.n = 0
	}
}

// flushLocked writes the gathered answers. A peer that does not take them in
// time loses the connection.
func (c *conn) flushLocked() error {
	if c.out == nil {
		return nil
	}
	out := c.out
	c.out = nil
	if c.broken {
		return net.ErrClosed
	}
	_ = allow(&c.writeBy, c.s.o.Limits.Write, c.nc.SetWriteDeadline) // Write fails if this did
	_, err := c.nc.Write(*out)
	if cap(*out) <= keepOut {
		*out = (*out)[:0]
		outPool.Put(out)
	}
	if err != nil {
		c.broken = true
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.s.o.Observer.Refused("slow reader")
		}
		c.nc.Close()
		return err
	}
	return nil
}

// logEnd says why a connection ended, if that was anybody's fault.
func (c *conn) logEnd(err error) {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), c.s.draining.Load():
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.s.o.Observer.Refused("idle or slow")
		c.s.o.Log.Info("connection closed: nothing came in time", "peer", c.peer)
	default:
		reason := "broken connection"
		if isProtocolError(err) {
			reason = "broken frame"
		}
		c.s.o.Observer.Refused(reason)
		c.s.o.Log.Warn("connection closed", "peer", c.peer, "reason", reason, "error", err)
	}
}

func isProtocolError(err error) bool {
	for _, e := range []error{remoting.ErrBadLength, remoting.ErrFrameTooLong, remoting.ErrHeaderTooLong, remoting.ErrBadEncoding,
		remoting.ErrBadHeader, remoting.ErrForeignProtocol, remoting.ErrBadProxyHeader} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
