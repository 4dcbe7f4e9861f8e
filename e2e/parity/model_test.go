//go:build e2e

package parity

import (
	"maps"
	"slices"

	"signpost/core"
)

// model is what both servers hold while a sequence is generated. It exists so
// that the generator can keep away from what is accepted to differ (see
// avoided) and from what has no defined outcome. It judges no answer: that is
// done by comparing the servers.
type model struct {
	old    bool // Java is a 4.x
	rules  core.Rules
	groups [Brokers]group
}

// group is one brokerName.
type group struct {
	cluster    int
	acting     bool // enableActingMaster
	zone       int
	replicas   map[int64]int     // brokerId -> address
	live       map[int]*Register // address -> its registration in Java's table, which keeps those that were replaced
	last       map[int]*Register // address -> its last accepted registration
	rows       map[int]Topic     // as its brokers said
	overridden bool              // the write permission was wiped or added since
	version    int64
}

func newModel(old bool, rules core.Rules) *model {
	m := &model{old: old, rules: rules}
	for i := range m.groups {
		m.groups[i] = group{replicas: map[int64]int{}, live: map[int]*Register{}, last: map[int]*Register{}, rows: map[int]Topic{}}
	}
	return m
}

func (g *group) empty() bool { return len(g.replicas) == 0 }

// idOf returns the id of the address.
func (g *group) idOf(addr int) (int64, bool) {
	for id, a := range g.replicas {
		if a == addr {
			return id, true
		}
	}
	return 0, false
}

// replaced says whether Java remembers the address only in its table of
// connections.
func (g *group) replaced(addr int) bool {
	_, present := g.idOf(addr)
	return !present && g.live[addr] != nil
}

func (g *group) anyReplaced() bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(g.live)), g.replaced)
}

// masterless says whether slaves stand in for an absent master, so that the
// group's topics take no writes.
func (g *group) masterless() bool {
	_, master := g.replicas[core.MasterID]
	return g.acting && !g.empty() && !master
}

// contributes says whether that registration's topics count.
func (m *model) contributes(r Register) bool {
	if r.ID == core.MasterID {
		return true
	}
	if m.old || oldForm(r.Form) {
		return false
	}
	for id, a := range m.groups[r.Broker].replicas {
		if id < r.ID && a != r.Addr {
			return false
		}
	}
	return true
}

// conflicts says whether the id belongs to another address of a newer state.
func (m *model) conflicts(r Register) bool {
	g := &m.groups[r.Broker]
	holder, taken := g.replicas[r.ID]
	return taken && holder != r.Addr && g.live[holder].State > r.State
}

func (m *model) register(r Register) {
	g := &m.groups[r.Broker]
	contributes := m.contributes(r)
	conflicts := m.conflicts(r)
	if _, known := g.replicas[r.ID]; !known && !m.old && len(r.Topics) == 1 {
		if g.empty() {
			delete(g.live, r.Addr)
		}
		return // refused
	}
	if id, present := g.idOf(r.Addr); present && id != r.ID {
		delete(g.replicas, id)
	}
	if conflicts {
		delete(g.live, r.Addr)
		return
	}
	if g.empty() {
		g.cluster, g.acting = r.Cluster, !oldForm(r.Form) && r.Acting
	}
	g.zone = r.Zone
	_, known := g.replicas[r.ID]
	g.replicas[r.ID] = r.Addr
	if contributes {
		m.contribute(g, r, !known || g.live[r.Addr] == nil || g.live[r.Addr].Version != r.Version)
	}
	g.live[r.Addr], g.last[r.Addr] = &r, &r
	g.version = max(g.version, r.Version)
	if r.Lapse {
		g.leave(r.Addr)
	}
}

func (m *model) contribute(g *group, r Register, changed bool) {
	named, mapped := map[int]bool{}, false
	for _, t := range r.Topics {
		t = effective(t, r.Form)
		named[t.Name] = true
		mapped = mapped || t.Epoch != 0
		was, there := g.rows[t.Name]
		if t.Epoch == 0 {
			t.Epoch = was.Epoch
		}
		if changed || !there {
			g.rows[t.Name] = t
		}
	}
	if m.rules.DeleteTopicsOnRegistration && !mapped {
		maps.DeleteFunc(g.rows, func(name int, _ Topic) bool { return !named[name] })
	}
	if changed {
		g.overridden = false
	}
}

func (g *group) leave(addr int) {
	delete(g.live, addr)
	if id, present := g.idOf(addr); present {
		delete(g.replicas, id)
	}
	if g.empty() {
		clear(g.rows)
		g.overridden = false
	}
}

// apply takes a step into the model.
func (m *model) apply(s Step) {
	switch s := s.(type) {
	case Register:
		m.register(s)
	case Unregister:
		m.groups[s.Broker].leave(s.Addr)
	case Close:
		g := &m.groups[s.Broker]
		if r := g.live[s.Addr]; r != nil && r.Conn == s.Conn && !g.replaced(s.Addr) {
			g.leave(s.Addr)
		}
	case Wipe:
		m.override(s.Broker)
	case Add:
		m.override(s.Broker)
	case DeleteTopic:
		for i := range m.groups {
			if g := &m.groups[i]; !s.InCluster || g.cluster == s.Cluster {
				delete(g.rows, s.Topic)
			}
		}
	case SetQueues:
		m.setQueues(s)
	}
}

func (m *model) override(broker int) {
	if g := &m.groups[broker]; len(g.rows) > 0 {
		g.overridden = true
	}
}

func (m *model) setQueues(s SetQueues) {
	exists := false
	for i := range m.groups {
		_, has := m.groups[i].rows[s.Topic]
		exists = exists || has
	}
	unknown := func(q Queues) bool { return m.groups[q.Broker].empty() }
	if !exists && slices.ContainsFunc(s.Rows, unknown) {
		return
	}
	for _, q := range s.Rows {
		if unknown(q) {
			return
		}
		rows := m.groups[q.Broker].rows
		rows[s.Topic] = Topic{Name: s.Topic, Read: q.Read, Write: q.Write, Perm: q.Perm, SysFlag: q.SysFlag, Epoch: rows[s.Topic].Epoch}
	}
}
