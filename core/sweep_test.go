package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

func TestSweepEvictsWhatLapsed(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	w.register(b, a("b1", 1, "b").change(func(b *broker) { b.Timeout = 10 * time.Second }), a("b2", 0, "c", "T", "U"))
	w.sink.told()
	evicted := func(want string, next time.Duration) {
		t.Helper()
		swept := w.sweep()
		var parts []string
		for _, e := range swept.Evicted {
			parts = append(parts, fmt.Sprintf("%s %d=%s", e.Broker, e.ID, e.Addr))
		}
		w.equal("evicted", fmt.Sprint(parts), want)
		if d := swept.Next.Sub(epoch); d != next {
			t.Fatalf("next deadline after %v, want %v", d, next)
		}
	}
	evicted("[]", 10*time.Second)
	w.step(10 * time.Second)
	evicted("[]", 10*time.Second)
	w.step(ms)
	evicted("[b1 1=b]", 120*time.Second)
	w.equal("told", w.sink.told(), "BrokerEvicted 1=b")
	evicted("[]", 120*time.Second) // twice is once
	w.now = epoch.Add(100 * time.Second)
	w.register(a("b2", 0, "c", "T", "U"))
	w.now = epoch.Add(time.Hour) // late
	evicted("[b1 0=a b2 0=c]", time.Time{}.Sub(epoch))
	told := strings.Split(w.sink.told(), "; ") // of the groups in any order
	slices.Sort(told)
	w.equal("told", fmt.Sprint(told), "[BrokerEvicted 0=a BrokerEvicted 0=c MasterChanged <-a MasterChanged <-c]")
	evicted("[]", time.Time{}.Sub(epoch))
	w.equal("told", w.sink.told(), "")

	t.Run("every attempt counts once", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		w.register(b, a("b1", 1, "b").change(func(b *broker) { b.Timeout = time.Second }))
		w.step(2 * time.Second)
		store.before("PutGroup", 1, func() { newWorldOver(t, store.Store).beat(b) })
		if swept := w.sweep(); len(swept.Evicted) != 1 {
			t.Fatal(swept.Evicted)
		}
	})
}

func TestSweepTidiesAfterTheGraceTime(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	rows := func(w *world) int {
		set, err := w.store.TopicSet(w.ctx, "b1")
		w.must(err)
		rows, err := w.store.Rows(w.ctx, "T")
		w.must(err)
		return len(set) + len(rows)
	}
	w := newWorld(t)
	w.register(b)
	w.step(time.Hour)
	w.sweep()
	w.step(core.GraceTime)
	if swept := w.sweep(); len(swept.Removed) != 0 || rows(w) != 3 {
		t.Fatal("tidied too early", swept.Removed)
	}
	w.step(ms)
	w.equal("removed", fmt.Sprint(w.sweep().Removed), "[b1]")
	if g := w.stored("b1"); g.Version != 0 || rows(w) != 0 {
		t.Fatal("something is left", g, rows(w))
	}
	w.equal("removed", fmt.Sprint(w.sweep().Removed), "[]")
	w.register(b)
	w.routes("T", aRoute)

	t.Run("back in time", func(t *testing.T) {
		w := newWorld(t)
		w.register(b)
		w.unregister(b)
		w.step(core.GraceTime)
		rev := w.revision()
		w.register(b)
		head, err := w.store.Head(w.ctx, rev, true)
		w.must(err)
		if len(head.Changes) != 1 || len(head.Changes[0].Topics) != 0 {
			t.Fatal("the topics were written again:", head.Changes)
		}
		w.step(time.Second)
		w.sweep()
		w.routes("T", aRoute)
	})

	t.Run("back while it is tidied", func(t *testing.T) {
		store := newFaulty(memory.New())
		w := newWorldOver(t, store)
		w.register(b)
		w.unregister(b)
		w.step(core.GraceTime + ms)
		other := newWorldOver(t, store.Store)
		other.now = w.now
		store.before("PutGroup", 1, func() { other.register(b) })
		if swept := w.sweep(); len(swept.Removed) != 0 {
			t.Fatal("reported as removed:", swept.Removed)
		}
		w.routes("T", aRoute)
	})

	for _, call := range []string{"PutGroup", "WriteTopics", "RemoveGroup"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint("stopped at ", call, " after=", after), func(t *testing.T) {
				store := newFaulty(memory.New())
				w := newWorldOver(t, store)
				w.register(b)
				w.unregister(b)
				w.step(core.GraceTime + ms)
				store.die(call, 1, after)
				if _, err := w.Sweep(w.ctx, w.now); err == nil {
					t.Fatal("no error")
				}
				next := newWorldOver(t, store.Store)
				next.now = w.now.Add(31 * time.Second)
				for range 2 { // the first finds the token and what it may mean
					next.sweep()
				}
				if g := next.stored("b1"); g.Version != 0 || rows(next) != 0 {
					t.Fatal("something is left", g, rows(next))
				}
				next.register(b)
				next.routes("T", aRoute)
			})
		}
	}

	t.Run("not before its events are accepted", func(t *testing.T) {
		w := newWorld(t)
		w.sink.accept = func(core.Event) bool { return false }
		w.register(b)
		w.unregister(b)
		w.step(core.GraceTime + ms)
		if swept := w.sweep(); len(swept.Removed) != 0 {
			t.Fatal("removed with its events")
		}
		w.sink.accept = nil
		w.equal("removed", fmt.Sprint(w.sweep().Removed), "[b1]")
		w.equal("told", w.sink.told(), "BrokerRegistered 0=a; TopicRouteChanged 2 T,U; BrokerUnregistered 0=a; MasterChanged <-a")
	})
}

