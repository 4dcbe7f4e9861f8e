//go:build e2e

package parity

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/wire"
)

// generator draws the next step of a sequence from what the model allows.
type generator struct {
	*model
}

// actions are the kinds of steps. What makes groups grow has several names,
// so that it comes more often.
func (g generator) actions(do func(*rapid.T, Step)) map[string]func(*rapid.T) {
	step := func(draws ...func(*rapid.T) Step) func(*rapid.T) {
		return func(t *rapid.T) { do(t, draws[upTo(t, len(draws), "which")](t)) }
	}
	a := map[string]func(*rapid.T){
		"register":       step(g.registerAnew),
		"register too":   step(g.registerAnew),
		"register more":  step(g.registerAnew),
		"register again": step(g.registerAgain),
		"a part again":   step(g.registerPart),
		"leave":          step(g.unregister, g.close),
		"permission":     step(g.wipe, g.add),
		"KV":             step(g.putKV, g.deleteKV),
		"delete topic":   step(g.deleteTopic),
		"query version":  step(g.queryVersion),
	}
	if !g.old {
		a["leave"] = step(g.unregister, g.unregister, g.close, g.close, g.lapse) // a lapse takes time
		a["set queues"] = step(g.setQueuesOf)
		a["heartbeat"] = step(g.heartbeat)
		a["succession"] = func(t *rapid.T) { g.succession(t, do) }
	}
	return a
}

func upTo(t *rapid.T, n int, label string) int { return rapid.IntRange(0, n-1).Draw(t, label) }

// broker draws a broker, the first more often: what matters is what happens to
// one group.
func broker(t *rapid.T) int { return oneOf(t, "broker", 0, 0, 0, 1, 1, 2) }

func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, label)
}

// registerAnew draws a registration with a DataVersion of its own.
func (g generator) registerAnew(t *rapid.T) Step {
	r := Register{Broker: broker(t), Conn: upTo(t, Conns, "connection")}
	group := &g.groups[r.Broker]
	r.Addr, r.ID = g.place(t, group)
	was, present := group.idOf(r.Addr)
	g.drawNature(t, &r)
	r.Version = group.version + 1
	if !oldForm(r.Form) {
		r.State = rapid.Int64Range(0, 2).Draw(t, "state")
	}
	if r.Keep = present && was == r.ID && !r.Form.Compressed() && upTo(t, 8, "keep filters") == 7; !r.Keep {
		r.Filters = rapid.SliceOfN(rapid.IntRange(0, 1), 0, 2).Draw(t, "filters")
	}
	var names []int
	if g.mustCover(r) {
		names = slices.Collect(maps.Keys(group.rows))
	}
	names = append(names, rapid.SliceOfNDistinct(rapid.IntRange(0, Topics-1), 0, Topics, rapid.ID[int]).Draw(t, "topics")...)
	slices.Sort(names)
	alike := rapid.Bool().Draw(t, "alike") // as slaves are
	for _, name := range slices.Compact(names) {
		r.Topics = append(r.Topics, g.topic(t, group, name, r.Form, alike))
	}
	avoid(t, g.parts(r)...)
	return r
}

// place draws an address and the id that it is to have: its own, a free one,
// another's, or any.
func (g generator) place(t *rapid.T, group *group) (addr int, id int64) {
	var present, absent []int
	var taken, free []int64
	for a := range Addresses {
		if _, ok := group.idOf(a); ok {
			present = append(present, a)
		} else {
			absent = append(absent, a)
		}
	}
	for i := range int64(MaxID + 1) {
		if _, ok := group.replicas[i]; ok {
			taken = append(taken, i)
		} else {
			free = append(free, i)
		}
	}
	how := oneOf(t, "place", "its own", "its own", "joins", "joins", "takes over", "switches", "any")
	switch {
	case how == "its own" && len(present) > 0:
		addr = oneOf(t, "address", present...)
		id, _ = group.idOf(addr)
	case how == "joins" && len(absent) > 0:
		addr, id = oneOf(t, "address", absent...), oneOf(t, "id", free...)
	case how == "takes over" && len(present) > 0 && len(absent) > 0:
		addr, id = oneOf(t, "address", absent...), oneOf(t, "id", taken...)
	case how == "switches" && len(present) > 0:
		addr, id = oneOf(t, "address", present...), oneOf(t, "id", free...)
	default:
		addr, id = upTo(t, Addresses, "address"), rapid.Int64Range(0, MaxID).Draw(t, "id")
	}
	return addr, id
}

