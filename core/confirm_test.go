package core_test

import (
	"testing"
	"time"

	"signpost/core"
)

func TestRule09AnswersToAConfirmation(t *testing.T) {
	base := a("b1", 0, "a", "T", "U")
	version := base.DataVersion
	other := core.DataVersion{Timestamp: 99}
	for name, c := range map[string]struct {
		before func(w *world)
		beat   core.Beat
		want   core.BeatAnswer
	}{
		"ok":               {nil, base.via("s", 0).beat(), core.BeatOK},
		"ok, by address":   {nil, core.Beat{Cluster: "c1", Broker: "b1", Addr: "a", Session: "s", Owner: "owner"}, core.BeatOK},
		"ok, its version":  {nil, core.Beat{Cluster: "c1", Broker: "b1", Addr: "a", Session: "s", Owner: "owner", DataVersion: &version}, core.BeatOK},
		"ok, direct":       {nil, base.beat(), core.BeatOK},
		"another version":  {nil, core.Beat{Cluster: "c1", Broker: "b1", Addr: "a", Session: "s", Owner: "owner", DataVersion: &other}, core.BeatRegister},
		"another, direct":  {nil, core.Beat{Cluster: "c1", Broker: "b1", HasID: true, Addr: "a", DataVersion: &other}, core.BeatRegister},
		"lost here":        {nil, a("b2", 0, "z").via("s", 0).beat(), core.BeatRegister},
		"lost here, alone": {nil, a("b1", 1, "z").via("s", 0).beat(), core.BeatRegister},
		"left since":       {func(w *world) { w.unregister(base) }, base.via("s", time.Second).beat(), core.BeatGone},
		"left before":      {func(w *world) { w.unregister(base); w.step(time.Second) }, base.via("s", 0).beat(), core.BeatRegister},
		"taken over":       {func(w *world) { w.register(a("b1", 0, "z", "T", "U")) }, base.via("s", 0).beat(), core.BeatGone},
		"other role since": {func(w *world) { w.register(a("b1", 1, "a", "T", "U")) }, base.via("s", time.Second).beat(), core.BeatGone},
		"other cluster":    {func(w *world) { w.register(base.in("c2")) }, base.via("s", time.Second).beat(), core.BeatGone},
		"deleted since": {func(w *world) { w.did(w.DeleteTopic(w.ctx, w.now, "T", "")) },
			base.via("s", time.Second).beat(), core.BeatGone},
		"deleted before": {func(w *world) { w.did(w.DeleteTopic(w.ctx, w.now, "T", "")); w.step(time.Second) },
			base.via("s", 0).beat(), core.BeatRegister},
		"deleted before, direct": {func(w *world) { w.did(w.DeleteTopic(w.ctx, w.now, "T", "")); w.step(time.Second) },
			base.beat(), core.BeatRegister},
		"only a session's, direct": {func(w *world) { w.register(base.via("s", 0)); w.drop(base) }, base.beat(), core.BeatRegister},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open("s")
			w.register(base)
			w.step(10 * time.Second)
			if c.before != nil {
				c.before(w)
			}
			got, err := w.Beat(w.ctx, w.now, c.beat)
			if w.must(err); got != c.want {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}

	t.Run("a confirmation of what is confirmed writes nothing", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.open("s2")
		w.register(base.via("s", 0))
		stored := func() uint64 {
			g, err := w.store.Group(w.ctx, "b1")
			w.must(err)
			return g.Version
		}
		before := stored()
		w.step(5 * time.Second)
		if w.beat(base.via("s", 0)); stored() != before {
			t.Error("the group was written though the lease is there")
		}
		if w.beat(base.via("s2", 0)); stored() == before {
			t.Error("another session's confirmation made no lease")
		}
	})
	t.Run("a confirmation makes a lease", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.register(base)
		w.beat(base.via("s", 0))
		w.drop(base)
		w.routes("T", aRoute)
		w.drop(base.via("s", 0))
		w.routes("T", "none")
	})

	t.Run("deleted and passed on", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		w.register(base.via("s", 0))
		w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
		w.step(time.Second)
		w.register(base.via("s", 0)) // the broker still has it
		w.routes("T", aRoute)
		if got := w.beat(base.via("s", 0)); got != core.BeatOK {
			t.Fatal(got)
		}
	})
}

