package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/memory"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a registry over a store, with a clock that is set by hand and
// everything that the registry tells.
type world struct {
	*core.Registry
	t       rapid.TB
	ctx     context.Context
	store   core.Store
	sink    *sink
	now     time.Time
	guard   time.Duration
	notices []core.MinBrokerChange
}

func newWorld(t rapid.TB) *world { return newWorldOver(t, memory.New()) }

func newWorldOver(t rapid.TB, store core.Store) *world {
	return newGuarded(t, store, 0)
}

// newGuarded is a world with a mass-expiry guard.
func newGuarded(t rapid.TB, store core.Store, guard time.Duration) *world {
	w := &world{t: t, ctx: context.Background(), store: store, sink: &sink{}, now: epoch, guard: guard}
	w.Registry = core.New(store, core.Options{
		Sink:        w.sink,
		NewID:       newIDs(),
		Guard:       guard,
		OnMinBroker: func(c core.MinBrokerChange) { w.notices = append(w.notices, c) },
	})
	return w
}

// beside returns another registry over the same store, as another process has it.
func (w *world) beside() *world {
	o := newGuarded(w.t, w.store, w.guard)
	o.now = w.now
	return o
}

var idMu sync.Mutex
var lastID int

// newIDs makes ids that are unique in this test process.
func newIDs() func() string {
	return func() string {
		idMu.Lock()
		defer idMu.Unlock()
		lastID++
		return fmt.Sprint("writer-", lastID)
	}
}

