package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// GraceTime is how long the rows of a group that is gone are kept, so that a
// broker that restarts does not have to store them again.
const GraceTime = 10 * time.Minute

const (
	// sweepPause is the least time between the beginnings of two passes of one
	// SweepUntil: what expires in between is one pass's.
	sweepPause = 2 * time.Second
	// sweepTries is how many passes of one SweepUntil may fail in a row before
	// it does not stay for the next try.
	sweepTries = 3
	// sweepWidth is how many groups a pass works on at once: a thousand that
	// expire together, with half a dozen calls each, are announced in seconds.
	sweepWidth = 16
	// tidyTime bounds the removal of what is gone in one pass.
	tidyTime = 10 * time.Second
)

// Swept tells what a sweep did.
type Swept struct {
	Evicted []Event  // BrokerEvicted, what the store held of it
	Removed []string // groups of which nothing is left
	// Held is how many replicas there were by the mass-expiry guard alone.
	Held int
	// Dropped is how many events were lost to the bound of outboxes since this
	// Registry's sweep before.
	Dropped int64
	// Next is the earliest deadline among what is alive; zero if there is none.
	// A direct lease that had time enough may have been renewed since.
	Next time.Time
}

func (s *Swept) add(o Swept) {
	s.Evicted = append(s.Evicted, o.Evicted...)
	s.Removed = append(s.Removed, o.Removed...)
	s.Held = max(s.Held, o.Held)
	s.Dropped += o.Dropped
	s.Next = o.Next
}

// Sweep announces what has expired and tidies what was gone long enough, in
// one pass. No answer waits for it: a sweep that comes late, twice, beside
// another or never costs storage and the news, nothing else. What it returns
// counts beside an error too.
//
// The Registry keeps what its sweeps have read; see inventory.
func (r *Registry) Sweep(ctx context.Context, now time.Time) (Swept, error) {
	return r.sweep(ctx, now, now)
}

// SweepUntil makes a pass, and stays only if something may expire by until
// that nobody has renewed; it then makes a pass at that deadline, but no two
// within sweepPause. So each eviction is announced in time, if SweepUntil is
// called again before until. wait returns after d, or with an error that ends
// the sweep.
//
// It mostly makes one pass: a lease that is renewed in time is far from its
// end. Brokers whose timeout is shorter than the time until are always near it
// and keep the sweep staying; that costs a pass each time a deadline is met,
// half a pass a second at most, each with one reading of the sessions and at
// most one of all groups.
func (r *Registry) SweepUntil(ctx context.Context, now func() time.Time, until time.Time, wait func(ctx context.Context, d time.Duration) error) (Swept, error) {
	var all Swept
	began := now()
	certain := until // what the first pass has to know to decide whether to stay
	failed := 0
	for left := int(max(0, until.Sub(began))/sweepPause) + sweepTries; ; left-- {
		swept, err := r.sweep(ctx, began, certain)
		all.add(swept)
		if err == nil {
			failed = 0
		} else {
			failed++
		}
		at := began.Add(sweepPause)
		if failed == 0 || failed >= sweepTries {
			if swept.Next.IsZero() || swept.Next.After(until) {
				return all, err
			}
			at = later(at, swept.Next.Add(time.Millisecond)) // it is alive at the deadline itself
		}
		if left == 0 {
			return all, err
		}
		if stopped := wait(ctx, at.Sub(now())); stopped != nil {
			return all, errors.Join(err, fmt.Errorf("wait for the next deadline: %w", stopped))
		}
		began = now()
		certain = began
	}
}

// sweep makes one pass.
func (r *Registry) sweep(ctx context.Context, now, until time.Time) (swept Swept, err error) {
	unlock, err := r.sweeping.lock(ctx, "")
	if err != nil {
		return Swept{}, err
	}
	defer unlock()
	inv := &r.inventory
	head, err := r.store.Head(ctx, inv.revision, true)
	if err != nil {
		return Swept{}, fmt.Errorf("read revision: %w", err)
	}
	p := pass{now: now, until: until, sessions: r.guarded(head.Sessions), own: head.Sessions}
	var all bool
	if all, swept.Dropped, err = inv.follow(ctx, r.store, head, p); err != nil {
		return swept, err
	}
	var held []Event
	swept.Held, held = inv.held(p)
	inv.told = r.tellHeld(ctx, held, inv.told)

	closed := r.closeSessions(ctx, head, p, all)
	var acted, tidied error
	swept.Evicted, acted = r.actAll(ctx, p, inv.those(p.pressing))
	swept.Next = inv.next(p)
	swept.Removed, tidied = r.tidyAll(ctx, p, inv, swept.Next)
	return swept, errors.Join(closed, acted, tidied)
}

