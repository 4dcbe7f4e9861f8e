package storetest

import (
	"time"

	"signpost/core"
)

// renewable returns a group whose master has a direct lease beside those of
// another front and of a session, whose first slave has a session's only, and
// the renewal of the master that holds a second after epoch.
func renewable(c *client) (core.Group, core.Renewal) {
	g := fullGroup(c.name("g"))
	master := newReplica(0, "10.0.0.1:10911", epoch)
	master.Timeout = 10 * time.Second
	master.Digest = 1<<63 + 5
	master.DataVersion = core.DataVersion{StateVersion: 1, Timestamp: 2, Counter: 3}
	master.Leases = []core.Lease{
		{Front: "https", Said: epoch}, {Front: "tcp", Said: epoch.Add(-5 * time.Second)}, {Session: "s1", Said: epoch},
	}
	slave := newReplica(1, "10.0.0.2:10911", epoch)
	slave.Leases = []core.Lease{{Session: "s1", Said: epoch}}
	other := newReplica(2, "10.0.0.3:10911", epoch)
	g.Replicas = []core.Replica{master, slave, other}
	version := master.DataVersion
	return c.put(g), core.Renewal{
		Front: "https", Cluster: g.Cluster, Broker: g.Name, ID: 0, Addr: master.Addr,
		Digest: master.Digest, DataVersion: &version, Said: epoch.Add(time.Second),
	}
}

// refusals are the ways for a renewal not to hold, each alone.
var refusals = []struct {
	name string
	edit func(r *core.Renewal, now *time.Time)
}{
	{"another cluster", func(r *core.Renewal, _ *time.Time) { r.Cluster += "x" }},
	{"no such group", func(r *core.Renewal, _ *time.Time) { r.Broker += "x" }},
	{"no such id", func(r *core.Renewal, _ *time.Time) { r.ID = 3 }},
	{"another replica's id", func(r *core.Renewal, _ *time.Time) { r.ID = 2 }},
	{"another address", func(r *core.Renewal, _ *time.Time) { r.Addr = "10.0.0.9:10911" }},
	{"another replica's address", func(r *core.Renewal, _ *time.Time) { r.Addr = "10.0.0.3:10911" }},
	{"another digest", func(r *core.Renewal, _ *time.Time) { r.Digest++ }},
	{"another state version", func(r *core.Renewal, _ *time.Time) { r.DataVersion.StateVersion++ }},
	{"another timestamp", func(r *core.Renewal, _ *time.Time) { r.DataVersion.Timestamp++ }},
	{"another counter", func(r *core.Renewal, _ *time.Time) { r.DataVersion.Counter++ }},
	{"another front", func(r *core.Renewal, _ *time.Time) { r.Front += "x" }},
	{"a session for a front", func(r *core.Renewal, _ *time.Time) { r.Front = "s1" }},
	{"no front", func(r *core.Renewal, _ *time.Time) { r.Front = "" }},
	{"a session's lease only", func(r *core.Renewal, _ *time.Time) {
		*r = core.Renewal{Cluster: r.Cluster, Broker: r.Broker, ID: 1, Addr: "10.0.0.2:10911", Said: r.Said}
	}},
	{"a digest where it must be heard again", func(r *core.Renewal, _ *time.Time) {
		*r = core.Renewal{Cluster: r.Cluster, Broker: r.Broker, ID: 2, Addr: "10.0.0.3:10911", Digest: 1, Said: r.Said}
	}},
	{"run out", func(_ *core.Renewal, now *time.Time) { *now = epoch.Add(10*time.Second + time.Millisecond) }},
	{"run out, and another front's not", func(r *core.Renewal, now *time.Time) {
		r.Front, *now = "tcp", epoch.Add(5*time.Second+time.Millisecond)
	}},
}

