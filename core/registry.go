package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// maxAttempts bounds how often a decision is made anew because the group
// changed under it.
const maxAttempts = 8

// Options are what a Registry works with beside its Store.
type Options struct {
	Sink  Sink          // nil is Discard
	Rules Rules         // see SetRules
	NewID func() string // makes writer tokens, unique for ever; required
	// Guard is how much longer the leases of sessions stand that run out while
	// no session is alive, of two or more that are known; 0 is not at all. See
	// guard.go.
	Guard time.Duration
	// RouteBytes is about how much memory assembled routes may take without
	// their encodings; 0 is 8 MiB. What is beyond is assembled when it is asked
	// for.
	RouteBytes int64
	// OnMinBroker, if set, is told when a group's lowest id changed. It must not block.
	OnMinBroker func(MinBrokerChange)
}

// Registry is the route model over a Store. It is safe for concurrent use.
type Registry struct {
	store       Store
	sink        Sink
	newID       func() string
	guard       time.Duration
	onMinBroker func(MinBrokerChange)
	rules       atomic.Pointer[Rules]
	view        *view
	locks       nameLocks
	sweeping    nameLocks // one pass at a time works on the inventory
	inventory   inventory
}

// New returns a Registry over the store.
func New(store Store, o Options) *Registry {
	r := &Registry{
		store: store, sink: o.Sink, newID: o.NewID, guard: o.Guard, onMinBroker: o.OnMinBroker,
		view: newView(store, cmp.Or(o.RouteBytes, defaultRouteBytes)),
	}
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

// read returns a group and the sessions by which to judge it.
func (r *Registry) read(ctx context.Context, now time.Time, name string) (Group, Sessions, error) {
	g, err := r.store.Group(ctx, name)
	if err != nil {
		return Group{}, nil, fmt.Errorf("read group %s: %w", name, err)
	}
	sessions, err := r.sessions(ctx, now)
	if err != nil {
		return Group{}, nil, err
	}
	return g, sessions, nil
}

// sessions returns the sessions by which to judge at now. All judging reads
// them here.
func (r *Registry) sessions(ctx context.Context, now time.Time) (Sessions, error) {
	sessions, err := r.store.Sessions(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	return r.guarded(sessions), nil
}

// Head returns the revision with what changed after since, and the sessions.
// It may be a moment old, but is never below since; fresh asks for what is
// there now. Reads that follow in this process see at least that revision.
func (r *Registry) Head(ctx context.Context, since Revision, fresh bool) (Head, error) {
	head, err := r.store.Head(ctx, since, fresh)
	if err != nil {
		return Head{}, fmt.Errorf("read revision: %w", err)
	}
	head.Sessions = r.guarded(head.Sessions)
	return head, nil
}

// begin reads a group and starts a decision about it.
func (r *Registry) begin(ctx context.Context, now time.Time, name string) (*transition, error) {
	g, sessions, err := r.read(ctx, now, name)
	if err != nil {
		return nil, err
	}
	return begin(g, sessions, now), nil
}

// update makes one decision about one group and carries it out. decide returns
// false when there is nothing to store; what another has stored and perhaps
// not raised is raised even then, for this may be its repetition.
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
		ok, err := decide(t)
		switch {
		case err != nil:
			return 0, err
		case !ok && t.before.unsettled():
			return r.settle(ctx, t.before, t.before.Intent)
		case !ok:
			return 0, nil
		}
		rev, err := r.commit(ctx, t)
		if !errors.Is(err, ErrConflict) {
			return rev, err
		}
	}
	return 0, fmt.Errorf("update %s: %w", name, ErrConflict)
}

// conflictEvent tells once that brokers of another cluster were refused the
// name.
func (r *Registry) conflictEvent(ctx context.Context, now time.Time, t *transition, reg Registration, holder Replica) error {
	if t.before.Refused == reg.Cluster {
		return nil
	}
	t = begin(t.before, t.sessions, now)
	t.group.Refused = reg.Cluster
	t.events = append(t.events, Event{
		Kind: BrokerNameConflict, At: now, Cluster: t.group.Cluster, Broker: reg.Broker, ID: reg.ID,
		Addr: holder.Addr, OldAddr: reg.Cluster + " " + reg.Addr,
	})
	_, err := r.commit(ctx, t)
	if errors.Is(err, ErrConflict) {
		return nil // the broker's next try tells it
	}
	return err
}
