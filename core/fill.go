package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// routeTime is for how long a route is believed at most, whatever its leases
// say: as long as most leases last. It bounds for how long it is not seen that
// an order configuration was stored and its writer crashed before it told.
const routeTime = DefaultTimeout

// fill assembles a route and files it under the revision read before.
// ErrNoTopic if no living broker has the topic.
//
// The sessions are those beside the revision, which may be a moment old, and are
// under no guard: who is alive by them is alive, for what they do not show are
// beats. Who seems to have lapsed is judged by those of now.
func (r *Registry) fill(ctx context.Context, now time.Time, topic string, rev Revision, was *Route) (*Route, error) {
	cleared := r.view.cleared.Load()
	head, err := r.store.Head(ctx, rev, false)
	if err != nil {
		return nil, fmt.Errorf("read revision: %w", err)
	}
	sessions := head.Sessions
	rows, err := r.store.Rows(ctx, topic)
	if err != nil {
		return nil, err
	}
	groups, read, err := r.groupsOf(ctx, now, rows, sessions, was != nil)
	if err != nil {
		return nil, err
	}
	if len(read) > 0 {
		r.view.fileGroups(read, rev, cleared)
	}
	rules := r.Rules()
	topic = strings.Clone(topic) // the asker's may be a part of its request
	route, lapsed := assemble(topic, rows, groups, sessions, rules, now)
	if lapsed {
		if sessions, err = r.sessions(ctx, now); err != nil {
			return nil, err
		}
		route, lapsed = assemble(topic, rows, groups, sessions, rules, now)
	}
	if route == nil {
		if lapsed {
			return nil, &NoTopicError{ValidUntil: now.Add(recheckTime)}
		}
		r.view.fileAbsent(topic, brokersOf(rows), rev, cleared)
		return nil, &NoTopicError{ValidUntil: now.Add(absentTime), Settled: true}
	}
	if rules.OrderMessages {
		kv, err := r.store.KV(ctx, OrderNamespace)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		route.OrderConf, route.HasOrderConf = kv[topic]
	}
	route.Revision, route.brokers = rev, brokersOf(rows)
	if h := route.holds.Load(); now.Add(routeTime).Before(h.until) {
		h.until = now.Add(routeTime)
	}
	if was != nil && route.sameContent(was) {
		// Only leases were renewed: keep what was encoded.
		was.holds.Store(route.holds.Load())
		return was, nil
	}
	r.view.file(route, cleared)
	return route, nil
}

func brokersOf(rows []Row) []string {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Broker
	}
	return names
}

// groupsOf returns the stored groups of the rows, sorted by name, and which of
// them it has read. The others were kept: that they are what is stored, but for
// renewed leases, is known by the revision. Those that seem to have lapsed are
// read, and those that soon will, or the answer would hold for a moment only.
// That is earlier if the route is assembled since its time was up: so that not
// each of its groups has it assembled alone.
func (r *Registry) groupsOf(ctx context.Context, now time.Time, rows []Row, sessions Sessions, timeUp bool) (groups, read []Group, err error) {
	if len(rows) == 0 {
		return nil, nil, nil
	}
	part := time.Duration(4)
	if timeUp {
		part = 2
	}
	groups, missing := r.view.kept(rows, func(g Group) bool { return g.lasts(sessions, now, part) })
	if len(missing) == 0 {
		return groups, nil, nil
	}
	if read, err = r.store.Groups(ctx, missing); err != nil {
		return nil, nil, err
	}
	if len(groups) == 0 {
		return read, read, nil
	}
	groups = append(groups, read...)
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return groups, read, nil
}

// kept returns those of the rows' groups that are kept and good, and the names
// of the others.
func (v *view) kept(rows []Row, good func(Group) bool) (groups []Group, missing []string) {
	v.follow.Lock()
	defer v.follow.Unlock()
	if len(v.groups) > 0 {
		groups = make([]Group, 0, len(rows))
	}
	for _, row := range rows {
		if g, ok := v.groups[row.Broker]; ok && good(g) {
			groups = append(groups, g)
		} else {
			missing = append(missing, row.Broker)
		}
	}
	return groups, missing
}

// lasts says whether each replica is alive for the part-th part of its time.
func (g Group) lasts(sessions Sessions, now time.Time, part time.Duration) bool {
	return !slices.ContainsFunc(g.Replicas, func(r Replica) bool { return !r.Alive(sessions, now.Add(r.Timeout/part)) })
}
