package core_test

import (
	"context"
	"testing"
	"time"

	"signpost/core"
)

func (b broker) at(front string) broker {
	b.Front = front
	return b
}

// A direct lease is one front's: what ends or renews it there leaves those of
// other fronts alone.
func TestLeasesOfTwoFronts(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	tcp, web := b.at("tcp"), b.at("https")
	both := func(t *testing.T) *world {
		w := newWorld(t)
		w.register(tcp, web)
		w.step(10 * time.Second)
		return w
	}
	t.Run("one ends", func(t *testing.T) {
		w := both(t)
		w.drop(tcp)
		w.routes("T", aRoute)
		w.drop(tcp) // again
		w.routes("T", aRoute)
		w.drop(web)
		w.routes("T", "none")
	})
	t.Run("one runs out", func(t *testing.T) {
		w := both(t)
		w.equal("answer", w.beat(web).String(), "ok")
		w.now = epoch.Add(125 * time.Second)
		w.routes("T", aRoute)
		if answer := w.beat(tcp); answer != core.BeatRegister {
			t.Fatalf("a lease that ran out is renewed: %v", answer)
		}
		w.register(tcp)
		w.now = epoch.Add(131 * time.Second)
		w.routes("T", aRoute)
		w.drop(web) // which ran out: nothing
		w.drop(tcp)
		w.routes("T", "none")
	})
	t.Run("a front that never heard it", func(t *testing.T) {
		w := both(t)
		other := b.at("tcp-2")
		w.drop(other)
		if answer := w.beat(other); answer != core.BeatRegister {
			t.Fatalf("answered %v", answer)
		}
		w.routes("T", aRoute)
		w.register(other)
		w.drop(web)
		w.drop(tcp)
		w.routes("T", aRoute)
	})
	t.Run("it leaves", func(t *testing.T) {
		w := both(t)
		w.unregister(tcp) // the broker's own word, wherever it says it
		w.routes("T", "none")
	})
	t.Run("a session's lease is of no front", func(t *testing.T) {
		w := both(t)
		w.open("s")
		w.register(tcp.via("s", 0))
		w.register(web.via("s", 0))
		w.drop(tcp)
		w.drop(web)
		w.routes("T", aRoute)
		w.drop(b.via("s", 0))
		w.routes("T", "none")
	})
}

// Who speaks for a session has to own it, whatever he says.
func TestSessionsAreSpokenForByTheirOwner(t *testing.T) {
	w := newWorld(t)
	w.open("s")
	b := a("b1", 0, "a", "T", "U")
	w.register(b.via("s", 0))
	before := w.stored("b1")
	thief := b.via("s", 0)
	thief.Owner = "thief"
	changed := thief.with(core.Topic{Name: "V"})
	depart := func(b broker) error {
		_, err := w.Unregister(w.ctx, w.now, core.Departure{
			Cluster: b.Cluster, Broker: b.Broker, Addr: b.Addr, Session: b.Session, Owner: b.Owner, LeaseOnly: true,
		})
		return err
	}
	beat := func(b broker) error { _, err := w.Beat(w.ctx, w.now, b.beat()); return err }
	for what, err := range map[string]error{
		"unchanged": w.registerErr(thief), "changed": w.registerErr(changed), "new": w.registerErr(a("b2", 0, "z", "T", "U").via("s", 0).as("thief")),
		"beat": beat(thief), "departure": depart(thief),
	} {
		t.Log(what)
		w.refused(err, core.ErrForbidden)
	}
	never := b.via("never", 0)
	w.refused(w.registerErr(never), core.ErrSessionClosed)
	w.refused(beat(never), core.ErrSessionClosed)
	w.refused(depart(never), core.ErrSessionClosed)
	if after := w.stored("b1"); after.Version != before.Version {
		t.Fatalf("changed by who does not own it:\n%+v\n%+v", before, after)
	}
	w.must(depart(b.via("s", 0)))
	w.routes("T", "none")
}

func (b broker) as(owner string) broker {
	b.Owner = owner
	return b
}

func (b broker) callers(clusters ...string) broker {
	b.Clusters = append([]string{}, clusters...)
	return b
}

