package nameserver

import (
	"context"
	"runtime"
)

// gate bounds how many requests are worked on beside the connections' loops.
// The scheduler is fair: without it a thousand registrations at once make a
// route query wait for its turn behind all of them. Who waits for the disk or
// for a lock lets the next one in.
type gate chan struct{}

func newGate() gate { return make(gate, max(2, runtime.GOMAXPROCS(0))) }

// turn waits until the request may be worked on. It is not held if ctx ended
// before.
func (g gate) turn(ctx context.Context) *turn {
	t := &turn{gate: g, ctx: ctx}
	t.begin()
	return t
}

// turn is one request's place. One goroutine uses it.
type turn struct {
	gate gate
	ctx  context.Context
	held bool
}

func (t *turn) begin() {
	select {
	case t.gate <- struct{}{}:
		t.held = true
	case <-t.ctx.Done():
	}
}

func (t *turn) end() {
	if t.held {
		<-t.gate
		t.held = false
	}
}

// wait gives the place up until the function returned is called.
func (t *turn) wait() (resume func()) {
	if !t.held {
		return func() {}
	}
	t.end()
	return t.begin
}
