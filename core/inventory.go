package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// inventoryTime is how long a Registry's sweeps go without reading all
	// groups. Nearly all that they have to see is in the log of changes or to
	// be seen in what they have kept. What is not is a writer that crashed
	// between storing a group and raising the revision, and was never tried
	// again: its events wait until then. To read 1,000 groups takes 80 to 250
	// units of DynamoDB, 3 to 8 a minute this way.
	inventoryTime = 30 * time.Minute
	// Reading all costs a store less than reading more than one group in
	// namedShare by its name, if those are more than namedFew.
	namedShare = 4
	namedFew   = 16
)

// inventory is what the sweeps of one Registry have read of the groups, as
// they were stored at a revision, but for what no revision tells: renewed
// leases, and leases that were added. Both only let a replica live longer, so
// what seems to lapse is read again, and nothing lapses unnoticed.
type inventory struct {
	revision Revision  // read before the groups were
	full     time.Time // when all were read; zero is never
	groups   map[string]Group
	told     []Event // MassExpiryHeld that the sink accepted, and that still hold
}

// pass is one look at all groups.
type pass struct {
	now      time.Time
	until    time.Time // what may expire by then is to be known for certain
	sessions Sessions  // by which to judge
	own      Sessions  // the same without a guard
}

// lapsed says whether one of the group's replicas is to be evicted.
func (p pass) lapsed(g Group) bool {
	return slices.ContainsFunc(g.Replicas, func(x Replica) bool { return !x.Alive(p.sessions, p.now) })
}

// waits says whether something of the group is neither raised nor published.
func waits(g Group) bool { return g.unsettled() || len(g.Outbox) > 0 }

// pressing says whether there is something to evict from the group, or to make
// good in it.
func (p pass) pressing(g Group) bool {
	return p.lapsed(g) || g.Writer.stopped(p.now) || waits(g)
}

// overdue says whether what a group has left is to be removed.
func (p pass) overdue(g Group) bool {
	return len(g.Replicas) == 0 && p.now.Sub(g.Gone) > GraceTime
}

// doubtful says whether a kept group has to be read again: something is to be
// done about it, or the time of one of its replicas is over, or will be by the
// pass's until, unless it was renewed. What a session keeps that is alive needs
// no reading: sessions are read each time.
func (p pass) doubtful(g Group) bool {
	return g.Writer.ID != "" || waits(g) || p.overdue(g) || slices.ContainsFunc(g.Replicas, func(x Replica) bool {
		return !x.Deadline(p.own, p.now).After(p.until) && !p.vouched(x)
	})
}

func (p pass) vouched(x Replica) bool {
	return slices.ContainsFunc(x.Leases, func(l Lease) bool {
		s, ok := p.own.Find(l.Session)
		return ok && s.Alive(p.now)
	})
}

// follow brings the inventory up to the head. It says whether it has read all.
func (inv *inventory) follow(ctx context.Context, store Store, head Head, p pass) (all bool, dropped int64, err error) {
	if !head.Complete || head.Revision < inv.revision || inv.full.IsZero() || p.now.Before(inv.full) || p.now.Sub(inv.full) >= inventoryTime {
		dropped, err = inv.readAll(ctx, store, head, p)
		return true, dropped, err
	}
	again := map[string]struct{}{}
	for _, c := range head.Changes {
		if c.Broker != "" {
			again[c.Broker] = struct{}{}
		}
	}
	for name, g := range inv.groups {
		if p.doubtful(g) {
			again[name] = struct{}{}
		}
	}
	if len(again) > namedFew && len(again)*namedShare > len(inv.groups) {
		dropped, err = inv.readAll(ctx, store, head, p)
		return true, dropped, err
	}
	if len(again) > 0 {
		names := slices.Sorted(maps.Keys(again))
		groups, err := store.Groups(ctx, names)
		if err != nil {
			return false, 0, fmt.Errorf("read groups: %w", err)
		}
		dropped = inv.lost(groups)
		for _, name := range names {
			delete(inv.groups, name)
		}
		inv.keep(groups)
	}
	inv.revision = head.Revision
	return false, dropped, nil
}

func (inv *inventory) readAll(ctx context.Context, store Store, head Head, p pass) (dropped int64, err error) {
	groups, err := store.Groups(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("read groups: %w", err)
	}
	dropped = inv.lost(groups)
	inv.groups = make(map[string]Group, len(groups))
	inv.keep(groups)
	inv.revision, inv.full = head.Revision, p.now
	return dropped, nil
}

func (inv *inventory) keep(groups []Group) {
	for _, g := range groups {
		inv.groups[g.Name] = g
	}
}

// lost counts the events that outboxes have lost since the groups were read last.
func (inv *inventory) lost(groups []Group) (n int64) {
	for _, g := range groups {
		if was, ok := inv.groups[g.Name]; ok {
			n += max(0, g.Dropped-was.Dropped)
		}
	}
	return n
}

// those returns the groups for which it holds, sorted by name: few, mostly.
func (inv *inventory) those(hold func(Group) bool) (groups []Group) {
	for _, g := range inv.groups {
		if hold(g) {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups
}

// next is the first deadline of all that is alive.
func (inv *inventory) next(p pass) (next time.Time) {
	for _, g := range inv.groups {
		for _, x := range g.Replicas {
			if d := x.Deadline(p.sessions, p.now); !p.now.After(d) && (next.IsZero() || d.Before(next)) {
				next = d
			}
		}
	}
	return next
}
