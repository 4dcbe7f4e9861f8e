package core_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"signpost/core"
)

// What is cached is forgotten by every kind of change, in this registry and in
// one beside it.
func TestCachedRoutesAreInvalidated(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	for name, c := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"topic changed":      {func(w *world) { w.register(b.with(core.Topic{Name: "T"})) }, "b1@c1{0=a} 0/0/0"},
		"slave":              {func(w *world) { w.register(a("b1", 1, "b")) }, abRoute},
		"second group":       {func(w *world) { w.register(a("b2", 0, "c", "T", "U")) }, aRoute + "; b2@c1{0=c} 8/8/6"},
		"address":            {func(w *world) { w.register(a("b1", 0, "z", "T", "U")) }, "b1@c1{0=z} 8/8/6"},
		"cluster":            {func(w *world) { w.register(b.in("c2")) }, "b1@c2{0=a} 8/8/6"},
		"zone":               {func(w *world) { w.register(b.change(func(b *broker) { b.Zone = "z" })) }, aRoute + " zone z"},
		"acting master":      {func(w *world) { w.register(b.acting()) }, aRoute + " acting"},
		"filter servers":     {func(w *world) { w.register(b.filters("f")) }, aRoute + "; filter a=f"},
		"mapping":            {func(w *world) { w.register(b.mapped("T", 1)) }, aRoute + " mapping b1:4@1map[0:0]"},
		"mapping, split":     {func(w *world) { w.register(b.only("V", "W").mapped("T", 1)) }, aRoute + " mapping b1:4@1map[0:0]"},
		"wiped":              {func(w *world) { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); w.must(err) }, "b1@c1{0=a} 8/8/4"},
		"deleted":            {func(w *world) { w.did(w.DeleteTopic(w.ctx, w.now, "T", "")) }, "none"},
		"deleted in cluster": {func(w *world) { w.did(w.DeleteTopic(w.ctx, w.now, "T", "c1")) }, "none"},
		"deleted elsewhere":  {func(w *world) { w.did(w.DeleteTopic(w.ctx, w.now, "T", "c2")) }, aRoute},
		"queues": {func(w *world) {
			w.did(w.RegisterQueues(w.ctx, w.now, "T", []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 3}}}}))
		}, "b1@c1{0=a} 3/0/0"},
		"order":           {func(w *world) { w.did(w.PutKV(w.ctx, core.OrderNamespace, "T", "o")) }, aRoute + "; order o"},
		"unregistered":    {func(w *world) { w.unregister(b) }, "none"},
		"dropped":         {func(w *world) { w.drop(b) }, "none"},
		"lapsed":          {func(w *world) { w.step(120_001 * ms) }, "none"},
		"evicted":         {func(w *world) { w.step(120_001 * ms); w.sweep() }, "none"},
		"lapsed and back": {func(w *world) { w.step(120_001 * ms); w.route("T"); w.sweep(); w.register(b) }, aRoute},
		"many gone": {func(w *world) {
			n := b
			n.Topics = nil
			for i := range 5000 {
				n.Topics = append(n.Topics, core.Topic{Name: fmt.Sprint("many-", i)})
			}
			w.register(n)
			w.route("T")
			w.SetRules(core.Rules{OrderMessages: true, DeleteTopicsOnRegistration: true})
			w.route("T")
			w.register(b.only("U"))
		}, "none"},
		"many": {func(w *world) {
			n := b
			n.Topics = nil
			for i := range 5000 { // more than a change names
				n.Topics = append(n.Topics, core.Topic{Name: fmt.Sprint("many-", i)})
			}
			n.Topics = append(n.Topics, core.Topic{Name: "T"})
			w.register(n)
		}, "b1@c1{0=a} 0/0/0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.SetRules(core.Rules{OrderMessages: true})
			w.register(b)
			watcher := w.beside()
			watcher.SetRules(w.Rules())
			watcher.routes("T", aRoute)
			w.routes("T", aRoute)
			c.do(w)
			w.routes("T", c.want)
			watcher.now = w.now
			watcher.routes("T", c.want)
		})
	}

	t.Run("that there was none", func(t *testing.T) {
		w := newWorld(t)
		watcher := w.beside()
		for range 2 {
			watcher.routes("T", "none")
			w.routes("T", "none")
		}
		w.register(b)
		watcher.routes("T", aRoute)
		w.routes("T", aRoute)
	})
}

