package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
)

// model is the contract in its plainest form: maps, and one caller.
type model struct {
	groups   map[string]core.Group
	topics   map[string]map[string]core.Topic // by broker and name
	log      []core.Change
	sessions map[string]core.Session // closed ones too
	kv       map[string]map[string]string
	base     core.Revision
}

var modelTests = []test{
	{"random sequences", func(c *client) {
		done, failed := 0, false
		rapid.Check(c.t, func(rt *rapid.T) {
			// rapid takes its number of checks from a flag only. After a
			// failure it runs the property to make the example smaller.
			if done++; done > c.sequences && !failed {
				return
			}
			whole := false
			defer func() { failed = failed || !whole }()
			run := *c
			run.t, run.tag = rt, fmt.Sprintf("%s-%d", c.tag, done)
			sequence(rt, &run)
			whole = true
		})
	}},
}

// sequence makes random calls, and compares each answer, and what it left.
func sequence(rt *rapid.T, c *client) {
	m := &model{
		groups: map[string]core.Group{}, topics: map[string]map[string]core.Topic{},
		sessions: map[string]core.Session{}, kv: map[string]map[string]string{}, base: c.head(0).Revision,
	}
	calls := []func(*rapid.T, *client){
		m.putGroup, m.putGroup, m.removeGroup, m.renew, m.renew, m.writeTopics, m.writeTopics, m.writeTopics,
		m.raise, m.openSession, m.beatSession, m.beatSession, m.closeSession, m.putKV, m.deleteKV,
	}
	n := rapid.IntRange(1, c.steps).Draw(rt, "steps")
	for range n {
		rapid.SampledFrom(calls).Draw(rt, "call")(rt, c)
		m.check(c)
	}
}

// outcome checks that a call was refused as the model says; nil is not at all.
func outcome(rt *rapid.T, what string, err, expected error) {
	if expected == nil && err != nil || expected != nil && err == nil {
		rt.Fatalf("%s: got error %v, want %v", what, err, expected)
	}
	if expected != nil {
		(&client{t: rt}).refused(what, err, expected)
	}
}

var (
	brokerNames = []string{"b1", "b2", "b3"}
	topicNames  = []string{"t1", "t2", "t3", "t4"}
)

func drawName(rt *rapid.T, c *client, names []string) string {
	return c.name(rapid.SampledFrom(names).Draw(rt, "name"))
}

func drawTime(rt *rapid.T, what string) time.Time {
	return epoch.Add(time.Duration(rapid.IntRange(0, 40).Draw(rt, what)) * time.Second)
}

// drawVersion is mostly the group's; else one that is not.
func (m *model) drawVersion(rt *rapid.T, name string) uint64 {
	return m.groups[name].Version + rapid.SampledFrom([]uint64{0, 0, 0, 0, 1, 1 << 40}).Draw(rt, "version off by")
}

func (m *model) versionIs(name string, version uint64) error {
	if m.groups[name].Version != version {
		return core.ErrConflict
	}
	return nil
}

func (m *model) putGroup(rt *rapid.T, c *client) {
	g := core.Group{Name: drawName(rt, c, brokerNames), Cluster: rapid.SampledFrom([]string{"c1", "c2"}).Draw(rt, "cluster")}
	for id := range int64(rapid.IntRange(0, 2).Draw(rt, "replicas")) {
		r := newReplica(id, fmt.Sprintf("10.0.0.%d:1", id), drawTime(rt, "said"))
		r.Timeout = 10 * time.Second
		r.Digest = rapid.Uint64Range(0, 2).Draw(rt, "digest")
		r.DataVersion.Counter = int64(rapid.IntRange(0, 1).Draw(rt, "counter"))
		if rapid.Bool().Draw(rt, "session's") {
			r.Leases = append(r.Leases, core.Lease{Session: "s", Said: r.Said})
			r.Leases = r.Leases[rapid.IntRange(0, 1).Draw(rt, "direct too"):]
		}
		g.Replicas = append(g.Replicas, r)
	}
	g.Version = m.drawVersion(rt, g.Name)
	want := m.versionIs(g.Name, g.Version)
	stored, err := c.s.PutGroup(c.ctx, g)
	outcome(rt, "PutGroup", err, want)
	if err == nil {
		if stored.Version == 0 || stored.Version == g.Version {
			rt.Fatalf("stored over version %d as version %d", g.Version, stored.Version)
		}
		g.Version = stored.Version
		c.same("group returned", stored, g)
		m.groups[g.Name] = g
	}
}

func (m *model) removeGroup(rt *rapid.T, c *client) {
	name := drawName(rt, c, brokerNames)
	version := m.drawVersion(rt, name)
	want := m.versionIs(name, version)
	if _, ok := m.groups[name]; !ok {
		want = nil
	}
	outcome(rt, "RemoveGroup", c.s.RemoveGroup(c.ctx, name, version), want)
	if want == nil {
		delete(m.groups, name)
	}
}