func (w *world) step(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

// did checks a write that tells the revision it raised.
func (w *world) did(_ core.Revision, err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

// outcome is the error of a write that tells the revision it raised.
func outcome(_ core.Revision, err error) error { return err }

func (w *world) refused(err, expected error) {
	if !errors.Is(err, expected) {
		w.t.Helper()
		w.t.Fatalf("got error %v, want %v", err, expected)
	}
}

// broker is a broker with what it says of itself.
type broker struct {
	core.Registration
	core.Content
}

// a broker of cluster c1, whose address is short for ip:port.
func a(name string, id int64, addr string, topics ...string) broker {
	b := broker{Registration: core.Registration{Cluster: "c1", Broker: name, ID: id, Addr: addr, HAAddr: addr + "-ha"}}
	b.DataVersion.Counter = 1
	for _, t := range topics {
		b = b.with(core.Topic{Name: t, Queues: core.Queues{Read: 8, Write: 8, Perm: 6}})
	}
	return b
}

// with returns the broker with the topic, added or replaced, and a new version.
func (b broker) with(t core.Topic) broker {
	b.Topics = slices.DeleteFunc(slices.Clone(b.Topics), func(o core.Topic) bool { return o.Name == t.Name })
	b.Topics = append(b.Topics, t)
	b.DataVersion.Counter++
	return b
}

// only returns the broker with just those topics, and a new version.
func (b broker) only(topics ...string) broker {
	b.Topics = nil
	for _, t := range topics {
		b = b.with(core.Topic{Name: t, Queues: core.Queues{Read: 8, Write: 8, Perm: 6}})
	}
	b.DataVersion.Counter++
	return b
}

func (b broker) change(f func(*broker)) broker {
	f(&b)
	return b
}

// acting is a 5.x broker that lets slaves act as master.
func (b broker) acting() broker {
	b.ActingMaster = core.ActingMasterOn
	return b
}

func (b broker) in(cluster string) broker {
	b.Cluster = cluster
	return b
}

func (b broker) via(session string, age time.Duration) broker {
	b.Session, b.Owner, b.Age = session, "owner", age
	return b
}

// registration is what the broker sends.
func (b broker) registration() core.Registration {
	r := b.Registration
	said, err := json.Marshal(struct {
		Cluster, Broker, Addr, HAAddr, Zone string
		ID                                  int64
		Timeout                             time.Duration
		Acting                              core.ActingMaster
		Content                             core.Content
	}{r.Cluster, r.Broker, r.Addr, r.HAAddr, r.Zone, r.ID, r.Timeout, r.ActingMaster, b.Content})
	if err != nil {
		panic(err)
	}
	h := fnv.New64a()
	h.Write(said)
	r.Digest = h.Sum64()
	r.Content = func() (core.Content, error) { return b.Content, nil }
	return r
}

func (w *world) register(bs ...broker) (last core.Registered) {
	w.t.Helper()
	for _, b := range bs {
		var err error
		if last, err = w.Register(w.ctx, w.now, b.registration()); err != nil {
			w.t.Fatalf("register %s %d %s: %v", b.Broker, b.ID, b.Addr, err)
		}
	}
	return last
}

func (w *world) registerErr(b broker) error {
	_, err := w.Register(w.ctx, w.now, b.registration())
	return err
}

func (w *world) unregister(b broker) {
	w.t.Helper()
	w.did(w.Unregister(w.ctx, w.now, core.Departure{Cluster: b.Cluster, Broker: b.Broker, ID: b.ID, Addr: b.Addr, Session: b.Session, Owner: b.Owner, Front: b.Front, Age: b.Age}))
}

// drop ends the broker's lease, as the end of its connection does.
func (w *world) drop(b broker) {
	w.t.Helper()
	w.did(w.Unregister(w.ctx, w.now, core.Departure{
		Cluster: b.Cluster, Broker: b.Broker, Addr: b.Addr, Session: b.Session, Owner: b.Owner, Front: b.Front, Age: b.Age, LeaseOnly: true,
	}))
}

func (w *world) beat(b broker) core.BeatAnswer {
	w.t.Helper()
	answer, err := w.Beat(w.ctx, w.now, b.beat())
	w.must(err)
	return answer
}

func (b broker) beat() core.Beat {
	return core.Beat{Cluster: b.Cluster, Broker: b.Broker, ID: b.ID, HasID: true, Addr: b.Addr, Session: b.Session, Owner: b.Owner, Front: b.Front, Age: b.Age}
}

func (w *world) sweep() core.Swept {
	w.t.Helper()
	swept, err := w.Sweep(w.ctx, w.now)
	w.must(err)
	return swept
}

func (w *world) open(session string) {
	w.t.Helper()
	w.must(w.OpenSession(w.ctx, w.now, core.Session{ID: session, Gateway: "gateway", Owner: "owner"}))
}

func (w *world) beatSession(session string) {
	w.t.Helper()
	_, err := w.BeatSession(w.ctx, w.now, session, "owner", 0)
	w.must(err)
}

// route shows a topic's route as text; "none" if it has none.
func (w *world) route(topic string) string {
	w.t.Helper()
	r, err := w.Route(w.ctx, w.now, topic)
	if errors.Is(err, core.ErrNoTopic) {
		return "none"
	}
	w.must(err)
	return show(r)
}

// routes checks a topic's route in the registry's cache, and as a new process
// assembles it.
func (w *world) routes(topic, want string) {
	w.t.Helper()
	if got := w.route(topic); got != want {
		w.t.Fatalf("route of %s:\n got %s\nwant %s", topic, got, want)
	}
	other := w.beside()
	other.SetRules(w.Rules())
	if got := other.route(topic); got != want {
		w.t.Fatalf("route of %s in a new process:\n got %s\nwant %s", topic, got, want)
	}
}

// show renders a route: "b1@c1{0=addr 1=addr} 8/8/6" for each broker.
func show(r *core.Route) string {
	var parts []string
	for i, row := range r.Rows {
		b := r.Brokers[i]
		var addrs []string
		for _, a := range b.Addrs {
			addrs = append(addrs, fmt.Sprintf("%d=%s", a.ID, a.Addr))
		}
		s := fmt.Sprintf("%s@%s{%s} %d/%d/%d", b.Name, b.Cluster, strings.Join(addrs, " "), row.Queues.Read, row.Queues.Write, row.Queues.Perm)
		if row.Queues.SysFlag != 0 {
			s += fmt.Sprint(" flag ", row.Queues.SysFlag)
		}
		if b.EnableActingMaster {
			s += " acting"
		}
		if b.Zone != "" {
			s += " zone " + b.Zone
		}
		if m := row.Mapping; m != nil {
			s += fmt.Sprintf(" mapping %s:%d@%d%v", m.Broker, m.TotalQueues, m.Epoch, m.Current)
		}
		if row.Broker != b.Name || row.Name != r.Topic {
			s += fmt.Sprint(" MISPLACED ", row)
		}
		parts = append(parts, s)
	}
	for _, f := range r.Filters {
		parts = append(parts, "filter "+f.Addr+"="+strings.Join(f.Servers, ","))
	}
	if r.HasOrderConf {
		parts = append(parts, "order "+r.OrderConf)
	}
	return strings.Join(parts, "; ")
}

func (w *world) topics(kind core.TopicKind, cluster string) string {
	w.t.Helper()
	names, _, err := w.Topics(w.ctx, w.now, kind, cluster)
	w.must(err)
	return strings.Join(names, " ")
}

// groups shows the living groups.
func (w *world) groups() string {
	w.t.Helper()
	groups, err := w.Groups(w.ctx, w.now)
	w.must(err)
	var parts []string
	for _, g := range groups {
		var addrs []string
		for _, r := range g.Replicas {
			addrs = append(addrs, fmt.Sprintf("%d=%s", r.ID, r.Addr))
		}
		parts = append(parts, fmt.Sprintf("%s@%s{%s}", g.Name, g.Cluster, strings.Join(addrs, " ")))
	}
	return strings.Join(parts, "; ")
}

func (w *world) stored(name string) core.Group {
	w.t.Helper()
	g, err := w.store.Group(w.ctx, name)
	w.must(err)
	return g
}

func (w *world) revision() core.Revision {
	w.t.Helper()
	h, err := w.store.Head(w.ctx, 0, true)
	w.must(err)
	return h.Revision
}

// equal checks text.
func (w *world) equal(what, got, want string) {
	if got != want {
		w.t.Helper()
		w.t.Fatalf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// sink keeps the events, and rejects as long as it is told to.
type sink struct {
	mu     sync.Mutex
	accept func(core.Event) bool // nil accepts all
	all    []core.Event          // in the order in which they were accepted
	tried  []core.Event
}

var errSink = errors.New("the sink is full")

func (s *sink) Publish(_ context.Context, events []core.Event) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range events {
		s.tried = append(s.tried, e)
		if s.accept != nil && !s.accept(e) {
			return i, errSink
		}
		s.all = append(s.all, e)
	}
	return len(events), nil
}

// told returns what was published since the last call: "Kind id addr".
func (s *sink) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	for _, e := range s.all {
		parts = append(parts, tell(e))
	}
	s.all = nil
	return strings.Join(parts, "; ")
}

func tell(e core.Event) string {
	switch e.Kind {
	case core.TopicRouteChanged:
		return fmt.Sprintf("%s %d %s", e.Kind, e.Count, strings.Join(e.Topics, ","))
	case core.MasterChanged, core.BrokerNameConflict:
		return fmt.Sprintf("%s %s<-%s", e.Kind, e.Addr, e.OldAddr)
	default:
		return fmt.Sprintf("%s %d=%s", e.Kind, e.ID, e.Addr)
	}
}
