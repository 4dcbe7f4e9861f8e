package core_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// noted is a store that notes what is read of groups and of the head.
type noted struct {
	core.Store
	mu    sync.Mutex
	reads []string
}

func (n *noted) note(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reads = append(n.reads, s)
}

func (n *noted) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	n.note(map[bool]string{true: "head", false: "follow"}[fresh])
	return n.Store.Head(ctx, since, fresh)
}

func (n *noted) Sessions(ctx context.Context) (core.Sessions, error) {
	n.note("sessions")
	return n.Store.Sessions(ctx)
}

func (n *noted) Group(ctx context.Context, name string) (core.Group, error) {
	n.note(name)
	return n.Store.Group(ctx, name)
}

func (n *noted) Groups(ctx context.Context, names []string) ([]core.Group, error) {
	if names == nil {
		n.note("all")
	} else {
		n.note(fmt.Sprint(names))
	}
	return n.Store.Groups(ctx, names)
}

func (n *noted) took() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := strings.Join(n.reads, " ")
	n.reads = nil
	return s
}

// swept is a world with a sweeper that has swept once, and so goes on from
// what it knows.
func swept(t *testing.T, guard time.Duration, before func(*world)) (w, sweeper *world, reads *noted) {
	w = newGuarded(t, memory.New(), guard)
	before(w)
	reads = &noted{Store: w.store}
	sweeper = newGuarded(t, reads, guard)
	sweeper.now = w.now
	sweeper.sweep()
	w.equal("first sweep reads", reads.took(), "head all")
	return w, sweeper, reads
}

func TestSweepReadsWhatItCannotTell(t *testing.T) {
	b1, b2 := a("b1", 0, "a", "T", "U"), a("b2", 0, "b", "T", "U")
	long := func(b *broker) { b.Timeout = time.Hour }
	setup := func(w *world) {
		w.open("s")
		w.register(b1, b2.via("s", 0), a("b3", 0, "c", "T"+"U", "V"))
	}
	for name, c := range map[string]struct {
		do   func(*world)
		want string // of the first sweep after it
		then string // of the next
	}{
		"nothing":           {func(*world) {}, "head", "head"},
		"renewed":           {func(w *world) { w.register(b1); w.beat(b1) }, "head", "head"},
		"session beats":     {func(w *world) { w.beatSession("s") }, "head", "head"},
		"confirmed":         {func(w *world) { w.beat(b1.via("s", 0)) }, "head", "head"},
		"a topic":           {func(w *world) { w.register(b1.with(core.Topic{Name: "N"})) }, "head [b1]", "head"},
		"permission":        {func(w *world) { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); w.must(err) }, "head [b1]", "head"},
		"a new one":         {func(w *world) { w.register(a("b4", 0, "d", "T", "U")) }, "head [b4]", "head"},
		"one leaves":        {func(w *world) { w.unregister(b2) }, "head [b2]", "head"},
		"order of topics":   {func(w *world) { _, err := w.PutKV(w.ctx, core.OrderNamespace, "T", "b1:8"); w.must(err) }, "head", "head"},
		"a shorter timeout": {func(w *world) { w.register(b2.change(func(b *broker) { b.Timeout = time.Second })) }, "head [b2]", "head"},
		"one seems to lapse": {func(w *world) {
			w.step(100 * time.Second)
			w.register(b1)
			w.step(20*time.Second + ms)
			w.register(a("b3", 0, "c", "TU", "V"))
		}, "head [b1 b2 b3] all b2 sessions", "head [b2]"},
		"at the deadline": {func(w *world) { w.step(120 * time.Second) }, "head [b1 b2 b3]", "head [b1 b2 b3]"},
		"nearly half an hour": {func(w *world) {
			w.register(b1.change(long), b2.change(long), a("b3", 0, "c", "TU", "V").change(long))
			w.step(30*time.Minute - ms)
		}, "head [b1 b2 b3]", "head"},
		"half an hour": {func(w *world) {
			w.register(b1.change(long), b2.change(long), a("b3", 0, "c", "TU", "V").change(long))
			w.step(30 * time.Minute)
		}, "head all", "head"},
		"far behind": {func(w *world) {
			for range 1025 {
				_, err := w.store.Raise(w.ctx, []core.Change{{Broker: "b9"}})
				w.must(err)
			}
		}, "head all", "head"},
		"a session without leases runs out": {func(w *world) {
			w.open("t")
			w.step(30*time.Second + ms)
		}, "head all", "head"},
	} {
		t.Run(name, func(t *testing.T) {
			w, sweeper, reads := swept(t, 0, setup)
			c.do(w)
			for _, want := range []string{c.want, c.then} {
				sweeper.now = w.now
				sweeper.sweep()
				if got := reads.took(); got != want {
					t.Fatalf("read %q, want %q", got, want)
				}
			}
		})
	}
}

