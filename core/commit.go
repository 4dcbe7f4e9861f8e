package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// writerTime is how long a writer's token stands; longer than any caller's
	// own deadline for one registration.
	writerTime = 30 * time.Second
	// releaseTime bounds the attempt to give a token back.
	releaseTime = time.Second
)

// commit stores the group with its intent, raises the revision, and only then
// tells the sink (rule 5). What a writer before it has left is raised too. It
// returns the revision; 0 if nothing was to be raised.
func (r *Registry) commit(ctx context.Context, t *transition) (Revision, error) {
	change := t.finish()
	g, err := r.store.PutGroup(ctx, t.group)
	if err != nil {
		return 0, fmt.Errorf("store group %s: %w", t.group.Name, err)
	}
	t.group = g
	if c, ok := t.minChange(); ok && r.onMinBroker != nil {
		r.onMinBroker(c)
	}
	return r.settle(ctx, g, change)
}

// settle makes good what a stored group promises. It raises the revision for
// change, which covers the group's Intent, and stores that it did, so that an
// event has its revision for ever; then it publishes what waits in the outbox.
//
// A crash or a lost answer at any point leaves the Intent, or events with
// their revision, to the next writer and to the sweeper. Raised twice is only
// read again; published twice is the same event with the same revision.
func (r *Registry) settle(ctx context.Context, g Group, change Change) (Revision, error) {
	var rev Revision
	for attempt := 0; g.unsettled(); attempt++ {
		if attempt == maxAttempts {
			return rev, nil // raised; that it was is for the next writer to store
		}
		change.Broker = g.Name
		var err error
		if rev, err = r.store.Raise(ctx, []Change{change}); err != nil {
			return 0, fmt.Errorf("raise the revision for %s: %w", g.Name, err)
		}
		next := g.Clone()
		next.Intent = Change{}
		for i := range next.Outbox {
			if next.Outbox[i].Revision == 0 {
				next.Outbox[i].Revision = rev
			}
		}
		if _, ok := r.sink.(Discard); ok {
			next.Outbox = nil
		}
		next, err = r.store.PutGroup(ctx, next)
		switch {
		case err == nil:
			g = next
		case errors.Is(err, ErrConflict):
			// A heartbeat or another writer came between. If the Intent still
			// stands, it may be the other's, which is not raised.
			if g, err = r.store.Group(ctx, g.Name); err != nil {
				return rev, fmt.Errorf("read group %s: %w", change.Broker, err)
			}
			change = g.Intent
		default:
			return rev, fmt.Errorf("store group %s: %w", g.Name, err)
		}
	}
	return rev, r.publish(ctx, g)
}

// settleNamed settles what waits at a group, if anything does.
func (r *Registry) settleNamed(ctx context.Context, name string) error {
	unlock, err := r.locks.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	g, err := r.store.Group(ctx, name)
	if err != nil {
		return fmt.Errorf("read group %s: %w", name, err)
	}
	_, err = r.settle(ctx, g, g.Intent)
	return err
}

// publish hands the outbox to the sink and takes out what it accepted. The
// rest stays: the next writer or the sweeper tries again.
func (r *Registry) publish(ctx context.Context, g Group) error {
	if len(g.Outbox) == 0 {
		return nil
	}
	// The sink's trouble is not the broker's: the outbox remembers.
	accepted, _ := r.sink.Publish(ctx, slices.Clone(g.Outbox))
	gone := g.Outbox[:max(0, min(accepted, len(g.Outbox)))]
	for range maxAttempts {
		next := g.Clone()
		next.Outbox = slices.DeleteFunc(next.Outbox, func(e Event) bool { return slices.ContainsFunc(gone, e.same) })
		if len(next.Outbox) == len(g.Outbox) {
			return nil
		}
		_, err := r.store.PutGroup(ctx, next)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return fmt.Errorf("store group %s: %w", g.Name, err)
		}
		name := g.Name
		if g, err = r.store.Group(ctx, name); err != nil {
			return fmt.Errorf("read group %s: %w", name, err)
		}
	}
	return nil // they will be published again, as the same events
}

// topicWriter stores topics of one group as their only writer, for all
// attempts at one decision.
type topicWriter struct {
	id      string
	took    bool     // perhaps took the token
	changed []string // by the attempts so far; sorted
}

// commit stores the topics under the writer's token and then the group, which
// so appears last (rule 7). On ErrConflict the decision is to be made anew.
func (w *topicWriter) commit(ctx context.Context, r *Registry, t *transition, write TopicWrite) (Revision, error) {
	if err := w.write(ctx, r, t, write); err != nil {
		return 0, err
	}
	t.topicsChanged(w.changed)
	return r.commit(ctx, t)
}

// write takes the token and stores the topics. Taking it makes the group's
// brokers be heard in full again, so that a write that stops half way is
// redone by the next registration.
func (w *topicWriter) write(ctx context.Context, r *Registry, t *transition, write TopicWrite) error {
	name := t.group.Name
	if t.before.Writer.ID != w.id {
		// The first attempt, or the one before was overtaken or has come
		// through unnoticed: either way others tell of what it changed.
		w.changed = nil
		if t.before.Writer.active(t.now) {
			return fmt.Errorf("write topics of %s: %w", name, ErrBusy)
		}
		t.many = t.many || t.before.Writer.stopped(t.now)
	}
	taken := t.before.Clone()
	taken.Name = name
	if taken.Cluster == "" {
		taken.Cluster, taken.Gone = t.group.Cluster, t.now
	}
	taken.Writer = Writer{ID: w.id, Until: t.now.Add(writerTime)}
	for i := range taken.Replicas {
		taken.Replicas[i].Digest = 0
	}
	w.took = true
	taken, err := r.store.PutGroup(ctx, taken)
	if err != nil {
		return fmt.Errorf("take the writer's token of %s: %w", name, err)
	}
	t.group.Version, t.group.Writer = taken.Version, Writer{}
	write.Broker, write.Writer = name, w.id
	names, err := r.store.WriteTopics(ctx, write)
	w.changed = union(w.changed, names)
	if err != nil {
		return fmt.Errorf("write topics of %s: %w", name, err)
	}
	return nil
}

// giveUp ends the token after a failure, so that the next writer need not wait
// for its end. It stays as the sign that a write stopped half way.
func (w *topicWriter) giveUp(ctx context.Context, r *Registry, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	for range maxAttempts {
		g, err := r.store.Group(ctx, name)
		if err != nil || g.Writer.ID != w.id {
			return
		}
		g = g.Clone()
		g.Writer.Until = time.Time{}
		if _, err = r.store.PutGroup(ctx, g); !errors.Is(err, ErrConflict) {
			return // if this fails as well, the token ends by itself
		}
	}
}

// union returns what is in either of two sorted lists without repetition.
func union(a, b []string) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