// closeSessions closes those that ran out and on which nothing rests any more:
// what only they held lapses later than they (max of the broker's timeout). So
// a session is closed before what only it held is evicted, unless a guard may
// rest on what is known of it.
func (r *Registry) closeSessions(ctx context.Context, head Head, p pass, all bool) error {
	over := r.inventory.over(p)
	if len(over) > 0 && !all {
		// Leases that confirmations have added are in no log.
		if _, err := r.inventory.readAll(ctx, r.store, head, p); err != nil {
			return err
		}
		over = r.inventory.over(p)
	}
	var errs []error
	for _, s := range over {
		if err := r.store.CloseSession(ctx, s.ID, s.Last); err != nil && !errors.Is(err, ErrConflict) {
			errs = append(errs, fmt.Errorf("close session %s: %w", s.ID, err))
		}
	}
	return errors.Join(errs...)
}

// over returns the sessions to be closed.
func (inv *inventory) over(p pass) Sessions {
	over := slices.DeleteFunc(slices.Clone(p.sessions), func(s Session) bool {
		return s.Closed || s.Alive(p.now) || s.witness(p.now)
	})
	if len(over) == 0 {
		return nil
	}
	used := map[string]bool{}
	for _, g := range inv.groups {
		for _, x := range g.Replicas {
			for _, l := range x.Leases {
				if !p.now.After(l.deadline(x.Timeout, p.sessions, p.now)) {
					used[l.Session] = true
				}
			}
		}
	}
	return slices.DeleteFunc(over, func(s Session) bool { return used[s.ID] })
}

// actAll evicts what has lapsed and makes good what waits, a few groups at a
// time.
func (r *Registry) actAll(ctx context.Context, p pass, groups []Group) ([]Event, error) {
	evicted, errs := make([][]Event, len(groups)), make([]error, len(groups))
	var wg sync.WaitGroup
	places := make(chan struct{}, sweepWidth)
	for i, g := range groups {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			evicted[i], errs[i] = r.act(ctx, p, g)
		})
	}
	wg.Wait()
	return slices.Concat(evicted...), errors.Join(errs...)
}

func (r *Registry) act(ctx context.Context, p pass, g Group) (evicted []Event, err error) {
	if p.lapsed(g) || g.Writer.stopped(p.now) && !p.overdue(g) {
		if evicted, err = r.evict(ctx, p.now, g.Name); err != nil {
			return nil, fmt.Errorf("evict from %s: %w", g.Name, err)
		}
	} else if waits(g) {
		if err = r.settleNamed(ctx, g.Name); err != nil {
			return nil, fmt.Errorf("publish for %s: %w", g.Name, err)
		}
	}
	return evicted, nil
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

// tidyAll removes what is left of groups gone longer than GraceTime, one after
// the other, until the time for it is up or a deadline comes. The next pass
// goes on where this one stops.
func (r *Registry) tidyAll(ctx context.Context, p pass, inv *inventory, next time.Time) (removed []string, err error) {
	limit := tidyTime
	if !next.IsZero() {
		limit = min(limit, max(next.Sub(p.now), sweepPause))
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var errs []error
	for _, g := range inv.those(p.overdue) {
		if within.Err() != nil {
			break
		}
		gone, err := r.tidy(within, p.now, g.Name)
		switch {
		case err != nil && within.Err() != nil && ctx.Err() == nil:
		case err != nil:
			errs = append(errs, fmt.Errorf("tidy %s: %w", g.Name, err))
		case gone:
			removed = append(removed, g.Name)
		}
	}
	return removed, errors.Join(errs...)
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
	if g := t.before; g.Version == 0 || len(g.Replicas) > 0 || now.Sub(g.Gone) <= GraceTime || waits(g) {
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