func TestEncodedOncePerChange(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	w.register(b)
	encoded := 0
	var held [][]byte // from the collector
	ask := func(form core.RouteForm) string {
		r, err := w.Route(w.ctx, w.now, "T")
		w.must(err)
		held = append(held, r.Encoded(form, func(r *core.Route) []byte {
			encoded++
			return fmt.Append(nil, form, " ", show(r))
		}))
		return string(held[len(held)-1])
	}
	for range 50 { // heartbeats, time and other topics change nothing in it
		w.step(10 * time.Second)
		w.beat(b)
		w.register(b)
		w.did(w.RegisterQueues(w.ctx, w.now, "Q", []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: int32(encoded)}}}}))
		for form := range core.RouteForm(3) {
			w.equal("encoded", ask(form), fmt.Sprint(form, " ", aRoute))
		}
	}
	if encoded != 3 {
		t.Fatalf("encoded %d times in 3 forms", encoded)
	}
	w.register(b.with(core.Topic{Name: "T"}))
	ask(0)
	ask(0)
	if encoded != 4 {
		t.Fatalf("encoded %d times", encoded)
	}
	runtime.KeepAlive(held)
}

// What is not in use takes no memory, and is made again as it was.
func TestEncodingsAreCollected(t *testing.T) {
	w := newWorld(t)
	w.register(a("b1", 0, "a", "T", "U"))
	r, err := w.Route(w.ctx, w.now, "T")
	w.must(err)
	encoded := 0
	ask := func() {
		b := r.Encoded(0, func(r *core.Route) []byte {
			encoded++
			return fmt.Append(nil, show(r))
		})
		w.equal("encoded", string(b), aRoute)
	}
	for range 3 {
		ask()
		runtime.GC()
	}
	if encoded != 3 {
		t.Errorf("encoded %d times between collections", encoded)
	}
	none := func(*core.Route) []byte { return nil }
	if b := r.Encoded(1, none); len(b) != 0 {
		t.Errorf("an empty encoding is %q", b)
	}
}

// A flood of questions for topics that no broker can have fills no memory, and
// pushes nothing out that exists.
func TestUnknownTopicsPushNothingOut(t *testing.T) {
	store := newFaulty(newWorld(t).store)
	w := newWorldOver(t, store)
	w.register(a("b1", 0, "a", "T", "U"))
	w.routes("T", aRoute)
	const asked, size = 10_000, 8 << 10
	long := strings.Repeat("x", size)
	before := liveHeap()
	for i := range asked {
		if _, err := w.Route(w.ctx, w.now, fmt.Sprint("unknown-", i, long)); err == nil {
			t.Fatal(i)
		}
	}
	if grown := liveHeap() - before; grown > asked*size/10 {
		t.Errorf("%d bytes are kept of what was asked for", grown)
	}
	reads := store.calls["Groups"]
	w.equal("route", w.route("T"), aRoute)
	if store.calls["Groups"] != reads {
		t.Fatal("the route was assembled again")
	}
}

func TestWhatIsAskedForStaysCached(t *testing.T) {
	store := newFaulty(newWorld(t).store)
	w := newWorldOver(t, store)
	b := a("b1", 0, "a")
	for i := range 500 {
		b = b.with(core.Topic{Name: fmt.Sprint("T", i)})
	}
	w.register(b)
	for round := range 2 {
		clear(store.calls)
		for i := range 500 {
			w.route(fmt.Sprint("T", i))
			w.route(fmt.Sprint("absent", i))
		}
		if n := store.calls["Rows"]; n != 1000*(1-round) {
			t.Fatalf("round %d: %d topics were read", round, n)
		}
	}
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
