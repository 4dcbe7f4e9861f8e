package core_test

import (
	"slices"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

func TestRule06CachesAreTaggedWithTheRevision(t *testing.T) {
	t.Run("a change while a route is assembled", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		w.register(a("b1", 0, "a", "T", "U"))
		store.after("Rows", 1, func() { // the groups are not read yet
			newWorldOver(t, store.Store).register(a("b2", 0, "b", "T", "U"))
			w.route("U") // and another asker follows the change meanwhile
		})
		w.route("T")
		w.routes("T", aRoute+"; b2@c1{0=b} 8/8/6")
	})

	t.Run("a change while a topic is found to have no route", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		store.after("Rows", 1, func() {
			newWorldOver(t, store.Store).register(a("b1", 0, "a", "T", "U"))
			w.route("U")
		})
		w.equal("route", w.route("T"), "none")
		w.routes("T", aRoute)
	})

	t.Run("other choices while a route is assembled", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		w.register(a("b1", 0, "a", "T", "U"))
		w.did(w.PutKV(w.ctx, core.OrderNamespace, "T", "b1:8"))
		w.SetRules(core.Rules{OrderMessages: true})
		store.before("KV", 1, func() { w.SetRules(core.Rules{}) })
		w.route("T")
		w.equal("route", w.route("T"), aRoute)
	})

	t.Run("every answer carries its tag", func(t *testing.T) {
		w := newWorld(t)
		rev := w.register(a("b1", 0, "a", "T", "U")).Revision
		r, err := w.Route(w.ctx, w.now, "T")
		w.must(err)
		if rev == 0 || r.Revision != rev {
			t.Fatal(r.Revision, rev)
		}
	})

	t.Run("valid until the first lease in it could run out", func(t *testing.T) {
		w := newWorld(t)
		w.register(a("b1", 0, "a", "T", "U").change(func(b *broker) { b.Timeout = 50 * time.Second }), a("b2", 0, "b", "T", "U"))
		until := func(want time.Duration) {
			t.Helper()
			r, err := w.Route(w.ctx, w.now, "T")
			w.must(err)
			if got := r.ValidUntil(); !got.Equal(epoch.Add(want)) || !r.Near("z").ValidUntil().Equal(got) {
				t.Fatal(got, epoch.Add(want))
			}
		}
		until(50 * time.Second)
		w.step(40 * time.Second)
		w.beat(a("b1", 0, "a"))
		until(50 * time.Second) // a beat changes nothing that is cached
		w.step(10_001 * ms)
		until(90 * time.Second)
		w.step(40 * time.Second)
		until(91_001 * ms) // b1 lapsed, and nobody has stored it: look again soon
		w.sweep()
		until(120 * time.Second)
	})

	t.Run("a lease that ends earlier than was told", func(t *testing.T) {
		w := newWorld(t)
		w.open("s")
		b := a("b1", 0, "a", "T", "U")
		w.register(b.via("s", 0))
		w.step(20 * time.Second)
		w.register(b)
		w.equal("route", w.route("T"), aRoute) // until 140 s
		w.drop(b)                              // the session alone: until 120 s
		w.now = epoch.Add(120_001 * ms)
		w.routes("T", "none")
	})
}

