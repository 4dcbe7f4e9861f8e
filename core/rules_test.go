package core_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

const (
	ms      = time.Millisecond
	aRoute  = "b1@c1{0=a} 8/8/6"
	abRoute = "b1@c1{0=a 1=b} 8/8/6"
)

func TestRule01AliveIsOneFunction(t *testing.T) {
	type step struct {
		after time.Duration
		alive bool
	}
	for name, c := range map[string]struct {
		timeout time.Duration
		session bool
		steps   []step
	}{
		"default":                        {0, false, []step{{119_999 * ms, true}, {120_000 * ms, true}, {120_001 * ms, false}}},
		"own timeout":                    {10 * time.Second, false, []step{{9_999 * ms, true}, {10_000 * ms, true}, {10_001 * ms, false}}},
		"session, default":               {0, true, []step{{30_001 * ms, true}, {120_000 * ms, true}, {120_001 * ms, false}}},
		"session, shorter than its beat": {10 * time.Second, true, []step{{10_001 * ms, true}, {30_000 * ms, true}, {30_001 * ms, false}}},
		"endless":                        {1 << 62, false, []step{{364 * 24 * time.Hour, true}, {366 * 24 * time.Hour, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := a("b1", 0, "a", "T", "U")
			b.Timeout = c.timeout
			if c.session {
				w.open("s")
				b = b.via("s", b.Age)
			}
			w.register(b)
			for _, s := range c.steps {
				w.now = epoch.Add(s.after)
				route, groups, topics := "none", "", ""
				if s.alive {
					route, groups, topics = aRoute, "b1@c1{0=a}", "T U"
				}
				w.routes("T", route)
				w.equal("groups", w.groups(), groups)
				w.equal("topics", w.topics(core.AllTopics, ""), topics)
				_, err := w.Group(w.ctx, w.now, "b1")
				if (err == nil) != s.alive {
					t.Fatalf("group after %v: %v", s.after, err)
				}
				version, err := w.DataVersion(w.ctx, w.now, "c1", "b1", "a")
				if (err == nil) != s.alive || (version == b.DataVersion) != s.alive {
					t.Fatalf("data version after %v: %v %v", s.after, version, err)
				}
			}
		})
	}

	t.Run("a write applies it first", func(t *testing.T) {
		w := newWorld(t)
		w.register(a("b1", 0, "a", "T", "U"))
		w.step(120_001 * ms)
		// Nothing has swept; the name is free for another cluster.
		w.register(a("b1", 0, "z", "T", "V").in("c2"))
		w.routes("T", "b1@c2{0=z} 8/8/6")
		w.routes("U", "none")
	})

	t.Run("a replica lapses and its group stays", func(t *testing.T) {
		w := newWorld(t)
		w.register(a("b1", 0, "a", "T", "U"), a("b1", 1, "b", "T", "U").change(func(b *broker) { b.Timeout = time.Second }))
		w.routes("T", abRoute)
		w.step(time.Second)
		w.routes("T", abRoute)
		w.step(ms)
		w.routes("T", aRoute)
	})
}

func TestRule02EveryStatementCarriesItsAge(t *testing.T) {
	later := func(b broker, age time.Duration) broker { b.Age = age; return b }
	base := a("b1", 0, "a", "T", "U")
	for name, c := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"late unregister":    {func(w *world) { w.unregister(later(base, 2*time.Second)) }, aRoute},
		"late drop":          {func(w *world) { w.drop(later(base, 2*time.Second)) }, aRoute},
		"unregister in time": {func(w *world) { w.unregister(base) }, "none"},
		"late content": {func(w *world) {
			w.register(later(base.with(core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 1, Perm: 4}}), 2*time.Second))
		}, aRoute},
		"a heartbeat does not take content back": {func(w *world) {
			w.step(time.Second)
			w.beat(base)
			w.register(later(base.with(core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 1, Perm: 4}}), ms))
		}, "b1@c1{0=a} 1/1/4"},
		"late master at another address": {func(w *world) {
			w.refused(w.registerErr(later(a("b1", 0, "z", "T", "U"), 2*time.Second)), core.ErrStale)
		}, aRoute},
		"late role": {func(w *world) {
			w.refused(w.registerErr(later(a("b1", 1, "a", "T", "U"), 2*time.Second)), core.ErrStale)
		}, aRoute},
		"late move to another cluster": {func(w *world) {
			w.refused(w.registerErr(later(base.in("c2"), 2*time.Second)), core.ErrStale)
		}, aRoute},
		"registration from before the departure": {func(w *world) {
			w.step(time.Second)
			w.unregister(base)
			w.step(time.Second)
			w.refused(w.registerErr(later(base, 1001*ms)), core.ErrStale)
		}, "none"},
		"departure that comes before the registration it follows": {func(w *world) {
			late := a("b1", 1, "b", "T", "U")
			w.step(time.Second)
			w.unregister(late)
			w.refused(w.registerErr(later(late, ms)), core.ErrStale)
		}, aRoute},
		"departure of somebody unknown, of another cluster": {func(w *world) {
			late := a("b1", 1, "b", "T", "U")
			w.step(time.Second)
			w.unregister(late.in("c2"))
			w.register(later(late, ms))
		}, abRoute},
		"return after the departure": {func(w *world) {
			w.unregister(base)
			w.register(base)
		}, aRoute},
		"registration older than its own timeout": {func(w *world) {
			w.refused(w.registerErr(later(a("b2", 0, "z", "T", "U"), 120_001*ms)), core.ErrStale)
		}, aRoute},
		"nothing is said in the future": {func(w *world) {
			w.register(later(base, -time.Hour))
			w.step(time.Second)
			w.unregister(base)
		}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.register(base)
			w.step(time.Second)
			w.register(base)
			c.do(w)
			w.routes("T", c.want)
		})
	}

	t.Run("an old statement may add a lease", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.register(base)
		changed := base.with(core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 1, Perm: 4}})
		w.register(changed.via("s", time.Second))
		w.routes("T", aRoute)
		w.step(10 * time.Second)
		w.drop(base)
		w.routes("T", aRoute) // the session holds it
	})

	t.Run("a replay adds no topic that was deleted since", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.register(base)
		w.step(time.Second)
		w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
		w.step(time.Second)
		w.register(base.with(core.Topic{Name: "V"}).via("s", 1500*ms)) // said before the deletion
		w.routes("T", "none")
		w.register(base.via("s", 0)) // its own next one
		w.routes("T", aRoute)
	})
}

