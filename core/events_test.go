package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

func TestEvents(t *testing.T) {
	w := newWorld(t)
	b, slave := a("b1", 0, "a", "T", "U"), a("b1", 1, "b", "T", "U")
	many := b
	for i := range 150 {
		many = many.with(core.Topic{Name: fmt.Sprintf("many-%03d", i)})
	}
	for _, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"first", func() { w.register(b) }, "BrokerRegistered 0=a; TopicRouteChanged 2 T,U"},
		{"unchanged", func() { w.register(b); w.beat(b) }, ""},
		{"slave", func() { w.register(slave) }, "BrokerRegistered 1=b"},
		{"wiped", func() { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); w.must(err) }, ""},
		{"deleted", func() { w.did(w.DeleteTopic(w.ctx, w.now, "T", "")) }, "TopicRouteChanged 1 T"},
		{"queues", func() { w.did(w.RegisterQueues(w.ctx, w.now, "Q", []core.Row{{Broker: "b1"}})) }, "TopicRouteChanged 1 Q"},
		{"the master's place is taken", func() { w.register(a("b1", 0, "z", "U", "Q")) }, "BrokerRegistered 0=z; TopicRouteChanged 1 Q; MasterChanged z<-a"},
		{"the slave's role", func() { w.register(a("b1", 0, "b", "Q", "U").state(1)) }, "BrokerRegistered 0=b; MasterChanged b<-z"},
		{"many topics", func() { w.register(many.state(1)) }, "BrokerRegistered 0=a; TopicRouteChanged 151 T," + names(99) + "; MasterChanged a<-b"},
		{"left", func() { w.unregister(b) }, "BrokerUnregistered 0=a; MasterChanged <-a"},
	} {
		w.step(time.Second)
		c.do()
		w.equal(c.name, w.sink.told(), c.want)
	}
}

func names(n int) string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf("many-%03d", i))
	}
	return strings.Join(s, ",")
}

func TestOutboxWaitsForTheSink(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U")
	w.sink.accept = func(e core.Event) bool { return e.Kind == core.BrokerRegistered }
	w.register(b)
	w.equal("told", w.sink.told(), "BrokerRegistered 0=a")
	w.routes("T", aRoute) // no answer waits for it
	w.sink.accept = func(core.Event) bool { return false }
	w.sweep()
	w.step(time.Second)
	w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
	w.equal("told", w.sink.told(), "")
	w.sink.accept = nil
	w.sweep()
	w.equal("told", w.sink.told(), "TopicRouteChanged 2 T,U; TopicRouteChanged 1 T")
	w.sweep()
	w.equal("told", w.sink.told(), "")
	sameEvents(t, w.sink.tried)

	t.Run("bounded", func(t *testing.T) {
		w := newWorld(t)
		w.sink.accept = func(core.Event) bool { return false }
		for range 6 {
			w.step(time.Second)
			w.register(b)
			w.unregister(b)
		}
		g := w.stored("b1")
		if len(g.Outbox) != 8 || g.Dropped != 6*3+1-8 {
			t.Fatalf("%d wait, %d dropped", len(g.Outbox), g.Dropped)
		}
		w.sink.accept = nil
		w.register(b)
		w.equal("told", w.sink.told(), "MasterChanged <-a; "+strings.Repeat("BrokerRegistered 0=a; BrokerUnregistered 0=a; MasterChanged <-a; ", 2)+"BrokerRegistered 0=a")
	})

	t.Run("a sink that counts wrongly", func(t *testing.T) {
		for _, n := range []int{-1, 99} {
			w := newWorld(t)
			r := core.New(w.store, core.Options{NewID: newIDs(), Sink: countingSink(n)})
			_, err := r.Register(w.ctx, w.now, b.registration())
			w.must(err)
		}
	})

	t.Run("no sink", func(t *testing.T) {
		w := newWorld(t)
		r := core.New(w.store, core.Options{NewID: newIDs()})
		_, err := r.Register(w.ctx, w.now, b.registration())
		w.must(err)
		if g := w.stored("b1"); len(g.Outbox) != 0 || g.Version != 3 { // token, group, revision stored
			t.Fatal(g)
		}
	})
}

type countingSink int

func (s countingSink) Publish(context.Context, []core.Event) (int, error) { return int(s), errSink }

