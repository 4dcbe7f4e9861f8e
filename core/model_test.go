package core_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signpost/core"
)

// model is what Java's RouteInfoManager (5.x) keeps, in plain tables and with
// no thought of speed, concurrency or failure. Where it differs from Java, it
// says so.
type model struct {
	rules  core.Rules
	groups map[string]*modelGroup         // brokerName; those alone that have a broker
	rows   map[string]map[string]modelRow // topic -> brokerName
	order  map[string]string              // topic -> order configuration
}

type modelGroup struct {
	cluster  string
	override func(perm int32) int32 // Java rewrites the rows; nil for none
	added    bool
	brokers  map[int64]*modelBroker
}

type modelBroker struct {
	broker
	last map[string]time.Time // heard of, by each front; Java has one
	body string               // the last one that was taken in; "" if the next one is new whatever it says
}

type modelRow struct {
	core.Queues
	mapping *core.Mapping
}

func newModel() *model {
	return &model{groups: map[string]*modelGroup{}, rows: map[string]map[string]modelRow{}, order: map[string]string{}}
}

func (b *modelBroker) until(front string) time.Time {
	if b.Timeout > 0 {
		return b.last[front].Add(b.Timeout)
	}
	return b.last[front].Add(120 * time.Second)
}

func (b *modelBroker) deadline() (last time.Time) {
	for front := range b.last {
		if d := b.until(front); d.After(last) {
			last = d
		}
	}
	return last
}

// holding is by which fronts the broker is alive.
func (b *modelBroker) holding(now time.Time) map[string]time.Time {
	return maps.Collect(func(yield func(string, time.Time) bool) {
		for front, last := range b.last {
			if !now.After(b.until(front)) && !yield(front, last) {
				return
			}
		}
	})
}

// expire is Java's scan, at every moment instead of every 5 s.
func (m *model) expire(now time.Time) {
	for name, g := range m.groups {
		for id, b := range g.brokers {
			if now.After(b.deadline()) {
				m.remove(name, id)
			}
		}
	}
}

// remove takes a broker out, and with the last one the name and its topics.
// Java keeps its mappings of static topics for ever.
func (m *model) remove(name string, id int64) {
	g := m.groups[name]
	if g.cut(id); len(g.brokers) > 0 {
		return
	}
	delete(m.groups, name)
	for topic := range m.rows {
		m.removeRow(topic, name)
	}
}

// cut takes a broker out. If it was the lowest, the next one's topics count
// from its next registration on. Java then takes in those that are missing.
func (g *modelGroup) cut(id int64) {
	was := g.lowest().ID
	if delete(g.brokers, id); id != was || len(g.brokers) == 0 {
		return
	}
	if next := g.lowest(); next.ID != 0 && next.ActingMaster != core.ActingMasterUnknown {
		next.body = ""
	}
}

func (m *model) removeRow(topic, name string) {
	if delete(m.rows[topic], name); len(m.rows[topic]) == 0 {
		delete(m.rows, topic)
	}
}

func (m *model) putRow(topic, name string, r modelRow) {
	if m.rows[topic] == nil {
		m.rows[topic] = map[string]modelRow{}
	}
	m.rows[topic][name] = r
}

func (g *modelGroup) at(addr string) *modelBroker {
	for _, b := range g.brokers {
		if b.Addr == addr {
			return b
		}
	}
	return nil
}

// lowest is the broker with the lowest id. Java takes zone and acting master
// from whoever registered last.
func (g *modelGroup) lowest() *modelBroker {
	return g.brokers[slices.Min(slices.Collect(maps.Keys(g.brokers)))]
}