// drawNature draws what the brokers of a group have in common, or takes over
// what they have: lowestCounts and nameConflict are avoided.
func (g generator) drawNature(t *rapid.T, r *Register) {
	group := &g.groups[r.Broker]
	r.Cluster, r.Acting, r.Zone = group.cluster, group.acting, group.zone
	_, present := group.idOf(r.Addr)
	if group.empty() && !group.anyReplaced() {
		r.Cluster = upTo(t, Clusters, "cluster")
	}
	forms := []wire.RegistrationForm{wire.JSON4, wire.Compact4}
	if !g.old {
		if group.empty() {
			r.Acting = rapid.Bool().Draw(t, "acting")
		}
		if group.empty() || len(group.replicas) == 1 && present {
			r.Zone = upTo(t, Zones, "zone")
		}
		if r.Acting || r.Zone != 0 {
			forms = nil
		}
		forms = append(forms, wire.JSON5, wire.Compact5)
	}
	r.Form = oneOf(t, "form", forms...)
}

// topic draws what a broker says of a topic: what its group says of it already,
// if they are alike and often if not.
func (g generator) topic(t *rapid.T, group *group, name int, form wire.RegistrationForm, alike bool) Topic {
	if row, there := group.rows[name]; there && effective(row, form) == row && (alike || rapid.Bool().Draw(t, "as it is")) {
		return row
	}
	q := g.queues(t)
	topic := Topic{Name: name, Read: q.Read, Write: q.Write, Perm: q.Perm, SysFlag: q.SysFlag}
	if !oldForm(form) {
		topic.Epoch = oneOf[int64](t, "epoch", 0, 0, 0, 0, 0, 1, 2)
	}
	return effective(topic, form)
}

func (g generator) queues(t *rapid.T) Queues {
	return Queues{
		Read: oneOf[int32](t, "read", 4, 8), Write: oneOf[int32](t, "write", 4, 8), Perm: oneOf[int32](t, "perm", 6, 6, 6, 4, 2, 7, 0),
		SysFlag: oneOf[int32](t, "flag", 0, 0, 1, 2, 3),
	}
}

// known draws an address that is there.
func (g generator) known(t *rapid.T) (broker, addr int) {
	type at struct{ broker, addr int }
	var all []at
	for b := range g.groups {
		for _, a := range slices.Sorted(maps.Values(g.groups[b].replicas)) {
			all = append(all, at{b, a})
		}
	}
	if len(all) == 0 {
		t.Skip("nobody is registered")
	}
	x := oneOf(t, "who", all...)
	return x.broker, x.addr
}

// heirOrAny draws an address: any, or that of a slave that is its group's
// lowest, of which there is more to be heard than before.
func (g generator) heirOrAny(t *rapid.T) (b, a int) {
	if b = broker(t); rapid.Bool().Draw(t, "heir") {
		if id, a, ok := g.groups[b].lowest(); ok && id != core.MasterID {
			return b, a
		}
	}
	return b, upTo(t, Addresses, "address")
}

// registerAgain repeats an address's last registration, to the byte; whoever
// has left comes back with it.
func (g generator) registerAgain(t *rapid.T) Step {
	b, a := g.heirOrAny(t)
	group := &g.groups[b]
	if group.last[a] == nil || group.replaced(a) {
		t.Skip("it was never there, or lost its place")
	}
	r := *group.last[a]
	r.Lapse = false
	r.Conn = upTo(t, Conns, "connection")
	if id, present := group.idOf(a); present && id != r.ID {
		t.Skip("it has another id now")
	}
	if !group.empty() && (r.Cluster != group.cluster || r.Zone != group.zone || (r.Acting && !oldForm(r.Form)) != group.acting) ||
		group.empty() && group.anyReplaced() && r.Cluster != group.cluster {
		t.Skip("its group is another now")
	}
	avoid(t, g.parts(r)...)
	return r
}

// registerPart repeats a part of a present broker's topics under the same
// DataVersion.
func (g generator) registerPart(t *rapid.T) Step {
	b, a := g.known(t)
	r := *g.groups[b].live[a]
	r.Conn = upTo(t, Conns, "connection")
	r.Topics = slices.DeleteFunc(slices.Clone(r.Topics), func(Topic) bool { return rapid.Bool().Draw(t, "without") })
	avoid(t, g.parts(r)...)
	return r
}

