//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

const (
	// drainTime is how long the last answers may take after the end.
	drainTime = 20 * time.Second
	// pollTime is the longest sleep, and so the delay of noticing the end.
	pollTime = 10 * time.Millisecond
)

// Loop drives connections to one server from one goroutine. It uses epoll
// itself instead of package net: the load has one core, and on one core the
// scheduler's way through goroutines and failing reads costs a third of the
// requests. A Loop is not for concurrent use.
type Loop struct {
	epoll  int
	conns  []*Conn
	events []syscall.EpollEvent
	input  []byte
}

// Work is a stream of requests over connections of its own.
type Work struct {
	Conns []*Conn
	// InFlight is the most requests under way on each connection.
	InFlight int
	// Rate is the number of requests a second offered over all connections,
	// evenly and whatever the server does. Latency then counts from the time
	// at which a request was due. 0 sends the next request when an answer
	// arrives.
	Rate float64
	// Limit ends the stream after so many requests. 0 is no limit.
	Limit int
	// Next returns the next request and a token of the caller's for it.
	// conn is the index in Conns.
	Next func(conn int) (*Request, int)
	// Check, if not nil, judges an answer; its error ends the run. That the
	// opaque is that of a request under way has been seen.
	Check func(token int, a Answer) error
}

// Result is what became of a Work.
type Result struct {
	// Answered is the number of answers that came before the end.
	Answered int
	// Elapsed is the time until the end.
	Elapsed time.Duration
	// Latency has one sample for each answer, also for those after the end.
	Latency Samples
}

// Add adds what became of the same work at another time.
func (r *Result) Add(other *Result) {
	r.Answered += other.Answered
	r.Elapsed += other.Elapsed
	r.Latency.Merge(&other.Latency)
}

// PerSecond is the rate of answers.
func (r *Result) PerSecond() float64 { return float64(r.Answered) / r.Elapsed.Seconds() }

// working is a Work during a run.
type working struct {
	*Work
	result  *Result
	issued  int
	pending int
	turn    int // the connection that is next when paced
	over    bool
}

// NewLoop returns a Loop without connections.
func NewLoop() (*Loop, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create: %w", err)
	}
	return &Loop{epoll: fd, events: make([]syscall.EpollEvent, 256), input: make([]byte, inputSize)}, nil
}

// Close closes all connections.
func (l *Loop) Close() error {
	for _, c := range l.conns {
		_ = syscall.Close(c.fd)
	}
	l.conns = nil
	return syscall.Close(l.epoll)
}

// Dial opens n connections to addr.
func (l *Loop) Dial(addr netip.AddrPort, n int) ([]*Conn, error) {
	first := len(l.conns)
	for range n {
		if err := l.dial(addr); err != nil {
			return nil, fmt.Errorf("connect to %v: %w", addr, err)
		}
	}
	return l.conns[first:len(l.conns):len(l.conns)], nil
}

func (l *Loop) dial(addr netip.AddrPort) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c := &Conn{fd: fd, index: len(l.conns)}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.index)}
	err = errors.Join(
		syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.SetNonblock(fd, true),
		syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &ev),
	)
	if err != nil {
		_ = syscall.Close(fd)
		return err
	}
	l.conns = append(l.conns, c)
	return nil
}

// Run offers works to the server until d is over, or until all works with a
// limit are done if there are any, then waits for the last answers. With spin
// set it never sleeps, so that requests go out when they are due and latencies
// have none of this side's wake-ups in them; otherwise it sleeps while there
// is nothing to do, as a client does.
//
// The results are in the order of works. Any wrong or missing answer is an
// error: no number comes from a server that answers wrongly.
func (l *Loop) Run(ctx context.Context, d time.Duration, spin bool, works ...*Work) ([]*Result, error) {
	run := make([]*working, len(works))
	results := make([]*Result, len(works))
	for i, w := range works {
		if len(w.Conns) == 0 || w.InFlight < 1 || w.InFlight > MaxInFlight {
			return nil, fmt.Errorf("work %d: %d connections with %d in flight", i, len(w.Conns), w.InFlight)
		}
		results[i] = &Result{}
		run[i] = &working{Work: w, result: results[i]}
		for place, c := range w.Conns {
			c.begin(run[i], place)
		}
	}
	defer func() {
		for _, w := range run {
			for _, c := range w.Conns {
				c.work = nil
			}
		}
	}()
	start := time.Now()
	for _, w := range run {
		if w.Rate == 0 {
			for _, c := range w.Conns {
				for range w.InFlight {
					w.issue(c, start)
				}
				if err := l.flush(c); err != nil {
					return nil, err
				}
			}
		}
	}
	var ended time.Time
	for {
		now := time.Now()
		if ended.IsZero() && (now.Sub(start) >= d || limitsReached(run)) {
			ended = now
			for _, w := range run {
				w.result.Elapsed = now.Sub(start)
				w.over = true
			}
		}
		if !ended.IsZero() {
			pending := 0
			for _, w := range run {
				pending += w.pending
			}
			if pending == 0 {
				return results, nil
			}
			if now.Sub(ended) > drainTime {
				return nil, fmt.Errorf("%d answers are missing after %v", pending, drainTime)
			}
		} else {
			for _, w := range run {
				if err := l.pace(w, start, now); err != nil {
					return nil, err
				}
			}
		}
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := l.poll(spin); err != nil {
			return nil, err
		}
	}
}

// limitsReached reports whether the works that have a limit, if any, have got
// all their answers.
func limitsReached(run []*working) bool {
	limited := false
	for _, w := range run {
		if w.Limit > 0 {
			if w.issued < w.Limit || w.pending > 0 {
				return false
			}
			limited = true
		}
	}
	return limited
}

// pace sends the requests of w that are due. Those for which no connection has
// a slot left stay due.
func (l *Loop) pace(w *working, start, now time.Time) error {
	if w.Rate == 0 {
		return nil
	}
	due := int(now.Sub(start).Seconds() * w.Rate)
	for misses := 0; w.issued < due && misses < len(w.Conns); {
		c := w.Conns[w.turn]
		w.turn = (w.turn + 1) % len(w.Conns)
		at := start.Add(time.Duration(float64(w.issued) / w.Rate * float64(time.Second)))
		if !w.issue(c, at) {
			misses++
			continue
		}
		misses = 0
		if err := l.flush(c); err != nil {
			return err
		}
	}
	return nil
}

// poll waits for connections that are ready and serves them.
func (l *Loop) poll(spin bool) error {
	timeout := int(pollTime.Milliseconds())
	if spin {
		timeout = 0
	}
	n, err := syscall.EpollWait(l.epoll, l.events, timeout)
	if err != nil && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("epoll_wait: %w", err)
	}
	for _, ev := range l.events[:max(n, 0)] {
		c := l.conns[ev.Fd]
		if ev.Events&^syscall.EPOLLOUT != 0 {
			if err := l.read(c); err != nil {
				return err
			}
		}
		if ev.Events&syscall.EPOLLOUT != 0 {
			c.blocked = false
			if err := l.watch(c, syscall.EPOLLIN); err != nil {
				return err
			}
		}
		if err := l.flush(c); err != nil {
			return err
		}
	}
	return nil
}
