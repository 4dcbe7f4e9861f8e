package held

import (
	"cmp"
	"slices"
	"strings"

	"signpost/core"
)

// overlay is the cloud's route, right up to that revision, with the groups in it
// that look otherwise here. The caller holds mu.
func (b *Brokers) overlay(topic string, cloud *core.Route, right core.Revision, local *core.Route, rules core.Rules) *core.Route {
	var brokers []string // of which the route is to show what they are here
	for _, r := range []*core.Route{cloud, local} {
		if r == nil {
			continue
		}
		for _, row := range r.Rows {
			if g := b.groups[row.Broker]; g != nil && (g.visible || g.asOf > right) {
				brokers = append(brokers, row.Broker)
			}
		}
	}
	if len(brokers) == 0 {
		return cloud
	}
	slices.Sort(brokers)
	brokers = slices.Compact(brokers)

	seen := &core.Route{Topic: topic}
	if cloud != nil {
		seen.OrderConf, seen.HasOrderConf, seen.Revision = cloud.OrderConf, cloud.HasOrderConf, cloud.Revision
		others := func(broker string) bool { _, here := slices.BinarySearch(brokers, broker); return !here }
		for _, row := range cloud.Rows {
			if others(row.Broker) {
				seen.Rows = append(seen.Rows, row)
			}
		}
		for _, one := range cloud.Brokers {
			if others(one.Name) {
				seen.Brokers = append(seen.Brokers, one)
			}
		}
	}
	for _, name := range brokers {
		g := b.groups[name]
		m := g.merged
		if g.until.IsZero() { // since the start; the route may be kept from before it
			m, _ = b.merge(g, groupOf(cloud, name))
		}
		row, ok := b.row(g, m, cloud, local)
		if !ok || len(m.Replicas) == 0 {
			continue
		}
		one := core.RouteBroker{Name: name, Cluster: m.Cluster, EnableActingMaster: m.EnableActingMaster(), Zone: m.Zone()}
		for _, r := range m.Replicas {
			one.Addrs = append(one.Addrs, core.ReplicaAddr{ID: r.ID, Addr: r.Addr})
		}
		act(&row, &one, rules)
		seen.Rows = append(seen.Rows, row)
		seen.Brokers = append(seen.Brokers, one)
	}
	if len(seen.Rows) == 0 {
		return nil
	}
	slices.SortFunc(seen.Rows, func(x, y core.Row) int { return cmp.Compare(x.Broker, y.Broker) })
	slices.SortFunc(seen.Brokers, func(x, y core.RouteBroker) int { return cmp.Compare(x.Name, y.Name) })
	seen.Filters = filters(seen.Brokers, cloud, local)
	if cloud != nil && same(seen, cloud) {
		return cloud
	}
	return seen
}

// same says whether two routes of a topic read the same.
func same(x, y *core.Route) bool {
	return slices.EqualFunc(x.Rows, y.Rows, func(a, b core.Row) bool { return a.Broker == b.Broker && a.Topic.Equal(b.Topic) }) &&
		slices.EqualFunc(x.Brokers, y.Brokers, func(a, b core.RouteBroker) bool {
			return a.Name == b.Name && a.Cluster == b.Cluster && a.EnableActingMaster == b.EnableActingMaster && a.Zone == b.Zone &&
				slices.Equal(a.Addrs, b.Addrs)
		}) &&
		slices.EqualFunc(x.Filters, y.Filters, func(a, b core.FilterServers) bool {
			return a.Addr == b.Addr && slices.Equal(a.Servers, b.Servers)
		})
}

// row is what the group offers of the topic: by the broker's own word if it is
// one whose word on topics counts and who is pending here, else by the cloud's.
func (b *Brokers) row(g *group, m core.Group, cloud, local *core.Route) (core.Row, bool) {
	theirs, known := rowOf(cloud, g.name)
	if ours, ok := rowOf(local, g.name); ok {
		first, _ := m.First()
		if r := g.find(first.Addr); !known || r != nil && b.pends(r) {
			return ours, true
		}
	}
	return theirs, known
}

func rowOf(r *core.Route, broker string) (core.Row, bool) {
	if r != nil {
		for _, row := range r.Rows {
			if row.Broker == broker {
				return row, true
			}
		}
	}
	return core.Row{}, false
}

// groupOf is a group as far as a route shows it.
func groupOf(r *core.Route, broker string) (g core.Group) {
	if r == nil {
		return g
	}
	if i := slices.IndexFunc(r.Brokers, func(b core.RouteBroker) bool { return b.Name == broker }); i >= 0 {
		return r.Brokers[i].Group()
	}
	return g
}

// act takes the write permission where slaves stand in for an absent master,
// and shows the lowest as master if it is to be, as core does.
func act(row *core.Row, one *core.RouteBroker, rules core.Rules) {
	master := slices.ContainsFunc(one.Addrs, func(a core.ReplicaAddr) bool { return a.ID == core.MasterID })
	if master || !one.EnableActingMaster {
		return
	}
	row.Queues.Perm &^= core.PermWrite
	if rules.ActingMaster && !strings.HasPrefix(row.Name, memberTopic) {
		one.Addrs[0].ID = core.MasterID
		slices.SortFunc(one.Addrs, func(x, y core.ReplicaAddr) int { return cmp.Compare(x.ID, y.ID) })
	}
}

// memberTopic begins the pseudo topics on which acting masters are not shown
// (Java: TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX).
const memberTopic = "rmq_sys_SYNC_BROKER_MEMBER_"

// filters are the filter servers beside the brokers' addresses: here they are
// newer.
func filters(brokers []core.RouteBroker, cloud, local *core.Route) (all []core.FilterServers) {
	there := map[string]bool{}
	for _, one := range brokers {
		for _, a := range one.Addrs {
			there[a.Addr] = true
		}
	}
	for _, r := range []*core.Route{local, cloud} {
		if r == nil {
			continue
		}
		for _, f := range r.Filters {
			if there[f.Addr] {
				all = append(all, f)
				delete(there, f.Addr)
			}
		}
	}
	slices.SortFunc(all, func(x, y core.FilterServers) int { return cmp.Compare(x.Addr, y.Addr) })
	return all
}
