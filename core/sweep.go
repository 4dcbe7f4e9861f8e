package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// GraceTime is how long the rows of a group that is gone are kept, so that a
// broker that restarts does not have to store them again.
const GraceTime = 10 * time.Minute

// Swept tells what a sweep did.
type Swept struct {
	Evicted []Event // BrokerEvicted, what the store held of it
	Removed []string
	// Next is the earliest deadline among what is alive; zero if there is none.
	Next time.Time
}

// Sweep announces what has expired and tidies what was gone long enough. No
// answer waits for it: a sweep that comes late, twice or never costs storage
// and the news, nothing else.
func (r *Registry) Sweep(ctx context.Context, now time.Time) (Swept, error) {
	var swept Swept
	sessions, err := r.sessions(ctx, now)
	if err != nil {
		return swept, err
	}
	groups, err := r.store.Groups(ctx, nil)
	if err != nil {
		return swept, fmt.Errorf("read groups: %w", err)
	}
	var errs []error
	for _, s := range r.over(sessions, groups, now) {
		if err := r.store.CloseSession(ctx, s.ID, s.Last); err != nil && !errors.Is(err, ErrConflict) {
			errs = append(errs, fmt.Errorf("close session %s: %w", s.ID, err))
		}
	}
	for _, g := range groups {
		if err := r.sweepGroup(ctx, now, g, sessions, &swept); err != nil {
			errs = append(errs, err)
		}
	}
	return swept, errors.Join(errs...)
}

// over returns the sessions to be closed: those that ran out and on which
// nothing rests any more, for what only they held lapses later than they (max
// of the broker's timeout), nor a guard.
func (r *Registry) over(sessions Sessions, groups []Group, now time.Time) Sessions {
	var over Sessions
	for _, s := range sessions {
		if !s.Closed && !s.Alive(now) && !s.witness(now) && !rests(groups, sessions, s.ID, now) {
			over = append(over, s)
		}
	}
	return over
}

// rests says whether a replica is still alive by that session.
func rests(groups []Group, sessions Sessions, id string, now time.Time) bool {
	for _, g := range groups {
		for _, replica := range g.Replicas {
			for _, l := range replica.Leases {
				if l.Session == id && !now.After(l.deadline(replica.Timeout, sessions, now)) {
					return true
				}
			}
		}
	}
	return false
}

func (r *Registry) sweepGroup(ctx context.Context, now time.Time, g Group, sessions Sessions, swept *Swept) error {
	lapsed := slices.ContainsFunc(g.Replicas, func(x Replica) bool { return !x.Alive(sessions, now) })
	if lapsed || g.Writer.stopped(now) {
		evicted, err := r.evict(ctx, now, g.Name)
		if err != nil {
			return fmt.Errorf("evict from %s: %w", g.Name, err)
		}
		swept.Evicted = append(swept.Evicted, evicted...)
	} else if g.unsettled() || len(g.Outbox) > 0 {
		if err := r.settleNamed(ctx, g.Name); err != nil {
			return fmt.Errorf("publish for %s: %w", g.Name, err)
		}
	}
	if len(g.Replicas) == 0 && now.Sub(g.Gone) > GraceTime {
		removed, err := r.tidy(ctx, now, g.Name)
		if err != nil {
			return fmt.Errorf("tidy %s: %w", g.Name, err)
		}
		if removed {
			swept.Removed = append(swept.Removed, g.Name)
		}
	}
	for _, x := range g.Replicas {
		if d := x.Deadline(sessions, now); !now.After(d) && (swept.Next.IsZero() || d.Before(swept.Next)) {
			swept.Next = d
		}
	}
	return nil
}

// evict takes out what has lapsed, as it is when it is read again, and makes
// good what a writer that stopped half way has changed and told nobody.
func (r *Registry) evict(ctx context.Context, now time.Time, name string) (evicted []Event, err error) {
	_, err = r.update(ctx, now, name, func(t *transition) (bool, error) {
		evicted = slices.Clone(t.events)
		if t.before.Writer.stopped(now) {
			t.group.Writer = Writer{}
			t.many = true
			t.topicsChanged(nil)
		}
		return t.changed(), nil
	})
	if err != nil {
		return nil, err
	}
	return evicted, nil
}

// tidy removes the rows, then the set, then the group, under the writer's
// token; a sweep that stops half way is finished by the next. A group whose
// events nobody has accepted yet stays.
func (r *Registry) tidy(ctx context.Context, now time.Time, name string) (removed bool, err error) {
	unlock, err := r.locks.lock(ctx, name)
	if err != nil {
		return false, err
	}
	defer unlock()
	t, err := r.begin(ctx, now, name)
	if err != nil {
		return false, err
	}
	if g := t.before; g.Version == 0 || len(g.Replicas) > 0 || now.Sub(g.Gone) <= GraceTime || g.unsettled() || len(g.Outbox) > 0 {
		return false, nil
	}
	w := topicWriter{id: r.newID()}
	if err = w.write(ctx, r, t, TopicWrite{Replace: true}); err == nil {
		err = r.store.RemoveGroup(ctx, name, t.group.Version)
	}
	if err == nil {
		return true, nil
	}
	if w.took {
		w.giveUp(ctx, r, name)
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrBusy) {
		return false, nil // it is back, or somebody else is at it
	}
	return false, err
}
