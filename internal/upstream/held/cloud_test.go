package held_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signpost/core"
	"signpost/internal/memory"
	"signpost/internal/upstream/api"
)

// registry is a core.Registry over memory, with ids of its own.
func registry(store *memory.Store, o core.Options) *core.Registry {
	var mu sync.Mutex
	n := 0
	o.NewID = func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return "w" + strconv.Itoa(n)
	}
	return core.New(store, o)
}

// local is what held brokers are judged by.
func local() *core.Registry { return registry(memory.New(), core.Options{}) }

// fault is what becomes of a call.
type fault int

const (
	fine      fault = iota
	unheard         // lost on its way there
	lost            // heard, and its answer lost
	busy            // another writer is at the group
	hanging         // neither, until its caller gives up
	throttled       // one too many
	refusing        // turned down for a reason of its own
)

var errUnreachable = &api.UnreachableError{Call: "any", Reason: "the link is cut"}

// cloud is the API: a registry that any number of gateways speak to.
type cloud struct {
	*core.Registry
	store     *memory.Store
	mu        sync.Mutex
	down      bool
	faults    func(call string) fault          // nil: all are fine
	link      func(gateway, call string) fault // the same by gateway
	delay     func(call string) time.Duration  // of each way; nil: none
	calls     map[string]int
	forbidden string         // a broker of which nothing is taken
	said      []string       // registrations and departures that were heard
	now       map[string]int // calls under way by broker
	worst     int            // how many were at one broker at a time
	most      int            // and in all
	under     int
	room      int // for calls at a time, others are throttled; 0: for any
	throttled map[string]int
	each      time.Duration // that a call takes, one after the other; 0: as many as come
	free      time.Time     // when the last of them is done
}

func newCloud() *cloud {
	store := memory.New()
	return &cloud{Registry: registry(store, core.Options{}), store: store, calls: map[string]int{}, now: map[string]int{}, throttled: map[string]int{}}
}

func (c *cloud) fault(gateway, call string) fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
	if c.down {
		return unheard
	}
	switch {
	case c.faults != nil:
		return c.faults(call)
	case c.link != nil:
		return c.link(gateway, call)
	}
	return fine
}

// revision is the newest.
func (c *cloud) revision() core.Revision {
	head, err := c.Head(context.Background(), 0, true)
	if err != nil {
		panic(err)
	}
	return head.Revision
}

func (c *cloud) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *cloud) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

func (c *cloud) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetCalls()
}

func (c *cloud) forgetCalls() {
	clear(c.calls)
	c.said = nil
}

func (c *cloud) note(format string, a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf(format, a...)+time.Now().Format(" 04:05.000"))
}

// enter counts a call about a gateway's broker.
func (c *cloud) enter(names ...string) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under++
	c.most = max(c.most, c.under)
	for _, n := range names {
		c.now[n]++
		c.worst = max(c.worst, c.now[n])
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.under--
		for _, n := range names {
			c.now[n]--
		}
	}
}

func (c *cloud) way(ctx context.Context, call string) error {
	c.mu.Lock()
	delay := c.delay
	c.mu.Unlock()
	if delay == nil {
		return nil
	}
	return wait(ctx, delay(call))
}

// turn waits until the calls before this one are done, and then it. Who gives
// up has it done all the same.
func (c *cloud) turn(ctx context.Context) error {
	c.mu.Lock()
	if c.each == 0 {
		c.mu.Unlock()
		return nil
	}
	if now := time.Now(); c.free.Before(now) {
		c.free = now
	}
	c.free = c.free.Add(c.each)
	d := time.Until(c.free)
	c.mu.Unlock()
	return wait(ctx, d)
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errUnreachable
	}
}

// full says whether there is no room for the call, which is under way if it is
// about brokers.
func (c *cloud) full(call string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	others := c.under
	if call != "session" {
		others--
	}
	if c.room == 0 || others < c.room {
		return false
	}
	c.throttled[call]++
	return true
}

// call makes one call with its faults, and does what it asks for.
func (c *cloud) call(ctx context.Context, gateway, name string, do func(now time.Time) error) error {
	f := c.fault(gateway, name)
	if c.full(name) {
		f = throttled
	}
	if err := c.way(ctx, name); err != nil {
		return err
	}
	if err := c.turn(ctx); err != nil {
		return err
	}
	switch f {
	case unheard:
		return errUnreachable
	case busy:
		return core.ErrBusy
	case throttled:
		return &api.UnreachableError{Call: name, Status: http.StatusTooManyRequests, Reason: "throttled"}
	case refusing:
		return core.ErrNameConflict
	case hanging:
		<-ctx.Done()
		return errUnreachable
	}
	err := do(time.Now())
	if late := c.way(ctx, name); late != nil || f == lost {
		return errUnreachable
	}
	return err
}