func TestRule07ATopicIsTheUnitOfAtomicity(t *testing.T) {
	t.Run("a group appears last", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		b := a("b1", 0, "a", "T", "U")
		w.register(b)
		w.unregister(b)
		look := func() {
			other := newWorldOver(t, store.Store)
			if got := other.route("T") + other.route("U") + other.route("V"); got != "nonenonenone" {
				t.Error(got)
			}
		}
		for n := range 2 {
			store.before("WriteTopics", n+1, look)
			store.before("PutGroup", n+1, look)
		}
		w.register(b.only("U", "V"))
		w.routes("T", "none") // no row of its earlier life
		w.routes("V", aRoute)
	})

	t.Run("one writer at a time", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		other := newWorldOver(t, store.Store)
		b := a("b1", 0, "a", "T", "U")
		w.register(b)
		slave := a("b1", 1, "b", "T", "U")
		store.before("WriteTopics", 1, func() {
			other.refused(other.registerErr(b.only("X", "Y")), core.ErrBusy)
			if _, err := other.DeleteTopic(w.ctx, w.now, "T", ""); err == nil {
				t.Error("deleted by a second writer")
			}
			if answer := other.beat(b); answer != core.BeatBusy {
				t.Error(answer)
			}
			other.register(slave) // writes no topics
		})
		w.register(b.with(core.Topic{Name: "V"}))
		w.routes("V", "b1@c1{0=a 1=b} 0/0/0")
		w.routes("X", "none")
	})

	t.Run("the token ends by itself", func(t *testing.T) {
		store := newFaulty(memory.New())
		dead := newWorldOver(t, store)
		b := a("b1", 0, "a", "T", "U")
		dead.register(b)
		store.die("WriteTopics", 1, true) // its rows are stored, and nobody was told
		if dead.registerErr(b.with(core.Topic{Name: "T"})) == nil {
			t.Fatal("no error")
		}
		w := newWorldOver(t, store.Store)
		w.now = dead.now
		w.refused(w.registerErr(b), core.ErrBusy)
		w.step(30_001 * ms)
		w.register(b)
		w.routes("T", aRoute)
	})

	t.Run("a token is given back after a failure", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		b := a("b1", 0, "a", "T", "U")
		w.register(b)
		w.unregister(b)
		w.step(core.GraceTime + ms)
		for _, do := range []func() error{
			func() error { _, err := w.Sweep(w.ctx, w.now); return err },
			func() error { return w.registerErr(b) },
		} {
			failed := false
			store.fault = func(_ int, name string) (before, after error) {
				if name == "WriteTopics" && !failed {
					failed = true
					return errFault, nil
				}
				return nil, nil
			}
			w.refused(do(), errFault)
		}
		w.register(b)
		w.routes("T", aRoute)
	})

	t.Run("what a writer that died has changed is seen", func(t *testing.T) {
		store := newFaulty(memory.New())
		dead := newWorldOver(t, store)
		w := newWorldOver(t, store.Store)
		b := a("b1", 0, "a", "T", "U")
		dead.register(b)
		w.equal("route", w.route("T"), aRoute)
		store.die("WriteTopics", 1, true)
		if dead.registerErr(b.with(core.Topic{Name: "T"})) == nil {
			t.Fatal("no error")
		}
		w.step(30_001 * ms)
		w.sweep()
		w.routes("T", "b1@c1{0=a} 0/0/0")
		w.equal("told", w.sink.told(), "TopicRouteChanged 0 ")
	})
}

func TestRule08TheTopicSetIsTheRowsThatExist(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	w.register(b, b.only("V", "W")) // a split registration
	w.equal("topics", w.topics(core.AllTopics, ""), "T U V W")
	w.routes("T", aRoute)
	w.register(b.only("V"))
	w.equal("topics", w.topics(core.AllTopics, ""), "T U V W")

	t.Run("judged by content, not by the version", func(t *testing.T) {
		w := newWorld(t)
		w.register(b)
		same := b
		same.Topics = slices.Clone(b.Topics)
		same.Topics[0].Queues.Perm = 4
		w.register(same)
		w.routes("T", "b1@c1{0=a} 8/8/4")
	})

	t.Run("deleteTopicWithBrokerRegistration", func(t *testing.T) {
		w := newWorld(t)
		w.register(b, b.only("V", "W"))
		w.SetRules(core.Rules{DeleteTopicsOnRegistration: true})
		w.register(b.only("V", "W")) // nothing new in it, but it means more now
		w.equal("topics", w.topics(core.AllTopics, ""), "V W")
		w.did(w.RegisterQueues(w.ctx, w.now, "Q", []core.Row{{Broker: "b1"}}))
		w.equal("topics", w.topics(core.AllTopics, ""), "Q V W")
		w.register(b.only("V", "W"))
		w.equal("topics", w.topics(core.AllTopics, ""), "V W")
		static := b.only("X", "Y")
		static.Mappings = []*core.Mapping{{Topic: "X", Broker: "b1"}}
		w.register(static) // not with static topics
		w.equal("topics", w.topics(core.AllTopics, ""), "V W X Y")
	})
}