var renewTests = []test{
	{"said moves the lease and its replica", func(c *client) {
		g, r := renewable(c)
		now := epoch.Add(2 * time.Second)
		got, err := c.s.Renew(c.ctx, now, r)
		c.must(err)
		want := g.Clone()
		want.Replicas[0].Said, want.Replicas[0].Leases[0].Said = r.Said, r.Said
		want.Version = got.Version
		c.same("group returned", got, want)
		c.same("group read", c.group(g.Name), want)
	}},
	{"nothing is asked that is not named", func(c *client) {
		_, r := renewable(c)
		r.Digest, r.DataVersion = 0, nil
		_, err := c.s.Renew(c.ctx, epoch, r)
		c.must(err)
	}},
	{"each front renews its own lease", func(c *client) {
		g, r := renewable(c)
		want := g.Clone()
		for i, front := range []string{"https", "tcp", "https"} {
			r.Front, r.Said = front, epoch.Add(time.Duration(i+1)*time.Second)
			got, err := c.s.Renew(c.ctx, r.Said, r)
			c.must(err)
			want.Replicas[0].Said, want.Replicas[0].Leases[i%2].Said = r.Said, r.Said
			want.Version = got.Version
			c.same("group returned", got, want)
			c.same("group read", c.group(g.Name), want)
		}
	}},
	{"a front without a name", func(c *client) {
		g := core.Group{Name: c.name("g"), Cluster: "c", Replicas: []core.Replica{newReplica(0, "10.0.0.1:10911", epoch)}}
		c.put(g)
		said := epoch.Add(time.Second)
		got, err := c.s.Renew(c.ctx, said, core.Renewal{Cluster: "c", Broker: g.Name, Addr: "10.0.0.1:10911", Said: said})
		c.must(err)
		c.same("lease", got.Replicas[0].Leases, []core.Lease{{Said: said}})
		c.same("group read", c.group(g.Name), got)
	}},
	{"the last moment", func(c *client) {
		_, r := renewable(c)
		_, err := c.s.Renew(c.ctx, epoch.Add(10*time.Second), r)
		c.must(err)
	}},
	{"not what is there", func(c *client) {
		g, valid := renewable(c)
		for _, refusal := range refusals {
			r, version, now := valid, *valid.DataVersion, epoch.Add(time.Second)
			r.DataVersion = &version
			refusal.edit(&r, &now)
			_, err := c.s.Renew(c.ctx, now, r)
			c.refused(refusal.name, err, core.ErrChanged)
			c.same("group after "+refusal.name, c.groups(), []core.Group{g})
		}
		_, err := c.s.Renew(c.ctx, epoch.Add(time.Second), valid)
		c.must(err) // it was each difference, and nothing else
	}},
	{"a removed group", func(c *client) {
		g, r := renewable(c)
		c.must(c.s.RemoveGroup(c.ctx, g.Name, g.Version))
		_, err := c.s.Renew(c.ctx, epoch, r)
		c.refused("renew", err, core.ErrChanged)
		c.same("groups", c.groups(), []core.Group(nil))
	}},
	{"said never moves back", func(c *client) {
		g, r := renewable(c)
		r.Said = epoch.Add(5 * time.Second)
		_, err := c.s.Renew(c.ctx, epoch, r)
		c.must(err)
		for _, back := range []time.Duration{5 * time.Second, time.Second, -time.Hour} {
			r.Said = epoch.Add(back)
			got, err := c.s.Renew(c.ctx, epoch, r)
			c.must(err)
			want := g.Clone()
			want.Replicas[0].Said, want.Replicas[0].Leases[0].Said = epoch.Add(5*time.Second), epoch.Add(5*time.Second)
			want.Version = got.Version
			c.same("group returned", got, want)
			c.same("group read", c.group(g.Name), want)
		}
	}},
	{"each said moves by itself", func(c *client) {
		// Another lease's statement is newer than the direct one's.
		g, r := renewable(c)
		newer := g.Clone()
		newer.Replicas[0].Said = epoch.Add(8 * time.Second)
		newer = c.put(newer)
		got, err := c.s.Renew(c.ctx, epoch, r)
		c.must(err)
		want := newer.Clone()
		want.Replicas[0].Leases[0].Said = r.Said
		want.Version = got.Version
		c.same("group returned", got, want)
		c.same("group read", c.group(g.Name), want)
	}},
	{"a renewed lease lasts longer", func(c *client) {
		_, r := renewable(c)
		for i := range 5 {
			now := epoch.Add(time.Duration(i) * 10 * time.Second)
			r.Said = now
			_, err := c.s.Renew(c.ctx, now, r)
			c.must(err)
		}
	}},
	{"a put over what was read before loses no beat", func(c *client) {
		g, r := renewable(c)
		renewed, err := c.s.Renew(c.ctx, epoch, r)
		c.must(err)
		_, err = c.s.PutGroup(c.ctx, g)
		c.refused("put over the version before the beat", err, core.ErrConflict)
		c.refused("remove the version before the beat", c.s.RemoveGroup(c.ctx, g.Name, g.Version), core.ErrConflict)
		c.same("group", c.group(g.Name), renewed)
		c.put(renewed)
	}},
}
