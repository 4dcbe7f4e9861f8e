//go:build linux

package load

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

const (
	// MaxInFlight is the most requests of one connection under way at once:
	// the low bits of an opaque name the slot, the others count.
	MaxInFlight = 256
	// laps is after how many requests a slot's opaques repeat.
	laps = 4_000_000
	// inputSize is the room for what one read may bring. It bounds the
	// answers, too.
	inputSize = 1 << 20
)

// Conn is one connection of a Loop.
type Conn struct {
	fd      int
	index   int
	slots   []slot
	free    []uint8 // slots without a request under way
	out     []byte  // to be written; out[:sent] is
	sent    int
	blocked bool   // the socket takes no more for now
	partial []byte // the beginning of an answer
	work    *working
	place   int // index among the connections of work
}

// slot is one of the requests that a connection has under way.
type slot struct {
	opaque int32 // 0 while it is free
	lap    int32
	token  int
	start  time.Time
}

// read takes what has arrived on c.
func (l *Loop) read(c *Conn) error {
	have := copy(l.input, c.partial)
	c.partial = c.partial[:0]
	if have == len(l.input) {
		return fmt.Errorf("an answer is longer than %d bytes", len(l.input))
	}
	n, errno := read(c.fd, l.input[have:])
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		n = 0
	case errno != 0:
		return fmt.Errorf("read: %w", errno)
	case n == 0:
		return errors.New("the server closed the connection")
	}
	b := l.input[:have+n]
	now := time.Now()
	for {
		a, n, err := ParseAnswer(b)
		if err != nil {
			return err
		}
		if n == 0 {
			c.partial = append(c.partial, b...)
			return nil
		}
		b = b[n:]
		if err := c.answer(a, now); err != nil {
			return err
		}
	}
}

// begin makes c a connection of w.
func (c *Conn) begin(w *working, place int) {
	c.work, c.place = w, place
	if len(c.slots) < w.InFlight {
		c.slots = append(c.slots, make([]slot, w.InFlight-len(c.slots))...)
	}
	c.free = c.free[:0]
	for i := w.InFlight - 1; i >= 0; i-- {
		c.free = append(c.free, uint8(i))
	}
}

// issue adds the next request of w to the output of c and reports whether
// there was one and a slot for it.
func (w *working) issue(c *Conn, at time.Time) bool {
	if w.over || w.Limit > 0 && w.issued >= w.Limit || len(c.free) == 0 {
		return false
	}
	s := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	slot := &c.slots[s]
	slot.lap = (slot.lap + 1) % laps
	slot.opaque = minOpaque + slot.lap*MaxInFlight + int32(s)
	slot.start = at
	req, token := w.Next(c.place)
	slot.token = token
	c.out = req.Append(c.out, slot.opaque)
	w.issued++
	w.pending++
	return true
}

// answer pairs a with its request and, without a rate to keep, puts the next
// one in its place.
func (c *Conn) answer(a Answer, now time.Time) error {
	w := c.work
	s := int(a.Opaque-minOpaque) % MaxInFlight
	if w == nil || s < 0 || s >= len(c.slots) || c.slots[s].opaque != a.Opaque {
		return fmt.Errorf("an answer to no request: opaque %d", a.Opaque)
	}
	slot := &c.slots[s]
	slot.opaque = 0
	c.free = append(c.free, uint8(s))
	w.pending--
	if w.Check != nil {
		if err := w.Check(slot.token, a); err != nil {
			return err
		}
	}
	w.result.Latency.Add(now.Sub(slot.start))
	if !w.over {
		w.result.Answered++
		if w.Rate == 0 {
			w.issue(c, now)
		}
	}
	return nil
}

// flush writes what c has to send, as far as the socket takes it.
func (l *Loop) flush(c *Conn) error {
	for !c.blocked && c.sent < len(c.out) {
		n, errno := write(c.fd, c.out[c.sent:])
		switch errno {
		case 0:
			c.sent += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			c.blocked = true
			return l.watch(c, syscall.EPOLLIN|syscall.EPOLLOUT)
		default:
			return fmt.Errorf("write: %w", errno)
		}
	}
	if c.sent == len(c.out) {
		c.out, c.sent = c.out[:0], 0
	}
	return nil
}

// watch says which events of c end a poll.
func (l *Loop) watch(c *Conn, events uint32) error {
	ev := syscall.EpollEvent{Events: events, Fd: int32(c.index)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_MOD, c.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// read and write are system calls on sockets that never block, so the
// scheduler need not know of them. b is not empty.
func read(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}

func write(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), errno
}