// TestSweepIsNotMisledByWhatItKept has things happen that no revision tells,
// or none told in time, and expects each eviction when it is due.
func TestSweepIsNotMisledByWhatItKept(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	beaten := func(w *world, session string, last time.Duration) {
		for w.now.Sub(epoch) < last {
			w.now = epoch.Add(min(last, w.now.Sub(epoch)+10*time.Second))
			w.beatSession(session)
		}
	}
	for name, c := range map[string]struct {
		do  func(*world)
		due time.Duration // the last moment at which the broker is there
	}{
		"renewed": {func(w *world) {
			w.register(b)
			w.step(10 * time.Second)
			w.beat(b)
		}, 130 * time.Second},
		"one of two gateways loses it, then the other runs out": {func(w *world) {
			w.register(b.via("s1", 0), b.via("s2", 0))
			w.step(5 * time.Second)
			w.beatSession("s1")
			w.beatSession("s2")
			w.drop(b.via("s1", 0))
			beaten(w, "s1", 200*time.Second)
		}, 125 * time.Second},
		"the other way round": {func(w *world) {
			w.register(b.via("s1", 0), b.via("s2", 0))
			w.step(5 * time.Second)
			w.beatSession("s2")
			w.drop(b.via("s1", 0))
			w.beatSession("s1")
			beaten(w, "s1", 200*time.Second)
		}, 125 * time.Second},
		"confirmed by another, and lost by the first": {func(w *world) {
			w.register(b.via("s1", 0))
			w.beat(b.via("s2", 0)) // which no revision tells
			w.step(5 * time.Second)
			w.beatSession("s2")
			w.drop(b.via("s1", 0))
			w.beatSession("s1")
			beaten(w, "s1", 200*time.Second)
		}, 125 * time.Second},
		"confirmed by another": {func(w *world) {
			w.register(b.via("s1", 0))
			w.step(5 * time.Second)
			w.beat(b.via("s2", 0))
			beaten(w, "s2", 100*time.Second)
		}, 220 * time.Second},
		"a shorter timeout, while another lease is longer": {func(w *world) {
			w.register(b.via("s1", 0), b)
			w.step(20 * time.Second)
			w.register(b.change(func(b *broker) { b.Timeout = 100 * time.Second })) // until 120 s, as before
			beaten(w, "s1", 200*time.Second)
		}, 300 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w, sweeper, _ := swept(t, 0, func(w *world) {
				w.open("s1")
				w.open("s2")
				w.register(b.via("s1", 0), b.via("s2", 0), b)
				w.unregister(b)
			})
			sweeping := func() core.Swept {
				sweeper.now = w.now
				return sweeper.sweep()
			}
			sweeping()
			c.do(w)
			if w.now.Sub(epoch) < c.due {
				w.now = epoch.Add(c.due)
				if swept := sweeping(); len(swept.Evicted) != 0 || w.groups() == "" {
					t.Fatal("evicted too early", swept, w.groups())
				}
			}
			w.now = epoch.Add(max(c.due+ms, w.now.Sub(epoch)))
			if swept := sweeping(); len(swept.Evicted) != 1 {
				t.Fatal("not evicted when it was due:", swept, w.stored("b1"))
			}
		})
	}

	t.Run("a writer that crashed and was never tried again", func(t *testing.T) {
		w, sweeper, _ := swept(t, 0, func(w *world) {})
		store := newFaulty(w.store)
		store.die("Raise", 1, false)
		crashed := newWorldOver(t, store)
		if crashed.registerErr(b.change(func(b *broker) { b.Timeout = time.Hour })) == nil {
			t.Fatal("no crash")
		}
		sweeper.step(30 * time.Minute)
		sweeper.sweep()
		w.equal("told", sweeper.sink.told(), "BrokerRegistered 0=a; TopicRouteChanged 2 T,U")
	})
}

