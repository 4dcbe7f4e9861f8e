//go:build e2e

package parity

import (
	"fmt"
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
	met    map[string]int // how often which situation came about
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

// newModel returns an empty model, which counts the situations in met.
func newModel(old bool, rules core.Rules, met map[string]int) *model {
	m := &model{old: old, rules: rules, met: met}
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

// lowest returns the lowest id, and its address.
func (g *group) lowest() (id int64, addr int, ok bool) {
	for i, a := range g.replicas {
		if !ok || i < id {
			id, addr, ok = i, a, true
		}
	}
	return id, addr, ok
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
		m.met["refused"]++
		return
	}
	if id, present := g.idOf(r.Addr); present && id != r.ID {
		m.met["another id"]++
		delete(g.replicas, id)
	}
	if conflicts {
		m.met["older state"]++
		delete(g.live, r.Addr)
		return
	}
	if g.empty() {
		if g.version > 0 {
			m.met["return"]++
		}
		g.cluster, g.acting = r.Cluster, !oldForm(r.Form) && r.Acting
	}
	g.zone = r.Zone
	holder, known := g.replicas[r.ID]
	if known && holder != r.Addr {
		m.met["takeover"]++
	}
	if was := g.live[r.Addr]; was != nil && was.Conn != r.Conn && holder == r.Addr {
		m.met["another connection"]++
	}
	g.replicas[r.ID] = r.Addr
	if _, master := g.replicas[core.MasterID]; master && r.ID != core.MasterID {
		m.met["slave beside its master"]++
	}
	if contributes {
		m.contribute(g, r, !known || g.live[r.Addr] == nil || g.live[r.Addr].Version != r.Version)
	}
	g.live[r.Addr], g.last[r.Addr] = &r, &r
	g.version = max(g.version, r.Version)
	if r.Lapse {
		m.leave(g, r.Addr)
	}
}

func (m *model) contribute(g *group, r Register, changed bool) {
	if r.ID != core.MasterID {
		m.met["slave contributes"]++
	}
	if g.overridden {
		m.met["registered while overridden, changed "+fmt.Sprint(changed)]++
	}
	named, mapped := map[int]bool{}, false
	for _, t := range r.Topics {
		t = effective(t, r.Form)
		named[t.Name] = true
		mapped = mapped || t.Epoch != 0
		was, there := g.rows[t.Name]
		if !there && !changed {
			m.met["missing topic, same version, slave "+fmt.Sprint(r.ID != core.MasterID)]++
		}
		if t.Epoch == 0 {
			t.Epoch = was.Epoch
		}
		if changed || !there {
			g.rows[t.Name] = t
		}
	}
	if mapped {
		m.met["static topic"]++
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(g.rows)), func(name int) bool { return !named[name] }) {
		m.met["absent topic"]++
	}
	if m.rules.DeleteTopicsOnRegistration && !mapped {
		maps.DeleteFunc(g.rows, func(name int, _ Topic) bool { return !named[name] })
	}
	if changed {
		g.overridden = false
	}
}

func (m *model) leave(g *group, addr int) {
	if g.replaced(addr) {
		m.met["replaced one leaves"]++
	}
	delete(g.live, addr)
	if id, present := g.idOf(addr); present {
		delete(g.replicas, id)
	}
	switch {
	case g.empty():
		clear(g.rows)
		g.overridden = false
	case g.masterless():
		m.met["slaves stand in"]++
	}
}

// apply takes a step into the model.
func (m *model) apply(s Step) {
	switch s := s.(type) {
	case Register:
		m.register(s)
	case Unregister:
		m.leave(&m.groups[s.Broker], s.Addr)
	case Close:
		g := &m.groups[s.Broker]
		r := g.live[s.Addr]
		switch {
		case r == nil:
		case r.Conn != s.Conn:
			m.met["old connection closes"]++
		case g.replaced(s.Addr):
			m.met["replaced one's connection closes"]++
		default:
			m.met["connection closes"]++
			m.leave(g, s.Addr)
		}
	case Wipe:
		m.override(s.Broker)
	case Add:
		m.override(s.Broker)
	case DeleteTopic:
		for i := range m.groups {
			g := &m.groups[i]
			if _, there := g.rows[s.Topic]; there && (!s.InCluster || g.cluster == s.Cluster) {
				m.met["topic deleted"]++
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
		m.met["overridden"]++
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
			m.met["queues up to an unknown broker"]++
			return
		}
		m.met["queues set"]++
		rows := m.groups[q.Broker].rows
		rows[s.Topic] = Topic{Name: s.Topic, Read: q.Read, Write: q.Write, Perm: q.Perm, SysFlag: q.SysFlag, Epoch: rows[s.Topic].Epoch}
	}
}