// A name can be taken to another cluster only by who may write both.
func TestCallersWriteTheirClusters(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	w := newWorld(t)
	denied := func(b broker, cluster string) {
		t.Helper()
		err := w.registerErr(b)
		w.refused(err, core.ErrForbidden)
		if c := clusterOf(err); c != cluster {
			t.Fatalf("denied for cluster %q, want %q: %v", c, cluster, err)
		}
	}
	denied(b.callers(), "c1")
	denied(b.callers("c2"), "c1")
	w.register(b.callers("c1", "c3"))
	w.register(b.callers("c1")) // unchanged
	denied(b.callers("c2"), "c1")
	denied(b.in("c2").callers("c2"), "c1")
	w.routes("T", aRoute)
	w.unregister(b)
	denied(b.in("c2").callers("c2"), "c1") // it is remembered whose it was
	w.step(time.Second)
	w.register(b.in("c2").callers("c1", "c2"))
	w.routes("T", "b1@c2{0=a} 8/8/6")
	w.register(b) // nil: all
	w.routes("T", aRoute)
	w.unregister(b)
	w.step(core.GraceTime + time.Second)
	w.sweep()
	w.register(b.in("c2").callers("c2")) // nobody's any more
}

// A whole registration takes away what it does not name, and may name a single
// topic of a broker that is not known.
func TestWholeRegistrations(t *testing.T) {
	whole := func(b broker) broker { return b.change(func(b *broker) { b.Whole = true }) }
	w := newWorld(t)
	b := a("b1", 0, "a", "T")
	w.refused(w.registerErr(b), core.ErrRefused)
	w.register(whole(b))
	w.routes("T", aRoute)
	w.register(b.only("U"))
	w.equal("topics", w.topics(core.AllTopics, ""), "T U")
	w.register(whole(b.only("U", "V").mapped("U", 1)))
	w.equal("topics", w.topics(core.AllTopics, ""), "U V")
	w.routes("T", "none")
	w.register(whole(b.only("U", "V", "W")))
	w.routes("U", aRoute) // and no mapping
	w.register(whole(b.only()))
	w.equal("topics", w.topics(core.AllTopics, ""), "")
	slave := whole(a("b1", 1, "b", "X"))
	w.register(slave) // which says nothing of topics
	w.equal("topics", w.topics(core.AllTopics, ""), "")
}

// Every write tells the revision by which it is seen, and 0 if there is nothing
// to see.
func TestWritesTellTheirRevision(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	leave := core.Departure{Cluster: "c1", Broker: "b1", Addr: "a"}
	row := []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 1}}}}
	counted := func(n int, rev core.Revision, err error) (core.Revision, error) {
		if n != 2 && n != 3 {
			t.Fatalf("%d topics", n)
		}
		return rev, err
	}
	for _, c := range []struct {
		what   string
		raises bool
		do     func() (core.Revision, error)
	}{
		{"register", true, func() (core.Revision, error) {
			r, err := w.Register(w.ctx, w.now, b.registration())
			return r.Revision, err
		}},
		{"queues", true, func() (core.Revision, error) { return w.RegisterQueues(w.ctx, w.now, "Q", row) }},
		{"queues again", false, func() (core.Revision, error) { return w.RegisterQueues(w.ctx, w.now, "Q", row) }},
		{"wipe", true, func() (core.Revision, error) { return counted(w.WipeWrite(w.ctx, w.now, "b1")) }},
		{"wipe again", false, func() (core.Revision, error) { return counted(w.WipeWrite(w.ctx, w.now, "b1")) }},
		{"add", true, func() (core.Revision, error) { return counted(w.AddWrite(w.ctx, w.now, "b1")) }},
		{"order", true, func() (core.Revision, error) { return w.PutKV(w.ctx, core.OrderNamespace, "T", "o") }},
		{"no order", true, func() (core.Revision, error) { return w.DeleteKV(w.ctx, core.OrderNamespace, "T") }},
		{"other KV", false, func() (core.Revision, error) { return w.PutKV(w.ctx, "ns", "k", "v") }},
		{"other KV gone", false, func() (core.Revision, error) { return w.DeleteKV(w.ctx, "ns", "k") }},
		{"topic gone", true, func() (core.Revision, error) { return w.DeleteTopic(w.ctx, w.now, "U", "") }},
		{"leave", true, func() (core.Revision, error) { return w.Unregister(w.ctx, w.now, leave) }},
		{"leave again", false, func() (core.Revision, error) { return w.Unregister(w.ctx, w.now, leave) }},
	} {
		w.step(time.Second)
		before := w.revision()
		rev, err := c.do()
		w.must(err)
		if now := w.revision(); c.raises != (now > before) || c.raises && rev != now || !c.raises && rev != 0 {
			t.Fatalf("%s: tells %d, the revision went from %d to %d", c.what, rev, before, now)
		}
	}
	head, err := w.Head(context.Background(), 1, true)
	if w.must(err); head.Revision != w.revision() || len(head.Changes) == 0 {
		t.Fatalf("%+v", head)
	}
}