func TestLeasesOfTwoSessionsAndADirectOne(t *testing.T) {
	base := a("b1", 0, "a", "T", "U")
	held := map[string]func(*world, broker){
		"direct": func(w *world, b broker) { w.drop(b) },
		"s1":     func(w *world, b broker) { w.drop(b.via("s1", 0)) },
		"s2":     func(w *world, b broker) { w.drop(b.via("s2", 0)) },
	}
	for _, order := range [][]string{{"direct", "s1", "s2"}, {"s2", "direct", "s1"}, {"s1", "s2", "direct"}} {
		w := newWorld(t)
		w.open("s1")
		w.open("s2")
		w.register(base, base.via("s1", 0), base.via("s2", 0))
		w.step(time.Second)
		for i, who := range order {
			w.routes("T", aRoute)
			held[who](w, base)
			held[who](w, base) // twice is once
			if i == 2 {
				w.routes("T", "none")
			}
		}
	}

	t.Run("one unregisters for all", func(t *testing.T) {
		w := newWorld(t)
		w.open("s1")
		w.register(base, base.via("s1", 0))
		w.unregister(base.via("s1", 0))
		w.routes("T", "none")
	})

	t.Run("the longest counts", func(t *testing.T) {
		w := newWorld(t)
		w.open("s1")
		w.open("s2")
		w.register(base, base.via("s1", 0), base.via("s2", 0))
		w.step(20 * time.Second)
		w.beatSession("s2")
		w.now = epoch.Add(140 * time.Second)
		w.routes("T", aRoute)
		w.step(ms)
		w.routes("T", "none")
	})

	t.Run("a lease goes along into another role", func(t *testing.T) {
		w := newWorld(t)
		w.open("s1")
		w.open("s2")
		w.register(base.via("s1", 0), base.via("s2", 0))
		w.register(a("b1", 1, "a", "T", "U").via("s1", 0))
		w.drop(base.via("s1", 0))
		w.equal("groups", w.groups(), "b1@c1{1=a}")
	})
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	open := func(id string) error {
		return w.OpenSession(w.ctx, w.now, core.Session{ID: id, Gateway: "g", Owner: "owner"})
	}
	beat := func(id, owner string) error {
		_, err := w.BeatSession(w.ctx, w.now, id, owner, 0)
		return err
	}
	b := a("b1", 0, "a", "T", "U")
	w.must(open("s"))
	w.refused(open("s"), core.ErrSessionClosed)
	if open("") == nil {
		t.Fatal("opened a session without an id")
	}
	w.refused(beat("never", "owner"), core.ErrSessionClosed)
	w.refused(beat("s", "somebody else"), core.ErrForbidden)
	w.refused(w.registerErr(b.via("never", 0)), core.ErrSessionClosed)

	w.register(b.via("s", 0))
	for range 10 { // a session that beats holds its brokers as long as it likes
		w.step(30 * time.Second)
		w.must(beat("s", "owner"))
	}
	w.routes("T", aRoute)
	head, err := w.BeatSession(w.ctx, w.now, "s", "owner", 0)
	w.must(err)
	if s, ok := head.Sessions.Find("s"); !ok || !s.Deadline().Equal(w.now.Add(core.SessionTimeout)) || head.Revision == 0 || len(head.Changes) == 0 {
		t.Fatal(head)
	}

	w.step(30_001 * ms) // it ran out
	w.refused(beat("s", "owner"), core.ErrSessionClosed)
	w.refused(w.registerErr(b.via("s", 0)), core.ErrSessionClosed)
	_, err = w.Beat(w.ctx, w.now, b.via("s", 0).beat())
	w.refused(err, core.ErrSessionClosed)
	w.routes("T", aRoute) // what it held lasts as long as a broker does
	w.must(open("s2"))
	if got := w.beat(b.via("s2", 0)); got != core.BeatOK {
		t.Fatal(got)
	}
	w.step(time.Hour)
	w.routes("T", "none")
	w.sweep()
	w.refused(open("s"), core.ErrSessionClosed)
	w.refused(beat("s", "owner"), core.ErrSessionClosed)
}
