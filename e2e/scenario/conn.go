package scenario

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// maxAnswer bounds one frame from the server, in bytes.
const maxAnswer = 64 << 20

// conn is a connection whose frames are collected as they come, so that they
// can be waited for in any order.
type conn struct {
	name string
	nc   net.Conn

	mu      sync.Mutex
	frames  [][]byte
	ended   bool          // nothing more will come
	changed chan struct{} // closed and replaced when frames or ended change
	done    chan struct{} // closed when the reading goroutine is gone
}

func newConn(name string, nc net.Conn) *conn {
	c := &conn{name: name, nc: nc, changed: make(chan struct{}), done: make(chan struct{})}
	go c.read()
	return c
}

func (c *conn) read() {
	defer close(c.done)
	for {
		frame, err := readFrame(c.nc)
		c.mu.Lock()
		if err != nil {
			c.ended = true
		} else {
			c.frames = append(c.frames, frame)
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// readFrame reads one whole frame, its length included.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n < 4 || n > maxAnswer {
		return nil, fmt.Errorf("frame of length %d", n)
	}
	frame := make([]byte, 4+n)
	copy(frame, head[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// send writes b. That the server has closed the connection shows in what is
// read, so an error here is of no interest.
func (c *conn) send(b []byte) {
	_ = c.nc.SetWriteDeadline(time.Now().Add(answerWithin))
	_, _ = c.nc.Write(b)
}

// wait returns when look, called with the lock held, says so, or after d.
func (c *conn) wait(ctx context.Context, d time.Duration, look func() bool) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		c.mu.Lock()
		ok, changed := look(), c.changed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-t.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// answer takes the first frame with that opaque.
func (c *conn) answer(ctx context.Context, opaque int32, within time.Duration) (answer []byte, out Outcome, err error) {
	out = Nothing
	err = c.wait(ctx, within, func() bool {
		for i, f := range c.frames {
			if o, ok := opaqueOf(f); ok && o == opaque {
				answer, out = f, Answered
				c.frames = slices.Delete(c.frames, i, i+1)
				return true
			}
		}
		if c.ended {
			out = Closed
		}
		return c.ended
	})
	return answer, out, err
}

// closed waits for the end of the connection.
func (c *conn) closed(ctx context.Context, within time.Duration) (Outcome, error) {
	out := Nothing
	err := c.wait(ctx, within, func() bool {
		if c.ended {
			out = Closed
		}
		return c.ended
	})
	return out, err
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// rest takes the frames that nobody has waited for.
func (c *conn) rest() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.frames
	c.frames = nil
	return r
}

func (c *conn) close() {
	c.nc.Close()
	<-c.done
}

// listener takes connections at the address of a would-be broker.
type listener struct {
	l      net.Listener
	frames chan []byte
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
	over   bool
}

// listen binds addr; it waits while a test in another process has it.
func listen(ctx context.Context, addr string) (*listener, error) {
	deadline := time.Now().Add(4 * answerWithin)
	for {
		var lc net.ListenConfig
		nl, err := lc.Listen(ctx, "tcp", addr)
		if err == nil {
			l := &listener{l: nl, frames: make(chan []byte, 64)}
			l.wg.Go(l.accept)
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return nil, err
		}
		if err := sleep(ctx, between); err != nil {
			return nil, err
		}
	}
}

func (l *listener) accept() {
	for {
		nc, err := l.l.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		if l.over {
			nc.Close()
		} else {
			l.conns = append(l.conns, nc)
			l.wg.Go(func() { l.read(nc) })
		}
		l.mu.Unlock()
	}
}

func (l *listener) read(nc net.Conn) {
	for {
		frame, err := readFrame(nc)
		if err != nil {
			return
		}
		select {
		case l.frames <- frame:
		default: // more than any scenario expects
			return
		}
	}
}

func (l *listener) receive(ctx context.Context, within time.Duration) ([]byte, Outcome, error) {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case f := <-l.frames:
		return f, Answered, nil
	case <-t.C:
		return nil, Nothing, nil
	case <-ctx.Done():
		return nil, Nothing, context.Cause(ctx)
	}
}

func (l *listener) close() {
	l.l.Close()
	l.mu.Lock()
	l.over = true
	for _, nc := range l.conns {
		nc.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}
