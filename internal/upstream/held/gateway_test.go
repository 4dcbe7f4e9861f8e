package held_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/held"
)

// gateway is one gateway: its brokers and its session.
type gateway struct {
	*held.Brokers
	name  string
	cloud *cloud
	local *core.Registry
	ctx   context.Context // ends with it

	mu      sync.Mutex
	id      string
	opened  int
	missed  int // beats
	known   core.Revision
	changes []core.MinBrokerChange
	kept    *core.Route
	right   core.Revision // of kept
	slowID  time.Duration // until the next question for the session is answered

	beating chan struct{} // one beat at a time; a mutex would stop the bubble's clock
}

func (c *cloud) gateway(t *testing.T, ctx context.Context, name string) *gateway {
	t.Helper()
	g := &gateway{name: name, cloud: c, beating: make(chan struct{}, 1), local: local(), ctx: ctx}
	g.Brokers = held.New(held.Options{
		Cloud: g, Session: g, Local: g.local,
		OnMinBroker: func(m core.MinBrokerChange) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.changes = append(g.changes, m)
		},
	})
	go g.Run(ctx)
	go g.beats(ctx)
	return g
}

func (g *gateway) Register(ctx context.Context, session string, r api.Registration) (said api.Registered, err error) {
	defer g.cloud.enter(g.name + " " + r.Broker)()
	if r.Broker == g.cloud.forbidden {
		return said, core.ErrForbidden
	}
	age := time.Since(r.Said)
	err = g.cloud.call(ctx, g.name, "register", func(now time.Time) error {
		reg := r.Registration
		reg.Session, reg.Owner, reg.Age = session, g.name, age
		reg.Content = r.Body.Content
		content, err := r.Body.Content()
		if err != nil {
			return err
		}
		reg.Digest = digest(reg, content)
		if said.Registered, err = g.cloud.Registry.Register(ctx, now, reg); err != nil {
			return err
		}
		g.cloud.note("%s: %s is %s-%d", g.name, reg.Addr, reg.Broker, reg.ID)
		head, err := g.cloud.Head(ctx, 0, true)
		said.Meta.Revision = head.Revision
		said.Group = g.cloud.group(ctx, now, r.Broker)
		return err
	})
	return said, err
}

func (c *cloud) group(ctx context.Context, now time.Time, name string) api.Group {
	g, err := c.Registry.Group(ctx, now, name)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		panic(err)
	}
	g.Name = name
	return api.Group{Group: g, ValidFor: time.Hour}
}

func (g *gateway) Beats(ctx context.Context, session string, beats []api.Beat) (out []api.Confirmed, meta api.Meta, err error) {
	var names []string
	ages := make([]time.Duration, len(beats))
	for i, b := range beats {
		names = append(names, g.name+" "+b.Broker)
		ages[i] = time.Since(b.Said)
		if b.Broker == g.cloud.forbidden {
			g.cloud.fault(g.name, "beats") // is counted
			return nil, api.Meta{}, core.ErrForbidden
		}
	}
	slices.Sort(names)
	defer g.cloud.enter(slices.Compact(names)...)()
	err = g.cloud.call(ctx, g.name, "beats", func(now time.Time) error {
		for i, b := range beats {
			beat := b.Beat
			beat.Session, beat.Owner, beat.Age = session, g.name, ages[i]
			answer, err := g.cloud.Registry.Beat(ctx, now, beat)
			if err != nil {
				return err
			}
			out = append(out, api.Confirmed{Answer: answer, Group: g.cloud.group(ctx, now, b.Broker)})
		}
		meta.Revision = g.cloud.revision()
		return nil
	})
	return out, meta, err
}

func (g *gateway) Unregister(ctx context.Context, session string, d api.Departure) (meta api.Meta, err error) {
	defer g.cloud.enter(g.name + " " + d.Broker)()
	age := time.Since(d.Said)
	err = g.cloud.call(ctx, g.name, "unregister", func(now time.Time) error {
		dep := d.Departure
		dep.Session, dep.Owner, dep.Age = session, g.name, age
		var err error
		meta.Revision, err = g.cloud.Registry.Unregister(ctx, now, dep)
		g.cloud.note("%s: %s leaves %s, %v", g.name, dep.Addr, dep.Broker, dep.LeaseOnly)
		return err
	})
	return meta, err
}

func (g *gateway) Leases(ctx context.Context, session string) (out []core.Held, err error) {
	err = g.cloud.call(ctx, g.name, "leases", func(time.Time) (err error) {
		out, err = g.cloud.Registry.Leases(ctx, session)
		return err
	})
	return out, err
}