func (m *model) renew(rt *rapid.T, c *client) {
	id := int64(rapid.IntRange(0, 2).Draw(rt, "id"))
	r := core.Renewal{
		Cluster: rapid.SampledFrom([]string{"c1", "c2"}).Draw(rt, "cluster"), Broker: drawName(rt, c, brokerNames),
		ID: id, Addr: fmt.Sprintf("10.0.0.%d:1", id), Digest: rapid.Uint64Range(0, 2).Draw(rt, "digest"), Said: drawTime(rt, "said"),
	}
	if rapid.Bool().Draw(rt, "asks for the version") {
		r.DataVersion = &core.DataVersion{Counter: int64(rapid.IntRange(0, 1).Draw(rt, "counter"))}
	}
	now := drawTime(rt, "now")
	next, want := m.renewed(r, now)
	got, err := c.s.Renew(c.ctx, now, r)
	outcome(rt, "Renew", err, want)
	if err == nil {
		next.Version = got.Version
		c.same("group returned", got, next)
		m.groups[r.Broker] = next
	}
}

func (m *model) renewed(r core.Renewal, now time.Time) (core.Group, error) {
	g, ok := m.groups[r.Broker]
	if !ok || g.Cluster != r.Cluster {
		return g, core.ErrChanged
	}
	g = g.Clone()
	for i := range g.Replicas {
		b := &g.Replicas[i]
		if b.ID != r.ID || b.Addr != r.Addr || r.Digest != 0 && r.Digest != b.Digest || r.DataVersion != nil && *r.DataVersion != b.DataVersion {
			continue
		}
		for j := range b.Leases {
			if l := &b.Leases[j]; l.Session == "" && !now.After(l.Said.Add(b.Timeout)) {
				if r.Said.After(l.Said) {
					l.Said = r.Said
				}
				if r.Said.After(b.Said) {
					b.Said = r.Said
				}
				return g, nil
			}
		}
	}
	return g, core.ErrChanged
}

func (m *model) writeTopics(rt *rapid.T, c *client) {
	w := core.TopicWrite{Broker: drawName(rt, c, brokerNames), Writer: "none", Replace: rapid.Bool().Draw(rt, "replace")}
	taken := rapid.IntRange(0, 9).Draw(rt, "not the writer if 0") > 0
	if taken {
		w.Writer = c.writer(w.Broker)
		m.groups[w.Broker] = c.group(w.Broker)
	}
	for _, name := range topicNames {
		name = c.name(name)
		t := newTopic(name, int32(rapid.IntRange(1, 2).Draw(rt, "queues")))
		switch rapid.IntRange(0, 3).Draw(rt, "nothing, remove or put") {
		case 1:
			w.Remove = append(w.Remove, name)
		case 2, 3:
			t.Queues.SysFlag = int32(rapid.IntRange(0, 1).Draw(rt, "sysFlag"))
			if !w.Replace && rapid.Bool().Draw(rt, "bring a mapping") {
				t.Mapping = newMapping(name, int64(rapid.IntRange(1, 2).Draw(rt, "epoch")))
			}
			w.Put = append(w.Put, t)
		}
		if rapid.IntRange(0, 3).Draw(rt, "set a mapping if 0") == 0 {
			w.Mappings = append(w.Mappings, newMapping(name, int64(rapid.IntRange(1, 2).Draw(rt, "epoch"))))
		}
	}
	changed, err := c.s.WriteTopics(c.ctx, w)
	if !taken {
		outcome(rt, "WriteTopics", err, core.ErrBusy)
		return
	}
	outcome(rt, "WriteTopics", err, nil)
	c.same("changed", changed, m.written(w))
}

