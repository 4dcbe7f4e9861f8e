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
	head, err := r.store.Head(ctx, r.view.revision())
	if err != nil {
		return swept, fmt.Errorf("read sessions: %w", err)
	}
	groups, err := r.store.Groups(ctx, nil)
	if err != nil {
		return swept, fmt.Errorf("read groups: %w", err)
	}
	var errs []error
	for _, s := range head.Sessions {
		if s.Closed || s.Alive(now) {
			continue
		}
		// What only this session held lapses later or never (max of the
		// broker's timeout): close it only once nothing rests on it.
		if !rests(groups, head.Sessions, s.ID, now) {
			if err := r.store.CloseSession(ctx, s.ID, s.Last); err != nil && !errors.Is(err, ErrConflict) {
				errs = append(errs, fmt.Errorf("close session %s: %w", s.ID, err))
			}
		}
	}
	for _, g := range groups {
		if err := r.sweepGroup(ctx, now, g, head.Sessions, &swept); err != nil {
			errs = append(errs, err)
		}
	}
	return swept, errors.Join(errs...)
}

// rests says whether a replica is still alive by that session.
func rests(groups []Group, sessions Sessions, id string, now time.Time) bool {
	for _, g := range groups {
		for _, replica := range g.Replicas {
			for _, l := range replica.Leases {
				if l.Session == id && !now.After(l.deadline(replica.Timeout, sessions)) {
					return true
				}
			}
		}
	}
	return false
}

func (r *Registry) sweepGroup(ctx context.Context, now time.Time, g Group, sessions Sessions, swept *Swept) error {
	lapsed := slices.ContainsFunc(g.Replicas, func(x Replica) bool { return !x.Alive(sessions, now) })
	switch {
	case lapsed:
		_, err := r.update(ctx, now, g.Name, func(t *transition) (bool, error) {
			for _, e := range t.events {
				if e.Kind == BrokerEvicted {
					swept.Evicted = append(swept.Evicted, e)
				}
			}
			return t.changed(), nil
		})
		if err != nil {
			return fmt.Errorf("evict from %s: %w", g.Name, err)
		}
	case len(g.Replicas) == 0 && now.Sub(g.Gone) > GraceTime:
		if err := r.tidy(ctx, now, g); err != nil {
			return fmt.Errorf("tidy %s: %w", g.Name, err)
		}
		swept.Removed = append(swept.Removed, g.Name)
	case len(g.Outbox) > 0:
		if err := r.flush(ctx, g); err != nil {
			return fmt.Errorf("publish for %s: %w", g.Name, err)
		}
	}
	for _, x := range g.Replicas {
		if d := x.Deadline(sessions); !now.After(d) && (swept.Next.IsZero() || d.Before(swept.Next)) {
			swept.Next = d
		}
	}
	return nil
}

// tidy removes the rows, then the set, then the group, under the writer's
// token; a sweep that stops half way is finished by the next.
func (r *Registry) tidy(ctx context.Context, now time.Time, g Group) error {
	unlock, err := r.locks.lock(ctx, g.Name)
	if err != nil {
		return err
	}
	defer unlock()
	t, err := r.begin(ctx, now, g.Name)
	if err != nil || t.group.Version != g.Version {
		return err
	}
	_, err = r.writeTopics(ctx, t, TopicWrite{Broker: g.Name, Writer: r.newID(), Replace: true})
	if err == nil {
		err = r.store.RemoveGroup(ctx, g.Name, t.group.Version)
	}
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrBusy) {
		return nil // it is back, or somebody else is at it
	}
	return err
}