// sameEvents checks that whatever was published twice was the same event.
func sameEvents(t *testing.T, events []core.Event) {
	t.Helper()
	type what struct {
		kind      core.EventKind
		broker    string
		id        int64
		addr, old string
		at        time.Time
	}
	seen := map[what]core.Revision{}
	for _, e := range events {
		k := what{e.Kind, e.Broker, e.ID, e.Addr, e.OldAddr, e.At}
		if rev, ok := seen[k]; e.Revision == 0 || ok && rev != e.Revision {
			t.Errorf("published %s %s with revisions %d and %d", e.Kind, e.Addr, rev, e.Revision)
		}
		seen[k] = e.Revision
	}
}

// TestFaults repeats every kind of change with a fault at each of its writes,
// and then again without one. Whatever the fault, what readers see and what
// receivers are told must be as if there had been none.
func TestFaults(t *testing.T) {
	b, slave := a("b1", 0, "a", "T", "U").acting(), a("b1", 1, "b", "T", "U").acting()
	changed := b.with(core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 1, Perm: 6}}).with(core.Topic{Name: "V"})
	queues := []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 3, Write: 3, Perm: 6}}}}
	register := func(b broker) func(*world) error { return func(w *world) error { return w.registerErr(b) } }
	unregister := func(b broker, lease bool) func(*world) error {
		return func(w *world) error {
			return outcome(w.Unregister(w.ctx, w.now, core.Departure{Cluster: b.Cluster, Broker: b.Broker, Addr: b.Addr, LeaseOnly: lease}))
		}
	}
	zone := b
	zone.Zone = "z"
	for name, change := range map[string]func(*world) error{
		"first":     register(a("b2", 0, "z", "T", "X")),
		"changed":   register(changed),
		"zone":      register(zone),
		"taken":     register(a("b1", 0, "y", "U", "T").acting()),
		"role":      register(a("b1", 0, "b", "U", "T").acting()),
		"leave":     unregister(b, false),
		"drop":      unregister(slave, true),
		"wipe":      func(w *world) error { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); return err },
		"add":       func(w *world) error { _, _, err := w.AddWrite(w.ctx, w.now, "b1"); return err },
		"delete":    func(w *world) error { return outcome(w.DeleteTopic(w.ctx, w.now, "T", "")) },
		"delete, 1": func(w *world) error { return outcome(w.DeleteTopic(w.ctx, w.now, "U", "c1")) },
		"queues":    func(w *world) error { return outcome(w.RegisterQueues(w.ctx, w.now, "Q", queues)) },
		"kv":        func(w *world) error { return outcome(w.PutKV(w.ctx, core.OrderNamespace, "T", "o")) },
		"returning": register(a("gone", 0, "g", "X", "Y")),
		"evict": func(w *world) error {
			w.now = epoch.Add(125 * time.Second)
			_, err := w.Sweep(w.ctx, w.now)
			return err
		},
		"conflict": func(w *world) error {
			if err := w.registerErr(a("b1", 0, "r").in("c2")); !errors.Is(err, core.ErrNameConflict) || errors.Is(err, errFault) {
				return errors.Join(err, errFault)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want string
			for writes := -1; ; writes++ {
				for _, f := range []fault{failBefore, loseAnswer, conflict, conflictAfter, crashBefore, crashAfter} {
					got, hit := runFault(t, change, f, writes)
					switch {
					case writes < 0:
						want = got
					case hit && got != want:
						t.Fatalf("%s at write %d:\n got %s\nwant %s", f, writes, got, want)
					}
					if writes >= 0 && !hit {
						return
					}
					if writes < 0 {
						break
					}
				}
			}
		})
	}
}

// TestWhatACrashLeftIsMadeGood lets a process store a group and end before it
// has raised the revision. Whoever comes next raises it.
func TestWhatACrashLeftIsMadeGood(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	many := b
	for i := range 150 { // more than an intent names
		many = many.with(core.Topic{Name: fmt.Sprintf("many-%03d", i)})
	}
	wide := many.with(core.Topic{Name: "T"})
	for name, next := range map[string]func(*world){
		"registration":       func(w *world) { w.register(wide) },
		"heartbeat":          func(w *world) { w.beat(b) },
		"sweep":              func(w *world) { w.sweep() },
		"slave":              func(w *world) { w.register(a("b1", 1, "b")) },
		"operator":           func(w *world) { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); w.must(err) },
		"stranger's goodbye": func(w *world) { w.drop(a("b1", 7, "z")) },
	} {
		t.Run(name, func(t *testing.T) {
			store := newFaulty(memory.New())
			dead, w := newWorldOver(t, store), newWorldOver(t, store.Store)
			dead.register(b)
			w.routes("T", aRoute)
			store.die("Raise", 1, false)
			if dead.registerErr(wide) == nil {
				t.Fatal("no error")
			}
			if n := len(w.stored("b1").Intent.Topics); n > 100 {
				t.Fatalf("the intent names %d topics", n)
			}
			next(w)
			if got := w.route("T"); !strings.Contains(got, "0/0/0") {
				t.Fatal("the cache still shows", got)
			}
			w.routes("many-149", w.route("T"))
			if told := w.sink.told(); !strings.Contains(told, "TopicRouteChanged 151 T,") {
				t.Fatal("told", told)
			}
		})
	}
}