// written makes the changes and returns the names of what is different.
func (m *model) written(w core.TopicWrite) []string {
	before := m.topics[w.Broker]
	after := maps.Clone(before)
	if after == nil || w.Replace {
		after = map[string]core.Topic{}
	}
	for _, name := range w.Remove {
		delete(after, name)
	}
	for _, t := range w.Put {
		if t.Mapping == nil && !w.Replace {
			t.Mapping = before[t.Name].Mapping
		}
		after[t.Name] = t
	}
	for _, mapping := range w.Mappings {
		if t, ok := after[mapping.Topic]; ok {
			t.Mapping = mapping
			after[t.Name] = t
		}
	}
	m.topics[w.Broker] = after
	var changed []string
	for name := range before {
		if _, ok := after[name]; !ok {
			changed = append(changed, name)
		}
	}
	for name, t := range after {
		if old, ok := before[name]; !ok || !old.Equal(t) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

func (m *model) raise(rt *rapid.T, c *client) {
	var changes []core.Change
	for range rapid.IntRange(0, 2).Draw(rt, "changes") {
		changes = append(changes, core.Change{
			Broker: drawName(rt, c, brokerNames), Replicas: rapid.Bool().Draw(rt, "replicas"), Topics: []string{drawName(rt, c, topicNames)},
		})
	}
	r := c.raise(changes...)
	m.log = append(m.log, changes...)
	if want := m.base + core.Revision(len(m.log)); r != want {
		rt.Fatalf("raised to %d, want %d", r, want)
	}
}

func (m *model) openSession(rt *rapid.T, c *client) {
	s := core.Session{ID: drawName(rt, c, []string{"s1", "s2", "s3", "s4"}), Owner: "o", Last: drawTime(rt, "last")}
	var want error
	if _, used := m.sessions[s.ID]; used {
		want = core.ErrSessionClosed
	} else {
		m.sessions[s.ID] = s
	}
	outcome(rt, "OpenSession", c.s.OpenSession(c.ctx, s), want)
}

func (m *model) beatSession(rt *rapid.T, c *client) {
	id, now := drawName(rt, c, []string{"s1", "s2", "s3", "s4"}), drawTime(rt, "now")
	owner := rapid.SampledFrom([]string{"o", "o", "o", "other"}).Draw(rt, "owner")
	s, ok := m.sessions[id]
	var want error
	switch {
	case !ok || !s.Alive(now):
		want, owner = core.ErrSessionClosed, "o"
	case owner != s.Owner:
		want = core.ErrForbidden
	case now.After(s.Last):
		s.Last = now
		m.sessions[id] = s
	}
	outcome(rt, "BeatSession", c.s.BeatSession(c.ctx, id, owner, now), want)
}

func (m *model) closeSession(rt *rapid.T, c *client) {
	id := drawName(rt, c, []string{"s1", "s2", "s3", "s4"})
	s, ok := m.sessions[id]
	last := s.Last
	if rapid.Bool().Draw(rt, "not the last beat") {
		last = drawTime(rt, "last")
	}
	var want error
	switch {
	case !ok || s.Closed:
	case !last.Equal(s.Last):
		want = core.ErrConflict
	default:
		s.Closed = true
		m.sessions[id] = s
	}
	outcome(rt, "CloseSession", c.s.CloseSession(c.ctx, id, last), want)
}

var namespaces, keys = []string{"n1", "n2"}, []string{"k1", "k2"}

func (m *model) putKV(rt *rapid.T, c *client) {
	ns, key := drawName(rt, c, namespaces), drawName(rt, c, keys)
	value := rapid.SampledFrom([]string{"", "v", "w"}).Draw(rt, "value")
	c.must(c.s.PutKV(c.ctx, ns, key, value))
	if m.kv[ns] == nil {
		m.kv[ns] = map[string]string{}
	}
	m.kv[ns][key] = value
}

func (m *model) deleteKV(rt *rapid.T, c *client) {
	ns, key := drawName(rt, c, namespaces), drawName(rt, c, keys)
	c.must(c.s.DeleteKV(c.ctx, ns, key))
	delete(m.kv[ns], key)
}

// check reads everything that the sequence could have touched.
func (m *model) check(c *client) {
	byName := func(a, b core.Group) int { return cmp.Compare(a.Name, b.Name) }
	c.same("groups", c.groups(), slices.SortedFunc(maps.Values(m.groups), byName))
	for _, name := range brokerNames {
		var set []core.TopicFlag
		for _, t := range m.topics[c.name(name)] {
			set = append(set, core.TopicFlag{Name: t.Name, SysFlag: t.Queues.SysFlag})
		}
		slices.SortFunc(set, func(a, b core.TopicFlag) int { return cmp.Compare(a.Name, b.Name) })
		c.same("set", c.topicSet(c.name(name)), set)
	}
	for _, name := range topicNames {
		var rows []core.Row
		for _, broker := range brokerNames {
			if t, ok := m.topics[c.name(broker)][c.name(name)]; ok {
				rows = append(rows, core.Row{Broker: c.name(broker), Topic: t})
			}
		}
		c.same("rows", c.rows(c.name(name)), rows)
	}
	head := c.head(m.base)
	if head.Revision != m.base+core.Revision(len(m.log)) {
		c.t.Fatalf("at %d after %d changes from %d", head.Revision, len(m.log), m.base)
	}
	if head.Complete {
		c.same("changes", withoutRevisions(head.Changes), m.log)
	}
	open := core.Sessions{}
	for _, id := range slices.Sorted(maps.Keys(m.sessions)) {
		if !m.sessions[id].Closed {
			open = append(open, m.sessions[id])
		}
	}
	c.same("sessions", live(c), open)
	for _, name := range namespaces {
		if keys, ok := m.kv[c.name(name)]; ok {
			c.same("namespace", c.kv(c.name(name)), keys)
		} else {
			c.noNamespace(c.name(name))
		}
	}
}