// register answers as Registry.Register does: with the master for a slave, or
// an error.
func (m *model) register(now time.Time, b broker) (masterAddr string, err error) {
	m.expire(now)
	g := m.groups[b.Broker]
	if g == nil {
		g = &modelGroup{cluster: b.Cluster, brokers: map[int64]*modelBroker{}}
	}
	if g.cluster != b.Cluster { // Java lets the two share one BrokerData
		for _, other := range g.brokers {
			if other.Addr != b.Addr {
				return "", core.ErrNameConflict
			}
		}
	}
	before, known := g.brokers[b.ID], g.at(b.Addr)
	body := fmt.Sprint(b.registration().Digest, m.rules.DeleteTopicsOnRegistration)
	if before != nil && before.Addr == b.Addr && before.body == body && g.cluster == b.Cluster {
		before.last = before.holding(now)
		before.last[b.Front] = now // Java compares DataVersions only
		return g.master(b.ID), nil
	}
	switch {
	case before != nil && before.Addr != b.Addr && before.DataVersion.StateVersion > b.DataVersion.StateVersion:
		if known != nil {
			m.remove(b.Broker, known.ID)
		}
		return "", nil
	case before == nil && len(b.Topics) == 1 && !b.Whole: // Java keeps the half of it
		return "", core.ErrRefused
	}
	if known != nil {
		if known.ID != b.ID {
			g.cut(known.ID)
		}
		if b.FilterServers == nil {
			b.FilterServers = known.FilterServers
		}
	}
	changed := before == nil || known == nil || known.DataVersion != b.DataVersion
	m.groups[b.Broker], g.cluster = g, b.Cluster
	last := map[string]time.Time{}
	if known != nil {
		last = known.holding(now)
	}
	last[b.Front] = now
	g.brokers[b.ID] = &modelBroker{broker: b, last: last, body: body}

	if b.ID == 0 || b.ActingMaster != core.ActingMasterUnknown && g.lowest().ID == b.ID {
		m.contribute(b)
		if changed && m.names(b) {
			g.override, g.added = nil, false // Java: of the topics that are named
		}
	}
	return g.master(b.ID), nil
}

// names says whether the broker's body has all topics of its group.
func (m *model) names(b broker) bool {
	for topic, rows := range m.rows {
		_, ok := rows[b.Broker]
		if ok && !slices.ContainsFunc(b.Topics, func(t core.Topic) bool { return t.Name == topic }) {
			return false
		}
	}
	return true
}

func (m *model) contribute(b broker) {
	if b.Whole || m.rules.DeleteTopicsOnRegistration && len(b.Mappings) == 0 {
		for topic := range m.rows {
			if !slices.ContainsFunc(b.Topics, func(t core.Topic) bool { return t.Name == topic }) {
				m.removeRow(topic, b.Broker)
			} else if r, ok := m.rows[topic][b.Broker]; ok {
				m.putRow(topic, b.Broker, modelRow{Queues: r.Queues})
			}
		}
	}
	for _, t := range b.Topics {
		m.putRow(t.Name, b.Broker, modelRow{t.Queues, m.rows[t.Name][b.Broker].mapping})
	}
	for _, x := range b.Mappings {
		if r, ok := m.rows[x.Topic][b.Broker]; ok {
			m.putRow(x.Topic, b.Broker, modelRow{r.Queues, x})
		}
	}
}

func (g *modelGroup) master(id int64) string {
	if m := g.brokers[0]; id != 0 && m != nil {
		return m.Addr + " " + m.HAAddr
	}
	return ""
}

func (m *model) unregister(now time.Time, b broker) {
	m.expire(now)
	if g := m.groups[b.Broker]; g != nil && g.cluster == b.Cluster {
		if known := g.at(b.Addr); known != nil {
			m.remove(b.Broker, known.ID)
		}
	}
}

// drop ends what one front heard.
func (m *model) drop(now time.Time, b broker) {
	m.expire(now)
	if g := m.groups[b.Broker]; g != nil && g.cluster == b.Cluster {
		if known := g.at(b.Addr); known != nil {
			delete(known.last, b.Front)
			m.expire(now)
		}
	}
}

func (m *model) beat(now time.Time, b broker) {
	m.expire(now)
	if g := m.groups[b.Broker]; g != nil && g.cluster == b.Cluster {
		if known := g.brokers[b.ID]; known != nil && known.Addr == b.Addr {
			if known.last = known.holding(now); !known.last[b.Front].IsZero() {
				known.last[b.Front] = now
			}
		}
	}
}

func (m *model) deleteTopic(now time.Time, topic, cluster string) {
	m.expire(now)
	for name := range m.rows[topic] {
		if g := m.groups[name]; cluster == "" || g.cluster == cluster {
			m.removeRow(topic, name)
			g.forget()
		}
	}
}

func (g *modelGroup) forget() {
	for _, b := range g.brokers {
		b.body = ""
	}
}

