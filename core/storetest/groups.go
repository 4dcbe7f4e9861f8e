package storetest

import (
	"slices"
	"time"

	"signpost/core"
)

var groupTests = []test{
	{"absent is only a name", func(c *client) {
		c.same("group", c.group(c.name("none")), core.Group{Name: c.name("none")})
	}},
	{"every field is kept", func(c *client) {
		g := fullGroup(c.name("full"))
		before := canonical(g)
		stored := c.put(g)
		c.same("the group given", g, fullGroup(g.Name))
		if canonical(g) != before || stored.Version == 0 {
			c.t.Fatalf("version %d, and the group given is %s", stored.Version, canonical(g))
		}
		g.Version = stored.Version
		c.same("group returned", stored, g)
		c.same("group read", c.group(g.Name), g)
		c.same("groups read", c.groups(), []core.Group{g})
	}},
	{"odd names", func(c *client) {
		var want []string
		for _, odd := range oddNames() {
			name := c.name(odd)
			stored := c.put(core.Group{Name: name, Cluster: odd})
			c.same("group", c.group(name), stored)
			want = append(want, name)
		}
		slices.Sort(want)
		var got []string
		for _, g := range c.groups() {
			got = append(got, g.Name)
		}
		c.same("names", got, want)
	}},
	{"put only over the version read", func(c *client) {
		name := c.name("g")
		first := c.put(core.Group{Name: name, Cluster: "first"})
		second := first
		second.Cluster = "second"
		second = c.put(second)
		if second.Version == first.Version {
			c.t.Fatalf("version %d twice", first.Version)
		}
		for what, version := range map[string]uint64{
			"the version before": first.Version, "as if new": 0, "a version never given": second.Version + 1000,
		} {
			_, err := c.s.PutGroup(c.ctx, core.Group{Name: name, Cluster: what, Version: version})
			c.refused("put over "+what, err, core.ErrConflict)
			c.same("group after put over "+what, c.group(name), second)
		}
		_, err := c.s.PutGroup(c.ctx, core.Group{Name: c.name("none"), Version: second.Version})
		c.refused("put over a version of a group that is not there", err, core.ErrConflict)
		c.same("group that is not there", c.group(c.name("none")), core.Group{Name: c.name("none")})
	}},
	{"a list names each group once", func(c *client) {
		var all []core.Group
		for _, n := range []string{"d", "b", "a", "c"} {
			all = append(all, c.put(core.Group{Name: c.name(n), Cluster: n}))
		}
		slices.SortFunc(all, func(a, b core.Group) int { return int(a.Name[0]) - int(b.Name[0]) })
		c.same("all", c.groups(), all)
		some, err := c.s.Groups(c.ctx, []string{c.name("d"), c.name("none"), c.name("b"), c.name("d")})
		c.must(err)
		c.same("some", some, []core.Group{all[1], all[3]})
		none, err := c.s.Groups(c.ctx, []string{})
		c.must(err)
		if len(none) > 0 {
			c.t.Fatalf("asked for no group, got %d", len(none))
		}
		none, err = c.s.Groups(c.ctx, []string{c.name("none")})
		c.must(err)
		if len(none) > 0 {
			c.t.Fatalf("asked for a group that is not there, got %d", len(none))
		}
	}},
	{"many groups", func(c *client) {
		const many = 120 // more than some stores read at once
		var names []string
		var all []core.Group
		for i := range many {
			name := c.name(string(rune('a'+i/10)) + string(rune('0'+i%10)))
			names = append(names, name)
			all = append(all, c.put(core.Group{Name: name, Cluster: "c"}))
		}
		c.same("all", c.groups(), all)
		slices.Reverse(names)
		got, err := c.s.Groups(c.ctx, names)
		c.must(err)
		c.same("by name", got, all)
	}},
	{"remove only the version read", func(c *client) {
		name := c.name("g")
		first := c.put(core.Group{Name: name, Cluster: "first"})
		second := first
		second.Cluster = "second"
		second = c.put(second)
		for _, version := range []uint64{first.Version, 0, second.Version + 1000} {
			c.refused("remove another version", c.s.RemoveGroup(c.ctx, name, version), core.ErrConflict)
			c.same("group", c.group(name), second)
		}
		c.must(c.s.RemoveGroup(c.ctx, name, second.Version))
		c.same("removed group", c.group(name), core.Group{Name: name})
		c.same("groups", c.groups(), []core.Group(nil))
		c.must(c.s.RemoveGroup(c.ctx, name, second.Version)) // repeated
		c.must(c.s.RemoveGroup(c.ctx, name, 0))
		c.must(c.s.RemoveGroup(c.ctx, c.name("none"), 7))
	}},
	{"no version comes twice", func(c *client) {
		name := c.name("g")
		seen := map[uint64]bool{}
		var g core.Group
		for range 4 {
			g = c.put(core.Group{Name: name, Cluster: "c"})
			if seen[g.Version] {
				c.t.Fatalf("version %d was that of a group removed since", g.Version)
			}
			seen[g.Version] = true
			for old := range seen {
				if old == g.Version {
					continue
				}
				_, err := c.s.PutGroup(c.ctx, core.Group{Name: name, Cluster: "old", Version: old})
				c.refused("put over a group removed since", err, core.ErrConflict)
				c.refused("remove a group removed since", c.s.RemoveGroup(c.ctx, name, old), core.ErrConflict)
			}
			c.must(c.s.RemoveGroup(c.ctx, name, g.Version))
		}
		_, err := c.s.PutGroup(c.ctx, g)
		c.refused("put over a group that was removed", err, core.ErrConflict)
	}},
	{"what was given may change afterwards", func(c *client) {
		given := fullGroup(c.name("g"))
		stored := c.put(given)
		want := canonical(stored)
		given.Replicas[0].Addr = "changed"
		given.Replicas[0].FilterServers[0] = "changed"
		given.Replicas[1].Leases[1].Session = "changed"
		given.Outbox[0].Addr = "changed"
		given.Outbox[0].Topics[0] = "changed"
		if got := canonical(c.group(given.Name)); got != want {
			c.t.Fatalf("the store holds what was given:\n got %s\nwant %s", got, want)
		}
	}},
	{"what was read stays", func(c *client) {
		g := fullGroup(c.name("g"))
		g.Replicas = []core.Replica{newReplica(0, "10.0.0.1:1", epoch), newReplica(1, "10.0.0.2:1", epoch)}
		stored := c.put(g)
		read := c.group(g.Name)
		list := c.groups()
		want, wantList := canonical(read), canonical(list)
		renewed, err := c.s.Renew(c.ctx, epoch, core.Renewal{
			Cluster: g.Cluster, Broker: g.Name, ID: 1, Addr: "10.0.0.2:1", Said: epoch.Add(time.Second),
		})
		c.must(err)
		next := renewed.Clone()
		next.Cluster, next.Replicas[0].Addr, next.Outbox[1].Addr = "other", "10.0.0.9:1", "other"
		c.put(next)
		if got := canonical(read); got != want || canonical(stored) != want {
			c.t.Fatalf("a group read before changed:\n got %s\nwant %s", got, want)
		}
		if got := canonical(list); got != wantList {
			c.t.Fatalf("groups read before changed:\n got %s\nwant %s", got, wantList)
		}
	}},
}
