package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"signpost/core"
	"signpost/internal/memory"
)

// reads notes what is read of a store.
type reads struct {
	core.Store
	mu     sync.Mutex
	groups []string // names
	rows   int
	sets   int
	other  []string // calls
}

func (r *reads) note(read func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	read()
}

func (r *reads) Group(ctx context.Context, name string) (core.Group, error) {
	r.note(func() { r.other = append(r.other, "Group") })
	return r.Store.Group(ctx, name)
}

func (r *reads) Sessions(ctx context.Context) (core.Sessions, error) {
	r.note(func() { r.other = append(r.other, "Sessions") })
	return r.Store.Sessions(ctx)
}

func (r *reads) Groups(ctx context.Context, names []string) ([]core.Group, error) {
	r.note(func() { r.groups = append(r.groups, names...) })
	return r.Store.Groups(ctx, names)
}

func (r *reads) Rows(ctx context.Context, topic string) ([]core.Row, error) {
	r.note(func() { r.rows++ })
	return r.Store.Rows(ctx, topic)
}

func (r *reads) TopicSet(ctx context.Context, broker string) ([]core.TopicFlag, error) {
	r.note(func() { r.sets++ })
	return r.Store.TopicSet(ctx, broker)
}

// After a change of one group of a topic, the others are not read again. They
// are where they seem to have lapsed, and before that where the route's time is
// up and theirs is nearly.
func TestGroupsBehindRoutesAreKept(t *testing.T) {
	store := &reads{Store: memory.New()}
	w, other := newWorldOver(t, store), newWorldOver(t, store)
	var names []string
	for i := range 16 {
		names = append(names, fmt.Sprintf("b%02d", i))
		other.register(a(names[i], 0, names[i]+"-addr", "T", "U"))
	}
	read := func(want ...string) {
		t.Helper()
		other.now = w.now
		store.groups = nil
		got := w.route("T")
		if slices.Sort(store.groups); !slices.Equal(store.groups, want) {
			t.Fatalf("read %v, want %v", store.groups, want)
		}
		fresh := newWorldOver(t, store.Store)
		fresh.now = w.now
		w.equal("route", got, fresh.route("T"))
	}
	read(names...)
	read()
	other.now = w.now
	other.register(a("b03", 1, "slave"))
	read("b03")
	other.register(a("b04", 0, "b04-addr", "T", "U", "V"))
	read() // only topics have changed, and T is none of them
	other.register(a("b05", 0, "b05-addr").only("T").with(core.Topic{Name: "T"}))
	read() // a row
	other.unregister(a("b06", 0, "b06-addr"))
	read("b06")
	other.register(a("b06", 0, "b06-addr", "T", "U"))
	read("b06")
	other.register(a("new", 0, "new-addr", "T", "U"))
	read("new")
	_, _, err := other.WipeWrite(w.ctx, w.now, "b07")
	w.must(err)
	read("b07")

	all := append(slices.Clone(names), "new")
	w.step(50 * time.Second)
	for _, name := range all[:8] {
		other.now = w.now
		other.beat(a(name, 0, name+"-addr"))
	}
	read()
	other.register(a("b08", 0, "moved", "T", "U"))
	read("b08") // now at 50 s
	w.step(45 * time.Second)
	other.now = w.now
	other.register(a("b09", 0, "moved", "T", "U"))
	read(append(slices.Clone(all[:8]), all[9:]...)...) // they would have had 25 s, were they not read
	for _, name := range all[:8] {
		other.beat(a(name, 0, name+"-addr"))
	}
	w.step(25_001 * ms)
	other.now = w.now
	for _, name := range all[:8] {
		other.beat(a(name, 0, name+"-addr"))
	}
	other.sweep()
	read("b03", "b10", "b11", "b12", "b13", "b14", "b15", "new") // who beat no more, and b03's slave
}