func TestRule03ExpiryDeletesOnlyWhatItRead(t *testing.T) {
	t.Run("a beat between the sweeper's read and its write", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		b := a("b1", 0, "a", "T", "U")
		w.register(b)
		w.step(120_001 * ms)
		// Another process, a little behind, renews as the sweeper is about to evict.
		store.before("PutGroup", 1, func() {
			_, err := store.Store.Renew(w.ctx, w.now.Add(-2*ms), core.Renewal{Cluster: "c1", Broker: "b1", Addr: "a", Said: w.now.Add(-2 * ms)})
			w.must(err)
		})
		if swept := w.sweep(); len(swept.Evicted) != 0 {
			t.Fatal(swept.Evicted)
		}
		w.routes("T", aRoute)
	})

	t.Run("a session is closed before what it held is evicted", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.register(a("b1", 0, "a", "T", "U").via("s", 0).change(func(b *broker) { b.Timeout = time.Second }))
		w.step(30_001 * ms)
		store := newFaulty(w.store)
		other := newWorldOver(t, store)
		other.now = w.now
		store.before("PutGroup", 1, func() {
			_, err := w.BeatSession(w.ctx, epoch.Add(29*time.Second), "s", "owner", 0)
			w.refused(err, core.ErrSessionClosed)
		})
		if swept := other.sweep(); len(swept.Evicted) != 1 {
			t.Fatal(swept.Evicted)
		}
	})

	t.Run("a session that still holds something is not closed", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		b := a("b1", 0, "a", "T", "U")
		w.register(b.via("s", 0))
		w.step(31 * time.Second)
		w.sweep()
		w.routes("T", aRoute) // until 120 s
		_, err := w.BeatSession(w.ctx, w.now, "s", "owner", 0)
		w.refused(err, core.ErrSessionClosed) // but it never comes back
		w.now = epoch.Add(120_001 * ms)
		w.routes("T", "none")
		w.sweep()
		head, err := w.store.Head(w.ctx, 0, true)
		w.must(err)
		if _, ok := head.Sessions.Find("s"); ok {
			t.Fatal("the session is still there")
		}
	})
}

func TestRule04DeadIsUndoneOnlyByARevision(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	w.register(b)
	w.step(120_001 * ms)
	w.routes("T", "none")
	if answer := w.beat(b); answer != core.BeatRegister {
		t.Fatal(answer)
	}
	w.routes("T", "none")
	before := w.revision()
	if w.register(b).Revision <= before {
		t.Fatal("the return raised nothing")
	}
	w.routes("T", aRoute)

	t.Run("a lapsed lease beside one that holds", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.register(b, b.via("s", 0))
		for range 6 {
			w.step(25 * time.Second)
			w.beatSession("s")
		}
		if answer := w.beat(b); answer != core.BeatRegister {
			t.Fatal(answer)
		}
		w.drop(b.via("s", 0))
		w.routes("T", "none") // the beat made no lease
	})

	t.Run("lapsed for one clock and renewed by another that is behind", func(t *testing.T) {
		w := newWorld(t)
		w.register(b)
		w.step(120_001 * ms)
		w.equal("route", w.route("T"), "none")
		_, err := w.Beat(w.ctx, w.now.Add(-2*ms), b.beat())
		w.must(err)
		w.routes("T", aRoute)
	})
}