type fault string

const (
	failBefore    fault = "failing"
	loseAnswer    fault = "losing the answer"
	conflict      fault = "a conflict"
	conflictAfter fault = "a conflict with its own write"
	crashBefore   fault = "a crash before"
	crashAfter    fault = "a crash after"
)

// runFault makes the change with the fault at its n-th write, none if n is
// negative, and repeats it. It returns what readers see and receivers were
// told, and whether the fault was met.
func runFault(t *testing.T, change func(*world) error, f fault, n int) (seen string, hit bool) {
	store := newFaulty(memory.New())
	w := newWorldOver(t, store)
	watcher := newWorldOver(t, store.Store)
	w.SetRules(core.Rules{OrderMessages: true})
	watcher.SetRules(w.Rules())
	w.register(a("gone", 0, "g", "W", "X"))
	w.unregister(a("gone", 0, "g"))
	w.register(
		a("b1", 0, "a", "T", "U").acting().change(func(b *broker) {
			b.DataVersion.Timestamp = -1 // so that each change below is one
		}),
		a("b1", 1, "b", "T", "U").acting(), a("b3", 0, "c", "T", "Z"),
	)
	w.step(40 * time.Second)
	w.beat(a("b3", 0, "c"))
	if slave := a("b1", 1, "b"); w.beat(slave) != core.BeatOK {
		t.Fatal("the slave is not there")
	}
	w.step(5 * time.Second)
	topics := []string{"Q", "T", "U", "V", "W", "X", "Y", "Z"}
	for _, topic := range topics {
		w.route(topic)
		watcher.now = w.now
		watcher.route(topic)
	}
	told := len(w.sink.all)

	store.fault = func(count int, name string) (before, after error) {
		if count != n+1 {
			return nil, nil
		}
		hit = true
		cas := name == "PutGroup" || name == "RemoveGroup"
		switch {
		case f == crashBefore:
			store.dead = true
			return errFault, nil
		case f == crashAfter:
			store.dead = true
			return nil, errFault
		case f == failBefore, f == conflict && !cas:
			return errFault, nil
		case f == conflict:
			return core.ErrConflict, nil
		case f == conflictAfter && cas:
			return nil, core.ErrConflict
		default:
			return nil, errFault
		}
	}
	err := change(w)
	store.fault, store.dead = nil, false
	at := w.now
	if f == crashBefore || f == crashAfter {
		// Another process; the dead one's token may have to run out.
		at = at.Add(31 * time.Second)
		next := newWorldOver(t, store.Store)
		next.SetRules(w.Rules())
		next.sink, w = w.sink, next
		w.Registry = core.New(store.Store, core.Options{Sink: w.sink, NewID: newIDs(), Rules: w.Rules()})
	}
	w.now = at
	if n >= 0 && hit {
		if again := change(w); again != nil {
			t.Fatalf("%s at write %d: %v, and again %v", f, n, err, again)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	watcher.now = w.now
	var b strings.Builder
	for _, reader := range []*world{w, watcher} {
		for _, topic := range topics {
			fmt.Fprintf(&b, "%s: %s\n", topic, reader.route(topic))
		}
		fmt.Fprintln(&b, reader.groups(), reader.topics(core.AllTopics, ""))
	}
	w.sweep()
	kinds := map[string]bool{}
	for _, e := range w.sink.all[told:] {
		if e.Kind != core.TopicRouteChanged {
			kinds[tell(e)] = true
		}
	}
	fmt.Fprintln(&b, kinds)
	sameEvents(t, w.sink.tried)
	if g := w.stored("b1"); len(g.Outbox) != 0 || g.Writer.ID != "" || len(g.Intent.Topics) != 0 || g.Intent.Replicas || g.Intent.Many {
		t.Fatalf("%s at write %d: something waits: %+v", f, n, g)
	}
	return b.String(), hit
}