// A route whose time is up is assembled with groups that last a while.
func TestGroupsThatSoonLapseAreReadTogether(t *testing.T) {
	store := &reads{Store: memory.New()}
	w := newWorldOver(t, store)
	w.register(a("b1", 0, "a", "T", "U").change(func(b *broker) { b.Timeout = 70 * time.Second }), a("b2", 0, "b", "T", "U"), a("b3", 0, "c", "T", "U"))
	w.route("T")
	w.step(40 * time.Second)
	w.beat(a("b1", 0, "a"))
	w.register(a("b3", 0, "d", "T", "U"))
	w.route("T")
	store.groups = nil
	w.step(30_001 * ms)
	w.equal("route", w.route("T"), "b1@c1{0=a} 8/8/6; b2@c1{0=b} 8/8/6; b3@c1{0=d} 8/8/6")
	w.equal("groups read", fmt.Sprint(store.groups), "[b1 b2]") // b3 has 90 s left
}

// A broker's topic set is read only to forget what a change does not name, and
// not where nothing is known that could be forgotten.
func TestSetsAreReadForManyTopicsOnly(t *testing.T) {
	store := &reads{Store: memory.New()}
	w := newWorldOver(t, store)
	writer := newWorldOver(t, store.Store)
	b, other := a("b1", 0, "a", "T", "U"), a("b2", 0, "b", "T", "V")
	shows := func(what string, sets int, t1, v string) {
		t.Helper()
		w.now = writer.now
		w.equal("route of T after "+what, w.route("T"), t1)
		w.equal("route of V after "+what, w.route("V"), v)
		if store.sets != sets {
			t.Fatalf("%s: %d sets read, want %d", what, store.sets, sets)
		}
		store.sets = 0
	}
	many := func(b broker, version int) broker {
		for i := range 5000 { // more than a change names
			b.Topics = append(slices.Clip(b.Topics), core.Topic{Name: fmt.Sprint("many-", i), Queues: core.Queues{Read: int32(version)}})
		}
		return b
	}
	const of1, of2, both = "b1@c1{0=a} 8/8/6", "b2@c1{0=b} 8/8/6", "b1@c1{0=a} 8/8/6; b2@c1{0=b} 8/8/6"
	whole := many(b, 1)
	writer.register(whole, other)
	shows("the first registrations", 0, both, of2)
	writer.unregister(other)
	shows("a departure", 0, of1, "none")
	writer.step(time.Second)
	writer.register(other)
	shows("a return", 0, both, of2)
	writer.register(a("b2", 1, "c"))
	shows("a slave", 0, "b1@c1{0=a} 8/8/6; b2@c1{0=b 1=c} 8/8/6", "b2@c1{0=b 1=c} 8/8/6")
	writer.step(120_001 * ms)
	writer.register(whole, other)
	shows("a lapse and a return", 0, both, of2)
	grown := many(other, 2)
	writer.register(grown)
	shows("many topics", 1, both, of2)
	writer.step(120_001 * ms)
	writer.sweep()
	shows("the end", 0, "none", "none")
	writer.register(whole, grown)
	shows("the return of all", 0, both, of2)
}

// Routes are kept up to the bytes that are given for them, and always right.
func TestRoutesAreKeptUpToTheirBytes(t *testing.T) {
	const topics = 500
	for name, c := range map[string]struct {
		bytes int64 // for all routes
		least int   // of the topics that are kept
		most  int
	}{
		"room for all":  {4 << 20, topics, topics},
		"for some":      {64 << 10, 1, topics / 2},
		"none has room": {1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			store := &reads{Store: memory.New()}
			w := newWorldOver(t, store)
			w.Registry = core.New(store, core.Options{NewID: newIDs(), RouteBytes: c.bytes})
			b := a("b1", 0, "a")
			for i := range topics {
				b.Topics = append(b.Topics, core.Topic{Name: fmt.Sprint("topic-", i), Queues: core.Queues{Read: int32(i)}})
			}
			w.register(b)
			ask := func() {
				for i := range topics {
					w.equal("route", w.route(fmt.Sprint("topic-", i)), fmt.Sprintf("b1@c1{0=a} %d/0/0", i))
				}
			}
			ask()
			store.rows = 0
			ask()
			// What is read the second time was not kept, or made way for it.
			if kept := topics - store.rows; kept < c.least || kept > c.most {
				t.Errorf("%d of %d topics were kept, want %d to %d", kept, topics, c.least, c.most)
			}
			w.register(a("b1", 1, "b"))
			for i := range topics {
				w.equal("route", w.route(fmt.Sprint("topic-", i)), fmt.Sprintf("b1@c1{0=a 1=b} %d/0/0", i))
			}
		})
	}
}