// succession lets a group's lowest leave and its next, which has just said what
// it has, say it again.
func (g generator) succession(t *rapid.T, do func(*rapid.T, Step)) {
	b := broker(t)
	group := &g.groups[b]
	id, first, ok := group.lowest()
	if !ok || len(group.replicas) < 2 {
		t.Skip("nobody to succeed")
	}
	gone := group.live[first]
	delete(group.replicas, id)
	_, next, _ := group.lowest()
	group.replicas[id] = first
	again := *group.live[next]
	do(t, again)
	if rapid.Bool().Draw(t, "by its connection") {
		do(t, Close{b, first, gone.Conn})
	} else {
		do(t, Unregister{Broker: b, ID: id, Addr: first, Cluster: group.cluster})
	}
	if g.parts(again) == nil {
		do(t, again)
	}
}

// lapse lets a present broker register for the last time.
func (g generator) lapse(t *rapid.T) Step {
	b, a := g.known(t)
	r := *g.groups[b].live[a]
	if oldForm(r.Form) {
		t.Skip("brokers of 4.x name no timeout")
	}
	r.Conn = upTo(t, Conns, "connection")
	r.Lapse = true
	avoid(t, g.parts(r)...)
	return r
}

// someone draws an address: the lowest of a group, one that is there, or any.
func (g generator) someone(t *rapid.T) (b, a int) {
	which := oneOf(t, "someone", "lowest", "known", "any")
	if which == "lowest" {
		b = broker(t)
		if _, a, ok := g.groups[b].lowest(); ok {
			return b, a
		}
	}
	if which != "any" && slices.ContainsFunc(g.groups[:], func(g group) bool { return !g.empty() }) {
		return g.known(t)
	}
	return broker(t), upTo(t, Addresses, "address")
}

func (g generator) unregister(t *rapid.T) Step {
	var u Unregister
	u.Broker, u.Addr = g.someone(t)
	group := &g.groups[u.Broker]
	u.Cluster = group.cluster
	id, present := group.idOf(u.Addr)
	u.ID = id
	switch {
	case !g.old:
		u.ID = oneOf(t, "id", id, id, id, 0, 1, 2) // 5.x goes by address
	case !present:
		avoid(t, goneByID)
	}
	return u
}

func (g generator) close(t *rapid.T) Step {
	b, a := g.someone(t)
	if r := g.groups[b].live[a]; r != nil && rapid.Bool().Draw(t, "its connection") {
		return Close{b, a, r.Conn}
	}
	return Close{b, a, upTo(t, Conns, "connection")}
}

func (g generator) wipe(t *rapid.T) Step { return Wipe{broker(t)} }

func (g generator) add(t *rapid.T) Step {
	a := Add{broker(t)}
	if g.groups[a.Broker].masterless() {
		avoid(t, masterless)
	}
	return a
}

func (g generator) deleteTopic(t *rapid.T) Step {
	d := DeleteTopic{Topic: upTo(t, Topics, "topic"), InCluster: rapid.Bool().Draw(t, "in cluster")}
	if d.InCluster {
		d.Cluster = upTo(t, Clusters, "cluster")
	}
	return d
}

func (g generator) setQueuesOf(t *rapid.T) Step {
	s := SetQueues{Topic: upTo(t, Topics, "topic")}
	for range rapid.IntRange(0, 3).Draw(t, "rows") {
		q := g.queues(t)
		q.Broker = broker(t)
		group := &g.groups[q.Broker]
		if group.masterless() {
			q.Perm &^= core.PermWrite // or avoid(t, masterless)
		}
		if group.overridden {
			avoid(t, overrideOfGroup)
		}
		s.Rows = append(s.Rows, q)
	}
	return s
}

func (g generator) putKV(t *rapid.T) Step {
	return PutKV{upTo(t, Namespaces, "namespace"), upTo(t, Keys, "key"), oneOf(t, "value", "b0:4;b1:4", "Grüße /\"\\", "x")}
}

func (g generator) deleteKV(t *rapid.T) Step {
	return DeleteKV{upTo(t, Namespaces, "namespace"), upTo(t, Keys, "key")}
}

func (g generator) queryVersion(t *rapid.T) Step {
	var q QueryVersion
	q.Broker, q.Addr = g.someone(t)
	group := &g.groups[q.Broker]
	q.Cluster = group.cluster
	q.ID, _ = group.idOf(q.Addr)
	if r := group.live[q.Addr]; r != nil {
		q.Version, q.State = r.Version, r.State
	}
	q.Version += oneOf[int64](t, "newer", 0, 0, 1)
	return q
}

func (g generator) heartbeat(t *rapid.T) Step {
	var h Heartbeat
	h.Broker, h.Addr = g.someone(t)
	h.Cluster = g.groups[h.Broker].cluster
	h.ID, _ = g.groups[h.Broker].idOf(h.Addr)
	return h
}