func TestRule05OneRevisionWithAShortLog(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	for _, c := range []struct {
		name  string
		do    func()
		wants string // the changes that it raises
	}{
		{"first registration", func() { w.register(b) }, "b1 replicas [T U]"},
		{"unchanged", func() { w.step(time.Second); w.register(b) }, ""},
		{"beat", func() { w.step(time.Second); w.beat(b) }, ""},
		{"same content, another version", func() { b.DataVersion.Counter++; w.register(b) }, ""},
		{"one topic", func() { b = b.with(core.Topic{Name: "V"}); w.register(b) }, "b1 [V]"},
		{"zone", func() { b.Zone = "z"; w.register(b) }, "b1 replicas []"},
		{"a shorter timeout", func() { b.Timeout = 10 * time.Second; w.register(b) }, "b1 replicas []"},
		{"a longer timeout", func() { b.Timeout = 0; w.register(b) }, ""},
		{"filter server", func() { b.FilterServers = []string{"f"}; w.register(b) }, "b1 replicas []"},
		{"wipe", func() { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); w.must(err) }, "b1 replicas []"},
		{"wipe again", func() { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); w.must(err) }, ""},
		{"order of a topic", func() { w.did(w.PutKV(w.ctx, core.OrderNamespace, "T", "b1:8")) }, " [T]"},
		{"other KV", func() { w.did(w.PutKV(w.ctx, "ns", "T", "b1:8")) }, ""},
		{"delete a topic", func() { w.did(w.DeleteTopic(w.ctx, w.now, "U", "")) }, "b1 [U]"},
		{"register queues", func() {
			w.did(w.RegisterQueues(w.ctx, w.now, "Q", []core.Row{{Broker: "b1"}}))
		}, "b1 [Q]"},
		{"unregister", func() { w.unregister(b) }, "b1 replicas []"},
		{"unregister again", func() { w.unregister(b) }, ""},
	} {
		since := w.revision()
		c.do()
		head, err := w.store.Head(w.ctx, since, true)
		w.must(err)
		var got []string
		for _, x := range head.Changes {
			s := x.Broker
			if x.Replicas {
				s += " replicas"
			}
			got = append(got, fmt.Sprint(s, " ", x.Topics))
		}
		w.equal(c.name, strings.Join(got, "; "), c.wants)
	}

	t.Run("a log that does not reach back", func(t *testing.T) {
		w := newWorld(t)
		w.register(a("b1", 0, "a", "T", "U"))
		old := w.beside()
		old.equal("route", old.route("T"), aRoute)
		w.unregister(a("b1", 0, "a"))
		for range 5000 {
			w.did(w.PutKV(w.ctx, core.OrderNamespace, "X", "x"))
		}
		old.equal("route", old.route("T"), "none")
	})
}

func TestRule11OnlyTheStoresSideJudges(t *testing.T) {
	// Ages, not times, come from outside: a registration that took a while to
	// arrive lives from when it was said.
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	b.Age = 20 * time.Second
	w.register(b)
	w.now = epoch.Add(100 * time.Second)
	w.routes("T", aRoute)
	w.step(ms)
	w.routes("T", "none")

	t.Run("by the monotonic clock", func(t *testing.T) {
		w := newWorld(t)
		w.now = time.Now() // with a monotonic reading, which Add keeps
		w.register(a("b1", 0, "a", "T", "U"))
		r, err := w.Route(w.ctx, w.now, "T")
		w.must(err)
		if !strings.Contains(r.ValidUntil().String(), " m=") {
			t.Fatalf("%s compares by the wall clock, which may be set", r.ValidUntil())
		}
	})
}

func TestRule12TheOwnerReconciles(t *testing.T) {
	w := newWorld(t)
	w.open("s")
	w.open("s2")
	w.register(a("b1", 0, "a", "T", "U").via("s", 0), a("b1", 1, "b", "T", "U").via("s2", 0), a("b2", 0, "c", "T", "U").via("s", 0))
	w.register(a("b2", 0, "c", "T", "U"))
	held, err := w.Leases(w.ctx, "s")
	w.must(err)
	w.equal("held", fmt.Sprint(held), "[{c1 b1 0 a} {c1 b2 0 c}]")
	// It drops what it does not hold: only its own lease.
	for _, h := range held {
		w.did(w.Unregister(context.Background(), w.now, core.Departure{Cluster: h.Cluster, Broker: h.Broker, Addr: h.Addr, Session: "s", Owner: "owner", LeaseOnly: true}))
	}
	held, err = w.Leases(w.ctx, "s")
	w.must(err)
	w.equal("held", fmt.Sprint(held), "[]")
	w.equal("groups", w.groups(), "b1@c1{1=b}; b2@c1{0=c}")
}
