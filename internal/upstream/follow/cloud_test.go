package follow_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"signpost/core"
	"signpost/internal/memory"
	"signpost/internal/upstream/api"
	"signpost/internal/wire"
)

const owner = "the gateways"

// cloud is the API over a registry of its own, with everything that may go
// wrong on the way. It is called with the bubble's clock.
type cloud struct {
	now atomic.Pointer[world]

	mu    sync.Mutex
	calls map[string]int
	asked [][]string // the topics of each call for routes
	// consistent counts the calls for routes as they are then.
	consistent int
	bodies     int // that came with answers
	// fault, if set, decides about each call: an error is what it ends with. With
	// lose it was done before.
	fault func(ctx context.Context, call string) (lose bool, err error)
	// behind is by how much the heads that beats are answered with may be old.
	behind  time.Duration
	seen    core.Head
	seenAt  time.Time
	full    int           // how many routes one answer has; 0: all
	each    time.Duration // that one topic of a call for routes takes
	twist   func(*api.Routes)
	guarded bool
}

func newCloud() *cloud {
	c := &cloud{calls: map[string]int{}}
	c.empty()
	return c
}

// empty is a new store, as after the table was lost.
func (c *cloud) empty() {
	store := memory.New()
	c.now.Store(&world{store, core.New(store, core.Options{NewID: newID, Rules: core.Rules{OrderMessages: true}})})
}

func (c *cloud) world() *world { return c.now.Load() }

// world is what the API is over.
type world struct {
	store *memory.Store
	*core.Registry
}

var ids sync.Mutex
var lastID int

func newID() string {
	ids.Lock()
	defer ids.Unlock()
	lastID++
	return fmt.Sprint("id-", lastID)
}

func (c *cloud) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *cloud) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

func (c *cloud) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.calls {
		n += one
	}
	return n
}

// reset forgets what was called.
func (c *cloud) reset() {
	c.set(func() { c.calls, c.asked, c.consistent, c.bodies = map[string]int{}, nil, 0, 0 })
}

var errDown = &api.UnreachableError{Call: "any", Reason: "there is no connection to the API"}

// down is a fault: nothing arrives.
func down(context.Context, string) (bool, error) { return false, errDown }

func on(call string, err error) func(context.Context, string) (bool, error) {
	return func(_ context.Context, c string) (bool, error) {
		if c == call {
			return false, err
		}
		return false, nil
	}
}

// silent is a fault: nothing is answered.
func silent(ctx context.Context, _ string) (bool, error) {
	<-ctx.Done()
	return false, &api.UnreachableError{Call: "any", Reason: "the API did not answer in time"}
}

// call begins a call, and says how it ends.
func (c *cloud) call(ctx context.Context, name string, do func() error) error {
	c.mu.Lock()
	c.calls[name]++
	fault := c.fault
	c.mu.Unlock()
	lose, failed := false, error(nil)
	if fault != nil {
		lose, failed = fault(ctx, name)
	}
	if failed != nil && !lose {
		return failed
	}
	if err := do(); err != nil {
		return err
	}
	return failed
}

func (c *cloud) OpenSession(ctx context.Context, id, gateway string, known core.Revision) (said api.SessionHead, err error) {
	err = c.call(ctx, "open", func() error {
		now := time.Now()
		err := c.world().OpenSession(ctx, now, core.Session{ID: id, Gateway: gateway, Owner: owner})
		if errors.Is(err, core.ErrSessionClosed) {
			err = c.world().store.BeatSession(ctx, id, owner, now)
		}
		if err == nil {
			said, err = c.head(ctx, known, true)
		}
		return err
	})
	return said, err
}

func (c *cloud) BeatSession(ctx context.Context, id string, known core.Revision) (said api.SessionHead, err error) {
	err = c.call(ctx, "beat", func() error {
		if err := c.world().store.BeatSession(ctx, id, owner, time.Now()); err != nil {
			return err
		}
		said, err = c.head(ctx, known, false)
		return err
	})
	return said, err
}

// head is what a beat is answered with: it may be a moment old.
func (c *cloud) head(ctx context.Context, known core.Revision, fresh bool) (said api.SessionHead, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if fresh || c.seenAt.IsZero() || now.Sub(c.seenAt) >= c.behind || c.seen.Revision < known {
		if c.seen, err = c.world().Head(ctx, 0, true); err != nil {
			return said, err
		}
		c.seenAt = now
	}
	head := c.seen
	said.Revision, said.Complete, said.Guarded = head.Revision, true, c.guarded
	switch {
	case head.Revision < known:
		said.Complete = false
	case head.Revision > known:
		said.Complete = len(head.Changes) > 0 && head.Changes[0].Revision <= known+1
	}
	if said.Complete {
		for _, change := range head.Changes {
			if change.Revision > known {
				said.Changes = append(said.Changes, change)
			}
		}
	}
	for _, s := range head.Sessions {
		said.Sessions = append(said.Sessions, api.SessionLeft{
			ID: s.ID, Gateway: s.Gateway, Age: now.Sub(s.Last), Remaining: max(0, s.Deadline().Sub(now)),
		})
	}
	return said, nil
}