func (m *model) registerQueues(now time.Time, topic string, rows []core.Row) {
	m.expire(now)
	for i, r := range rows {
		if m.groups[r.Broker] == nil {
			if rows = rows[:i]; m.rows[topic] == nil {
				return
			}
			break
		}
	}
	for _, r := range rows {
		m.putRow(topic, r.Broker, modelRow{r.Queues, m.rows[topic][r.Broker].mapping})
		if m.rules.DeleteTopicsOnRegistration {
			m.groups[r.Broker].forget()
		}
	}
}

// permission wipes or adds, for all topics that the group has or gets until
// its next changed registration. Java: that it has.
func (m *model) permission(now time.Time, name string, add bool) (count int) {
	m.expire(now)
	for topic := range m.rows {
		if _, ok := m.rows[topic][name]; ok {
			count++
		}
	}
	if count == 0 {
		return 0
	}
	g := m.groups[name]
	switch {
	case add:
		g.added, g.override = true, func(int32) int32 { return 6 }
	case g.added:
		g.override = func(int32) int32 { return 4 }
	default:
		g.override = func(perm int32) int32 { return perm &^ 2 }
	}
	return count
}

// route shows a topic's route as show does.
func (m *model) route(now time.Time, topic string) (shown string, until time.Time) {
	m.expire(now)
	var parts, filters []string
	for _, name := range slices.Sorted(maps.Keys(m.rows[topic])) {
		g, row := m.groups[name], m.rows[topic][name]
		lowest := g.lowest()
		perm := row.Perm
		if g.override != nil {
			perm = g.override(perm)
		}
		acting := lowest.ActingMaster == core.ActingMasterOn
		shownID := map[int64]int64{}
		if g.brokers[0] == nil && acting {
			perm &^= 2
			if m.rules.ActingMaster && !strings.HasPrefix(topic, "rmq_sys_SYNC_BROKER_MEMBER_") && perm&2 == 0 {
				shownID[lowest.ID] = 0 - lowest.ID
			}
		}
		var addrs []string
		for _, id := range slices.Sorted(maps.Keys(g.brokers)) {
			b := g.brokers[id]
			addrs = append(addrs, fmt.Sprintf("%d=%s", id+shownID[id], b.Addr))
			if len(b.FilterServers) > 0 {
				filters = append(filters, "filter "+b.Addr+"="+strings.Join(b.FilterServers, ","))
			}
			if d := b.deadline(); until.IsZero() || d.Before(until) {
				until = d
			}
		}
		slices.SortFunc(addrs, func(x, y string) int { return strings.Compare(x, y) })
		s := fmt.Sprintf("%s@%s{%s} %d/%d/%d", name, g.cluster, strings.Join(addrs, " "), row.Read, row.Write, perm)
		if row.SysFlag != 0 {
			s += fmt.Sprint(" flag ", row.SysFlag)
		}
		if acting {
			s += " acting"
		}
		if lowest.Zone != "" {
			s += " zone " + lowest.Zone
		}
		if x := row.mapping; x != nil {
			s += fmt.Sprintf(" mapping %s:%d@%d%v", x.Broker, x.TotalQueues, x.Epoch, x.Current)
		}
		parts = append(parts, s)
	}
	if parts == nil {
		return "none", until
	}
	slices.Sort(filters)
	parts = append(parts, filters...)
	if order, ok := m.order[topic]; ok && m.rules.OrderMessages {
		parts = append(parts, "order "+order)
	}
	return strings.Join(parts, "; "), until
}

func (m *model) topics(now time.Time, kind core.TopicKind, cluster string) string {
	m.expire(now)
	var list []string
	for topic, rows := range m.rows {
		var of []string
		for name := range rows {
			if cluster == "" || m.groups[name].cluster == cluster {
				of = append(of, name)
			}
		}
		if len(of) == 0 {
			continue
		}
		flag := rows[slices.Min(of)].SysFlag
		unit, sub := flag&1 != 0, flag&2 != 0
		if kind == core.AllTopics || kind == core.UnitTopics && unit || kind == core.UnitSubTopics && sub ||
			kind == core.UnitSubNotUnit && sub && !unit {
			list = append(list, topic)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (m *model) allGroups(now time.Time) string {
	m.expire(now)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[name]
		var addrs []string
		for _, id := range slices.Sorted(maps.Keys(g.brokers)) {
			addrs = append(addrs, fmt.Sprintf("%d=%s", id, g.brokers[id].Addr))
		}
		parts = append(parts, fmt.Sprintf("%s@%s{%s}", name, g.cluster, strings.Join(addrs, " ")))
	}
	return strings.Join(parts, "; ")
}