func (g *gateway) ID(context.Context) (string, error) {
	g.mu.Lock()
	id, slow := g.id, g.slowID
	g.slowID = 0
	g.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow)
	}
	if id == "" {
		return "", errUnreachable
	}
	return id, nil
}

func (g *gateway) Lost(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.id == id {
		g.id = ""
	}
}

func (g *gateway) Seen(ctx context.Context, rev core.Revision) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	g.beatUnless(ctx, rev)
}

// beats beats for the session.
func (g *gateway) beats(ctx context.Context) {
	for tick := time.NewTicker(5 * time.Second); ; {
		g.beat(ctx)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// beat makes one, and opens a session if there is none.
func (g *gateway) beat(ctx context.Context) { g.beatUnless(ctx, 1<<63) }

// beatUnless does so unless that revision is known meanwhile, or another beat
// goes on until ctx ends.
func (g *gateway) beatUnless(ctx context.Context, rev core.Revision) {
	select {
	case g.beating <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-g.beating }()
	ctx, cancel := context.WithTimeout(g.ctx, 5*time.Second)
	defer cancel()
	g.mu.Lock()
	id, known := g.id, g.known
	g.mu.Unlock()
	if rev <= known {
		return
	}
	began := time.Now()
	var head core.Head
	beat := func(id string) error {
		return g.cloud.call(ctx, g.name, "session", func(now time.Time) (err error) {
			head, err = g.cloud.BeatSession(ctx, now, id, g.name, known)
			return err
		})
	}
	err := errors.New("none is open")
	if id != "" {
		err = beat(id)
	}
	switch {
	case err == nil:
		g.mu.Lock()
		g.known = head.Revision
		g.mu.Unlock()
		if len(head.Changes) > 0 || !head.Complete {
			g.Brokers.Changed(ctx, time.Now(), head.Changes, !head.Complete)
		}
		g.keep(ctx)
		return
	case id != "" && !errors.Is(err, core.ErrSessionClosed):
		g.miss(ctx, began)
		return
	}
	g.mu.Lock()
	g.opened++
	id = fmt.Sprintf("%s-%d", g.name, g.opened)
	g.id = ""
	g.mu.Unlock()
	err = g.cloud.call(ctx, g.name, "session", func(now time.Time) error {
		return g.cloud.OpenSession(ctx, now, core.Session{ID: id, Gateway: g.name, Owner: g.name})
	})
	if err != nil {
		g.miss(ctx, began)
		return
	}
	g.mu.Lock()
	g.id = id
	g.mu.Unlock()
	g.Brokers.Opened(ctx, time.Now(), id)
	g.keep(ctx)
}

// miss tells that a beat had no answer.
func (g *gateway) miss(ctx context.Context, began time.Time) {
	g.mu.Lock()
	g.missed++
	g.mu.Unlock()
	g.Brokers.Missed(ctx, time.Now(), began)
}

// keep keeps the route of a topic that all have, as who follows the cloud does
// until the next beat that gets through.
func (g *gateway) keep(ctx context.Context) {
	right := g.cloud.revision()
	found, err := g.cloud.Route(ctx, time.Now(), everybodys)
	if err != nil {
		found = nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept, g.right = found, right
}

// answers says whether a client of the gateway is told of that address.
func (g *gateway) answers(addr string) bool {
	g.mu.Lock()
	kept, right := g.kept, g.right
	g.mu.Unlock()
	seen := show(g.Overlay(time.Now(), everybodys, kept, right))
	return strings.Contains(seen, "="+addr+";") || strings.Contains(seen, "="+addr+" ")
}

// notices returns the notices of lowest ids so far.
func (g *gateway) notices() []core.MinBrokerChange {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.changes)
}

// lose ends the session as the cloud has it.
func (g *gateway) lose(t *testing.T) {
	t.Helper()
	if err := g.end(); err != nil {
		t.Fatal(err)
	}
}

// end is between two beats, as who follows reads routes with each.
func (g *gateway) end() error {
	g.beating <- struct{}{}
	defer func() { <-g.beating }()
	ctx := context.Background()
	id, err := g.ID(ctx)
	if err != nil {
		return err
	}
	sessions, err := g.cloud.store.Sessions(ctx)
	if err != nil {
		return err
	}
	s, _ := sessions.Find(id)
	return g.cloud.store.CloseSession(ctx, id, s.Last)
}
