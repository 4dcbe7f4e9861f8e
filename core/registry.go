package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// maxAttempts bounds how often a decision is made anew because the group
	// changed under it.
	maxAttempts = 8
	// writerTime is how long a writer's token stands; longer than any caller's
	// own deadline for one registration.
	writerTime = 30 * time.Second
)

// Options are what a Registry works with beside its Store.
type Options struct {
	Sink  Sink          // nil is Discard
	Rules Rules         // see SetRules
	NewID func() string // makes writer tokens, unique for ever; required
	// OnMinBroker, if set, is told when a group's lowest id changed. It must not block.
	OnMinBroker func(MinBrokerChange)
}

// Registry is the route model over a Store. It is safe for concurrent use.
type Registry struct {
	store       Store
	sink        Sink
	newID       func() string
	onMinBroker func(MinBrokerChange)
	rules       atomic.Pointer[Rules]
	view        *view
	locks       nameLocks
}

// New returns a Registry over the store.
func New(store Store, o Options) *Registry {
	r := &Registry{store: store, sink: o.Sink, newID: o.NewID, onMinBroker: o.OnMinBroker, view: newView(store)}
	if r.sink == nil {
		r.sink = Discard{}
	}
	r.rules.Store(&o.Rules)
	return r
}

// Rules returns the operator's choices in force.
func (r *Registry) Rules() Rules { return *r.rules.Load() }

// SetRules puts other choices in force, for every answer from now on.
func (r *Registry) SetRules(rules Rules) {
	r.rules.Store(&rules)
	r.view.clear()
}

// begin reads a group and starts a decision about it.
func (r *Registry) begin(ctx context.Context, now time.Time, name string) (*transition, error) {
	g, err := r.store.Group(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read group %s: %w", name, err)
	}
	// The changes are not wanted here, so ask for none.
	head, err := r.store.Head(ctx, r.view.revision())
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return begin(g, head.Sessions, now), nil
}

// update makes one decision about one group and carries it out. decide returns
// false when there is nothing to store.
func (r *Registry) update(ctx context.Context, now time.Time, name string, decide func(*transition) (bool, error)) (Revision, error) {
	unlock, err := r.locks.lock(ctx, name)
	if err != nil {
		return 0, err
	}
	defer unlock()
	for range maxAttempts {
		t, err := r.begin(ctx, now, name)
		if err != nil {
			return 0, err
		}
		if ok, err := decide(t); !ok || err != nil {
			return 0, err
		}
		rev, err := r.commit(ctx, t, nil)
		if !errors.Is(err, ErrConflict) {
			return rev, err
		}
	}
	return 0, fmt.Errorf("update %s: %w", name, ErrConflict)
}

// writeTopics stores topics of the transition's group as its only writer. The
// token, w.Writer, is the caller's for all its attempts. Its PutGroup makes the group's brokers be heard in full again, so that a
// write that stops half way is redone by the next registration.
func (r *Registry) writeTopics(ctx context.Context, t *transition, w TopicWrite) ([]string, error) {
	if by := t.before.Writer; by.ID != "" && by.ID != w.Writer && !t.now.After(by.Until) {
		return nil, fmt.Errorf("write topics of %s: %w", t.group.Name, ErrBusy)
	}
	taken := t.before.Clone()
	taken.Name = t.group.Name
	if taken.Cluster == "" {
		taken.Cluster, taken.Gone = t.group.Cluster, t.now
	}
	taken.Writer = Writer{ID: w.Writer, Until: t.now.Add(writerTime)}
	for i := range taken.Replicas {
		taken.Replicas[i].Digest = 0
	}
	taken, err := r.store.PutGroup(ctx, taken)
	if err != nil {
		return nil, fmt.Errorf("take the writer's token of %s: %w", t.group.Name, err)
	}
	t.group.Version, t.group.Writer = taken.Version, Writer{}
	changed, err := r.store.WriteTopics(ctx, w)
	if err != nil {
		taken.Writer = Writer{}
		_, putErr := r.store.PutGroup(ctx, taken)
		return changed, errors.Join(fmt.Errorf("write topics of %s: %w", t.group.Name, err), putErr)
	}
	return changed, nil
}