func (c *cloud) Routes(ctx context.Context, q api.RoutesQuery) (said api.Routes, err error) {
	var topics []string
	for _, k := range q.Topics {
		topics = append(topics, k.Topic)
	}
	c.set(func() {
		if c.asked = append(c.asked, topics); q.Consistent {
			c.consistent++
		}
	})
	err = c.call(ctx, "routes", func() error {
		c.mu.Lock()
		took := time.Duration(len(topics)) * c.each
		c.mu.Unlock()
		if took > 0 && !api.Pause(ctx, took) {
			return errDown
		}
		said, err = c.routes(ctx, q)
		return err
	})
	c.mu.Lock()
	twist := c.twist
	c.mu.Unlock()
	if twist != nil {
		twist(&said)
	}
	return said, err
}

// routes answers as internal/httpapi does.
func (c *cloud) routes(ctx context.Context, q api.RoutesQuery) (said api.Routes, err error) {
	head, err := c.world().Head(ctx, q.Revision, q.Consistent)
	if err != nil {
		return said, err
	}
	now := time.Now()
	said.Revision = head.Revision
	sent := 0
	for _, k := range q.Topics {
		a := api.RouteAnswer{Topic: k.Topic}
		route, err := c.world().Route(ctx, now, k.Topic)
		var none *core.NoTopicError
		switch {
		case errors.As(err, &none):
			a.Status, a.ValidFor = api.RouteAbsent, min(30*time.Second, none.ValidUntil.Sub(now))
		case err != nil:
			return said, err
		default:
			body := wire.Route(route, wire.Standard)
			a.ETag, a.Silent, a.ValidFor = fmt.Sprintf("%016x", xxhash.Sum64(body)), route.Silent(), time.Hour
			if until := route.FollowedUntil(head.Sessions, now); !until.IsZero() {
				a.ValidFor = max(0, min(a.ValidFor, until.Sub(now)))
			}
			if a.Status = api.RouteUnchanged; a.ETag != k.ETag {
				a.Status, a.Body = api.RouteChanged, body
				c.set(func() { c.bodies++ })
				if sent++; c.full > 0 && sent > c.full {
					a = api.RouteAnswer{Topic: k.Topic, Status: api.RouteLater}
				}
			}
		}
		said.Routes = append(said.Routes, a)
	}
	return said, nil
}

func (c *cloud) KV(ctx context.Context, namespace string) (table map[string]string, meta api.Meta, err error) {
	err = c.call(ctx, "kv", func() error {
		head, err := c.world().Head(ctx, 0, false)
		if err != nil {
			return err
		}
		meta.Revision = head.Revision
		table, err = c.world().KV(ctx, namespace)
		return err
	})
	return table, meta, err
}

// register is a broker's registration through a session, or its own with "".
func (c *cloud) register(session, broker string, id int64, topics ...string) core.Revision {
	return c.registerFor(session, broker, id, 0, topics...)
}

func (c *cloud) registerFor(session, broker string, id int64, timeout time.Duration, topics ...string) core.Revision {
	rev, err := c.tryRegister(session, broker, id, timeout, topics...)
	if err != nil {
		panic(err)
	}
	return rev
}

func (c *cloud) tryRegister(session, broker string, id int64, timeout time.Duration, topics ...string) (core.Revision, error) {
	// A broker that is not known is not taken with one topic only.
	content := core.Content{Topics: []core.Topic{{Name: "base-" + broker}}}
	for _, t := range topics {
		name, queues, _ := strings.Cut(t, ":")
		n := int32(8)
		if queues != "" {
			fmt.Sscan(queues, &n)
		}
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: n, Write: n, Perm: 6}})
	}
	r := core.Registration{
		Cluster: "c1", Broker: broker, ID: id, Addr: fmt.Sprintf("%s:%d", broker, id), Session: session, Owner: owner, Timeout: timeout,
		Content: func() (core.Content, error) { return content, nil },
	}
	r.Digest = xxhash.Sum64String(fmt.Sprint(broker, id, timeout, topics))
	content.DataVersion.Counter = int64(r.Digest >> 1)
	said, err := c.world().Register(context.Background(), time.Now(), r)
	return said.Revision, err
}

func (c *cloud) unregister(broker string, id int64) core.Revision {
	rev, err := c.world().Unregister(context.Background(), time.Now(), core.Departure{Cluster: "c1", Broker: broker, ID: id, Addr: fmt.Sprintf("%s:%d", broker, id)})
	if err != nil {
		panic(err)
	}
	return rev
}

// gateway is another one, that beats as long as it is not stopped.
func (c *cloud) gateway(id string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	if err := c.world().OpenSession(ctx, time.Now(), core.Session{ID: id, Gateway: id, Owner: owner}); err != nil {
		panic(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for api.Pause(ctx, 5*time.Second) {
			c.world().store.BeatSession(ctx, id, owner, time.Now())
		}
	}()
	return func() { cancel(); <-done }
}