func TestMinBrokerChange(t *testing.T) {
	master, one, two := a("b1", 0, "a", "T", "U").acting(), a("b1", 1, "b").acting(), a("b1", 2, "c").acting()
	for name, c := range map[string]struct {
		before []broker
		do     func(*world)
		want   string
	}{
		"the first":                    {nil, func(w *world) { w.register(one) }, ""},
		"the first, below the master":  {nil, func(w *world) { w.register(a("b1", -1, "b")) }, "b1 min -1=b ha b-ha tell [b]"},
		"a lower id":                   {[]broker{one, two}, func(w *world) { w.register(master) }, "b1 min 0=a ha a-ha tell [b c]"},
		"a lower id, acting or not":    {[]broker{a("b1", 1, "b")}, func(w *world) { w.register(a("b1", 0, "a")) }, "b1 min 0=a ha a-ha tell [b]"},
		"a higher id":                  {[]broker{master}, func(w *world) { w.register(two) }, ""},
		"the same id, another address": {[]broker{master, one}, func(w *world) { w.register(a("b1", 0, "z")) }, ""},
		"slave becomes master":         {[]broker{one}, func(w *world) { w.register(a("b1", 0, "b")) }, "b1 min 0=b ha b-ha tell [b]"},
		"master becomes slave":         {[]broker{master, two}, func(w *world) { w.register(a("b1", 3, "a").acting()) }, ""},
		"the lowest leaves":            {[]broker{master, one, two}, func(w *world) { w.unregister(master) }, "b1 min 1=b off a tell [b c]"},
		"told in order":                {[]broker{master, a("b1", 1, "z").acting(), two}, func(w *world) { w.unregister(master) }, "b1 min 1=z off a tell [c z]"},
		"the lowest is dropped":        {[]broker{master, one, two}, func(w *world) { w.drop(master) }, "b1 min 1=b off a tell [b c]"},
		"the lowest lapses": {[]broker{master.change(func(b *broker) { b.Timeout = time.Second }), one, two},
			func(w *world) { w.step(2 * time.Second); w.sweep(); w.sweep() }, "b1 min 1=b off a tell [b c]"},
		"the lowest two lapse": {[]broker{master.change(func(b *broker) { b.Timeout = time.Second }), one.change(func(b *broker) { b.Timeout = time.Second }), two},
			func(w *world) { w.step(2 * time.Second); w.sweep() }, "b1 min 2=c off a tell [c]"},
		"lapsed and back": {[]broker{master.change(func(b *broker) { b.Timeout = time.Second }), one},
			func(w *world) { w.step(2 * time.Second); w.register(master) }, "b1 min 0=a ha a-ha tell [b]"},
		"lapsed and back, alone": {[]broker{master}, func(w *world) { w.step(time.Hour); w.register(master) }, ""},
		"another leaves":         {[]broker{master, one, two}, func(w *world) { w.unregister(one) }, ""},
		"the last leaves":        {[]broker{one}, func(w *world) { w.unregister(one) }, ""},
		"leaves, not acting":     {[]broker{a("b1", 0, "a"), a("b1", 1, "b")}, func(w *world) { w.unregister(master) }, ""},
		"unchanged":              {[]broker{master, one}, func(w *world) { w.register(master, one); w.beat(master) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.register(c.before...)
			w.notices = nil
			c.do(w)
			var parts []string
			for _, n := range w.notices {
				s := fmt.Sprintf("%s min %d=%s", n.Broker, n.MinID, n.MinAddr)
				if n.HAAddr != "" {
					s += " ha " + n.HAAddr
				}
				if n.OfflineAddr != "" {
					s += " off " + n.OfflineAddr
				}
				if !slices.IsSorted(n.Tell) {
					t.Error("not sorted", n.Tell)
				}
				parts = append(parts, fmt.Sprint(s, " tell ", n.Tell))
			}
			got := ""
			if len(parts) > 0 {
				got = fmt.Sprint(parts[0])
			}
			if len(parts) > 1 {
				t.Fatal("told more than once", parts)
			}
			w.equal("told", got, c.want)
		})
	}
}