// A heartbeat is one write: nothing is read for it, not for a slave's either
// whose master heartbeats by itself.
func TestHeartbeatsReadNothing(t *testing.T) {
	store := &reads{Store: memory.New()}
	w := newWorldOver(t, store)
	master, slave := a("b1", 0, "a", "T", "U").acting(), a("b1", 1, "b").acting()
	w.register(master, slave)
	for _, b := range []broker{master, slave} {
		w.step(time.Second)
		store.other = nil
		if answer := w.register(b); b.ID != 0 && answer.MasterAddr != "a" {
			t.Fatalf("answered %+v", answer)
		}
		w.equal("answer", w.beat(b).String(), "ok")
		if len(store.other) > 0 {
			t.Fatalf("read: %v", store.other)
		}
	}
	w.open("s")
	w.register(master.via("s", 0))
	w.drop(master)
	if answer := w.register(slave); answer.MasterAddr != "a" { // held by the session alone
		t.Fatalf("answered %+v", answer)
	}
	w.step(120_001 * ms)
	w.beat(slave)
	w.step(30 * time.Second)
	if answer := w.register(slave); answer.MasterAddr != "" {
		t.Fatalf("a master that has lapsed is told: %+v", answer)
	}
}

// behind is a store whose followers see the sessions as they once were.
type behind struct {
	core.Store
	sessions core.Sessions
}

func (b *behind) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	head, err := b.Store.Head(ctx, since, fresh)
	head.Sessions = b.sessions
	return head, err
}

// Followers may see the sessions late. Nobody is called dead by that, or alive.
func TestRoutesWhereSessionsAreSeenLate(t *testing.T) {
	for _, guard := range []time.Duration{0, time.Minute} {
		store := &behind{Store: memory.New()}
		w := newWorldOver(t, store)
		w.Registry = core.New(store, core.Options{NewID: newIDs(), Guard: guard})
		b := a("b1", 0, "a", "T", "U")
		w.open("s")
		w.open("other")
		w.register(b.via("s", 0))
		w.equal("before it is seen that the session was opened", w.route("T"), aRoute)
		store.sessions, _ = store.Sessions(w.ctx)
		for range 6 { // beats that nobody sees
			w.step(25 * time.Second)
			w.beatSession("s")
			w.beatSession("other")
			w.equal("route", w.route("T"), aRoute)
		}
		store.sessions, _ = store.Sessions(w.ctx)
		for range 5 {
			w.step(25 * time.Second)
			w.beatSession("other") // which proves that gateways are heard
		}
		w.equal(fmt.Sprint("after s ran out, guard ", guard), w.route("T"), "none")
	}
}

// The topic may be memory that its asker uses again: what is kept, found or
// not, is kept by a name of its own.
func TestTheAskersMemoryIsNotKept(t *testing.T) {
	store := &reads{Store: memory.New()}
	w := newWorldOver(t, store)
	w.register(a("b", 0, "addr", "here", "there"))
	for _, topic := range []string{"here", "gone"} {
		asked := []byte(topic)
		_, first := w.Route(w.ctx, w.now, unsafe.String(&asked[0], len(asked)))
		copy(asked, "????")
		store.rows = 0
		route, again := w.Route(w.ctx, w.now, topic)
		if store.rows != 0 || errors.Is(first, core.ErrNoTopic) != errors.Is(again, core.ErrNoTopic) {
			t.Errorf("%s is read again: %v, %v", topic, first, again)
		}
		if again == nil && route.Topic != topic {
			t.Errorf("%s is known as %s", topic, route.Topic)
		}
	}
}