// commit stores the group with its intent in the outbox, raises the revision,
// and only then tells the sink (rule 5). changed are the topics that were
// written before.
func (r *Registry) commit(ctx context.Context, t *transition, changed []string) (Revision, error) {
	t.finish()
	g, err := r.store.PutGroup(ctx, t.group)
	if err != nil {
		return 0, fmt.Errorf("store group %s: %w", t.group.Name, err)
	}
	t.group = g
	for _, c := range t.min {
		if r.onMinBroker != nil {
			r.onMinBroker(c)
		}
	}
	if !t.replicas && len(changed) == 0 {
		if len(g.Outbox) == 0 {
			return 0, nil
		}
		return 0, r.flush(ctx, g)
	}
	rev, err := r.store.Raise(ctx, []Change{{Broker: g.Name, Replicas: t.replicas, Topics: changed}})
	if err != nil {
		return 0, fmt.Errorf("raise the revision for %s: %w", g.Name, err)
	}
	return rev, r.publish(ctx, g, rev)
}

// flush raises and publishes what waits in a group's outbox: what a writer
// that stopped half way has left.
func (r *Registry) flush(ctx context.Context, g Group) error {
	change := Change{Broker: g.Name}
	for _, e := range g.Outbox {
		switch {
		case e.Revision != 0:
		case e.Kind == TopicRouteChanged:
			change.Topics = append(change.Topics, e.Topics...)
			change.Many = change.Many || e.Count > len(e.Topics)
		default:
			change.Replicas = true
		}
	}
	var rev Revision
	if change.Replicas || change.Many || len(change.Topics) > 0 {
		var err error
		if rev, err = r.store.Raise(ctx, []Change{change}); err != nil {
			return fmt.Errorf("raise the revision for %s: %w", g.Name, err)
		}
	}
	return r.publish(ctx, g, rev)
}

// publish hands the outbox to the sink, and takes out what it accepted. Events
// that it did not accept stay, with their revision: the next writer or the
// sweeper tries again.
func (r *Registry) publish(ctx context.Context, g Group, rev Revision) error {
	if len(g.Outbox) == 0 {
		return nil
	}
	events := slices.Clone(g.Outbox)
	for i := range events {
		if events[i].Revision == 0 {
			events[i].Revision = rev
		}
	}
	// The sink's trouble is not the broker's: the outbox remembers.
	accepted, _ := r.sink.Publish(ctx, events)
	rest := events[min(accepted, len(events)):]
	for range maxAttempts {
		next := g.Clone()
		next.Outbox = slices.Clone(rest)
		_, err := r.store.PutGroup(ctx, next)
		if err == nil || !errors.Is(err, ErrConflict) {
			return err
		}
		// A heartbeat or another writer came between; whoever changed the
		// outbox itself looks after it.
		was := g.Outbox
		if g, err = r.store.Group(ctx, g.Name); err != nil {
			return fmt.Errorf("read group %s: %w", g.Name, err)
		}
		if !slices.EqualFunc(g.Outbox, was, func(a, b Event) bool {
			return a.Kind == b.Kind && a.At.Equal(b.At) && a.Addr == b.Addr && a.Revision == b.Revision
		}) {
			return nil
		}
	}
	return nil
}

// conflictEvent tells once that a broker was refused the name.
func (r *Registry) conflictEvent(ctx context.Context, now time.Time, t *transition, reg Registration) error {
	who := reg.Cluster + " " + reg.Addr
	if t.before.Refused == who {
		return nil
	}
	t = begin(t.before, t.sessions, now)
	t.group.Refused = who
	t.events = append(t.events, Event{
		Kind: BrokerNameConflict, At: now, Cluster: t.group.Cluster, Broker: reg.Broker, ID: reg.ID,
		Addr: t.group.Replicas[0].Addr, OldAddr: who,
	})
	_, err := r.commit(ctx, t, nil)
	if errors.Is(err, ErrConflict) {
		return nil // the broker's next try tells it
	}
	return err
}