func TestSweepReadsAgainUntilItIsDone(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	expect := func(t *testing.T, sweeper *world, reads *noted, want ...string) {
		t.Helper()
		for i, want := range want {
			sweeper.sweep()
			sweeper.equal(fmt.Sprint("pass ", i), reads.took(), want)
		}
	}
	t.Run("what waits for the sink", func(t *testing.T) {
		w, sweeper, reads := swept(t, 0, func(*world) {})
		w.sink.accept = func(core.Event) bool { return false }
		w.register(b)
		sweeper.sink.accept = func(core.Event) bool { return false }
		expect(t, sweeper, reads, "head [b1] b1", "head [b1] b1")
		sweeper.sink.accept = nil
		expect(t, sweeper, reads, "head [b1] b1", "head [b1]", "head")
	})
	t.Run("what is gone", func(t *testing.T) {
		_, sweeper, reads := swept(t, 0, func(w *world) { w.register(b); w.unregister(b) })
		sweeper.step(core.GraceTime)
		expect(t, sweeper, reads, "head")
		sweeper.step(ms)
		expect(t, sweeper, reads, "head [b1] b1 sessions", "head [b1]", "head")
	})
	t.Run("a writer at work", func(t *testing.T) {
		w, sweeper, reads := swept(t, 0, func(w *world) {
			w.register(b.change(func(b *broker) { b.Timeout = time.Hour }))
		})
		store := newFaulty(w.store)
		store.die("WriteTopics", 1, false)
		if newWorldOver(t, store).registerErr(b.with(core.Topic{Name: "N"})) == nil {
			t.Fatal("no crash")
		}
		w.register(a("b2", 0, "b", "T", "U").change(func(b *broker) { b.Timeout = time.Hour }))
		sweeper.step(30 * time.Minute)
		expect(t, sweeper, reads, "head all b1 sessions", "head [b1]", "head")
		w.equal("told", sweeper.sink.told(), "TopicRouteChanged 0 ")
	})
	t.Run("a writer that finds nothing to change", func(t *testing.T) {
		w, sweeper, reads := swept(t, 0, func(w *world) { w.register(b) })
		sweeper.step(30 * time.Minute)
		w.now = sweeper.now
		w.register(b)
		store := newFaulty(w.store)
		store.before("WriteTopics", 1, func() { sweeper.sweep() })
		writer := newWorldOver(t, store)
		writer.now = w.now
		writer.register(b.change(func(b *broker) { b.DataVersion.Counter++ }))
		w.equal("reads", reads.took(), "head all")
		expect(t, sweeper, reads, "head [b1]", "head")
	})
	t.Run("all, if that is less", func(t *testing.T) {
		_, sweeper, reads := swept(t, 0, func(w *world) {
			for n := range 80 {
				b := a(fmt.Sprintf("b%02d", n), 0, fmt.Sprint("a", n), "T", "U")
				if n > 20 {
					b.Timeout = time.Hour
				}
				w.register(b)
			}
		})
		sweeper.step(120 * time.Second) // at the deadline of 21
		expect(t, sweeper, reads, "head all")
	})
	t.Run("another clock, another table", func(t *testing.T) {
		w, sweeper, reads := swept(t, 0, func(w *world) { w.register(b) })
		sweeper.step(-ms)
		expect(t, sweeper, reads, "head all", "head")
		reads.Store = memory.New()
		expect(t, sweeper, reads, "head all")
		if swept := sweeper.sweep(); !swept.Next.IsZero() {
			t.Fatal(swept)
		}
		w.routes("T", aRoute)
	})
	t.Run("not what a session keeps that is alive", func(t *testing.T) {
		w, sweeper, reads := swept(t, 0, func(w *world) {
			short := func(b *broker) { b.Timeout = 10 * time.Second }
			w.open("s")
			w.register(b.change(short).via("s", 0), a("b2", 0, "b", "T", "U").change(short))
		})
		_, passes, err := sweeper.stays(time.Second)
		w.must(err)
		w.equal("reads", reads.took(), "head")
		sweeper.now = epoch
		_, passes, err = sweeper.stays(8 * time.Second)
		w.must(err)
		w.equal("reads", reads.took(), "head")
		_, passes, err = sweeper.stays(40*time.Second, at{10 * time.Second, func(*world) { w.now = sweeper.now; w.beatSession("s"); w.unregister(a("b2", 0, "b")) }})
		w.must(err)
		w.equal("passes", fmt.Sprint(passes), "[0s 10.001s 40.001s]")
		w.equal("reads", reads.took(), "head [b2] head [b2] head [b1] all b1 sessions")
	})
	t.Run("not while it stays, before it is due", func(t *testing.T) {
		w, sweeper, reads := swept(t, 0, func(w *world) {
			w.register(b)
			w.step(10 * time.Second)
			w.register(a("b2", 0, "b", "T", "U"))
		})
		sweeper.now = epoch.Add(100 * time.Second)
		_, passes, err := sweeper.stays(160 * time.Second)
		w.must(err)
		w.equal("passes", fmt.Sprint(passes), "[1m40s 2m0.001s 2m10.001s]")
		w.equal("reads", reads.took(), "head [b1 b2] head [b1] b1 sessions head [b1 b2] b2 sessions")
	})
	t.Run("lost events are counted", func(t *testing.T) {
		w, sweeper, _ := swept(t, 0, func(w *world) { w.register(b) })
		w.sink.accept = func(core.Event) bool { return false }
		for range 6 { // two events each
			w.unregister(b)
			w.register(b)
		}
		if dropped := w.stored("b1").Dropped; dropped == 0 || sweeper.sweep().Dropped != dropped || sweeper.sweep().Dropped != 0 {
			t.Fatal("not counted:", dropped)
		}
	})
}
