package upstream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
	"signpost/internal/wire"
)

// Topics lists the topics of a kind, sorted: of one cluster or, with "", of all.
func (r *Registry) Topics(ctx context.Context, now time.Time, kind core.TopicKind, cluster string) ([]string, time.Time, error) {
	if cluster != "" && !nameable(cluster) {
		return nil, now, nil
	}
	names, err := ask(ctx, r, now, r.topics(now, kind, cluster))
	if err != nil {
		return nil, now, err
	}
	if adds, _ := r.held.Pending(); adds > 0 {
		here, _, err := r.local.Topics(ctx, now, kind, cluster)
		if err != nil {
			return nil, now, fmt.Errorf("topics of the brokers here: %w", err)
		}
		names = union(names, here)
	}
	return names, now, nil
}

func union(x, y []string) []string {
	all := slices.Concat(x, y)
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *Registry) topics(now time.Time, kind core.TopicKind, cluster string) question[[]string] {
	return question[[]string]{
		name: fmt.Sprintf("topics %d %s", kind, cluster),
		ask: func(ctx context.Context) ([]string, api.Meta, error) {
			return r.cloud.Topics(ctx, kind, cluster)
		},
		write: func(names []string) []byte {
			if len(names) == 0 { // anybody may ask for any cluster
				return nil
			}
			return wire.AppendTopicList(nil, names, "")
		},
		read: func(body []byte) ([]string, error) {
			names, _, err := wire.DecodeTopicList(body)
			return names, err
		},
		guess: func() ([]string, time.Time, bool) {
			routes, right := r.known.Kept(now)
			names := topicsOf(routes, kind, cluster)
			if here, _, err := r.local.Topics(context.Background(), now, kind, cluster); err == nil { // in memory: it does not wait
				names = union(names, here)
			}
			return names, right, len(names) > 0
		},
	}
}

// Groups lists the living broker groups, sorted by name.
func (r *Registry) Groups(ctx context.Context, now time.Time) ([]core.Group, error) {
	groups, err := ask(ctx, r, now, r.groups(now))
	if err != nil {
		return nil, err
	}
	if adds, drops := r.held.Pending(); adds+drops == 0 {
		return groups, nil
	}
	here, err := r.local.Groups(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("brokers here: %w", err)
	}
	byName := map[string]core.Group{}
	for _, g := range here { // the API may not have heard of them
		byName[g.Name] = core.Group{Name: g.Name}
	}
	for _, g := range groups {
		byName[g.Name] = g
	}
	for name, g := range byName {
		byName[name] = r.held.Shown(now, name, g)
	}
	maps.DeleteFunc(byName, func(_ string, g core.Group) bool { return len(g.Replicas) == 0 })
	return slices.SortedFunc(maps.Values(byName), func(a, b core.Group) int { return strings.Compare(a.Name, b.Name) }), nil
}

func (r *Registry) groups(now time.Time) question[[]core.Group] {
	return question[[]core.Group]{
		name:  "clusters",
		ask:   r.cloud.Clusters,
		write: func(groups []core.Group) []byte { return wire.AppendClusterInfo(nil, groups) },
		read: func(body []byte) ([]core.Group, error) {
			groups, _, err := wire.DecodeClusterInfo(body)
			return groups, err
		},
		guess: func() ([]core.Group, time.Time, bool) {
			routes, right := r.known.Kept(now)
			groups := groupsOf(routes)
			return groups, right, len(groups) > 0 || r.held.Held() > 0
		},
	}
}

// Group returns a group. core.ErrNotFound if no broker of it lives.
func (r *Registry) Group(ctx context.Context, now time.Time, name string) (core.Group, error) {
	g, ok := r.held.Group(now, name)
	if !ok && nameable(name) {
		var err error
		if g, err = ask(ctx, r, now, r.group(now, name)); err != nil {
			return core.Group{}, err
		}
		g = r.held.Shown(now, name, g)
	}
	if len(g.Replicas) == 0 {
		return core.Group{}, fmt.Errorf("group %s: %w", name, core.ErrNotFound)
	}
	return g, nil
}

func (r *Registry) group(now time.Time, name string) question[core.Group] {
	return question[core.Group]{
		name: "group " + name,
		ask: func(ctx context.Context) (core.Group, api.Meta, error) {
			g, meta, err := r.cloud.Group(ctx, name)
			return g.Group, meta, err
		},
		guess: func() (core.Group, time.Time, bool) {
			all := r.groups(now)
			if last, ok := remembered(r, now, all); ok {
				groups := last.value.([]core.Group)
				if i, ok := slices.BinarySearchFunc(groups, name, func(g core.Group, name string) int { return strings.Compare(g.Name, name) }); ok {
					return groups[i], last.right, true
				}
			}
			// Who is connected here is all that is known of it.
			g := r.held.Shown(now, name, core.Group{})
			return core.Group{}, now, len(g.Replicas) > 0
		},
	}
}

// topicsOf are the topics of that kind among the routes, of a cluster or, with
// "", of all, sorted.
func topicsOf(routes []*core.Route, kind core.TopicKind, cluster string) (names []string) {
	for _, route := range routes {
		for _, row := range route.Rows { // by broker: the first one counts
			i := slices.IndexFunc(route.Brokers, func(b core.RouteBroker) bool { return b.Name == row.Broker })
			if cluster != "" && (i < 0 || route.Brokers[i].Cluster != cluster) {
				continue
			}
			if kind.Matches(row.Queues.SysFlag) {
				names = append(names, route.Topic)
			}
			break
		}
	}
	slices.Sort(names)
	return names
}

// groupsOf are the groups that the routes show, sorted by name: each as the last
// of them does.
func groupsOf(routes []*core.Route) []core.Group {
	last := map[string]*core.RouteBroker{}
	for _, route := range routes {
		for i := range route.Brokers {
			last[route.Brokers[i].Name] = &route.Brokers[i]
		}
	}
	groups := make([]core.Group, 0, len(last))
	for _, name := range slices.Sorted(maps.Keys(last)) {
		groups = append(groups, last[name].Group())
	}
	return groups
}
