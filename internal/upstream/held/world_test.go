package held_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/memory"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/held"
)

// registry is a core.Registry over memory, with ids of its own.
func registry(store *memory.Store, o core.Options) *core.Registry {
	var mu sync.Mutex
	n := 0
	o.NewID = func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return "w" + strconv.Itoa(n)
	}
	return core.New(store, o)
}

// local is what held brokers are judged by.
func local() *core.Registry { return registry(memory.New(), core.Options{}) }

// fault is what becomes of a call.
type fault int

const (
	fine     fault = iota
	unheard        // lost on its way there
	lost           // heard, and its answer lost
	busy           // another writer is at the group
	hanging        // neither, until its caller gives up
	refusing       // turned down for a reason of its own
)

var errUnreachable = &api.UnreachableError{Call: "any", Reason: "the link is cut"}

// cloud is the API: a registry that any number of gateways speak to.
type cloud struct {
	*core.Registry
	store     *memory.Store
	mu        sync.Mutex
	down      bool
	faults    func(call string) fault          // nil: all are fine
	link      func(gateway, call string) fault // the same by gateway
	delay     func(call string) time.Duration  // of each way; nil: none
	calls     map[string]int
	forbidden string         // a broker of which nothing is taken
	said      []string       // registrations and departures that were heard
	now       map[string]int // calls under way by broker
	worst     int            // how many were at one broker at a time
	most      int            // and in all
	under     int
}

func newCloud() *cloud {
	store := memory.New()
	return &cloud{Registry: registry(store, core.Options{}), store: store, calls: map[string]int{}, now: map[string]int{}}
}

func (c *cloud) fault(gateway, call string) fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[call]++
	if c.down {
		return unheard
	}
	switch {
	case c.faults != nil:
		return c.faults(call)
	case c.link != nil:
		return c.link(gateway, call)
	}
	return fine
}

func (c *cloud) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *cloud) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

func (c *cloud) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetCalls()
}

func (c *cloud) forgetCalls() {
	clear(c.calls)
	c.said = nil
}

func (c *cloud) note(format string, a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf(format, a...)+time.Now().Format(" 04:05.000"))
}

// enter counts a call about a gateway's broker.
func (c *cloud) enter(names ...string) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under++
	c.most = max(c.most, c.under)
	for _, n := range names {
		c.now[n]++
		c.worst = max(c.worst, c.now[n])
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.under--
		for _, n := range names {
			c.now[n]--
		}
	}
}

func (c *cloud) way(ctx context.Context, call string) error {
	c.mu.Lock()
	delay := c.delay
	c.mu.Unlock()
	if delay == nil {
		return nil
	}
	select {
	case <-time.After(delay(call)):
		return nil
	case <-ctx.Done():
		return errUnreachable
	}
}

// call makes one call with its faults, and does what it asks for.
func (c *cloud) call(ctx context.Context, gateway, name string, do func(now time.Time) error) error {
	f := c.fault(gateway, name)
	if err := c.way(ctx, name); err != nil {
		return err
	}
	switch f {
	case unheard:
		return errUnreachable
	case busy:
		return core.ErrBusy
	case refusing:
		return core.ErrNameConflict
	case hanging:
		<-ctx.Done()
		return errUnreachable
	}
	err := do(time.Now())
	if late := c.way(ctx, name); late != nil || f == lost {
		return errUnreachable
	}
	return err
}

// gateway is one gateway: its brokers and its session.
type gateway struct {
	*held.Brokers
	name  string
	cloud *cloud
	local *core.Registry

	mu      sync.Mutex
	id      string
	opened  int
	known   core.Revision
	changes []core.MinBrokerChange

	beating chan struct{} // one beat at a time; a mutex would stop the bubble's clock
}

func (c *cloud) gateway(t *testing.T, ctx context.Context, name string) *gateway {
	t.Helper()
	g := &gateway{name: name, cloud: c, beating: make(chan struct{}, 1), local: local()}
	g.Brokers = held.New(held.Options{
		Cloud: g, Session: g, Local: g.local,
		OnMinBroker: func(m core.MinBrokerChange) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.changes = append(g.changes, m)
		},
	})
	go g.Run(ctx)
	go g.beats(ctx)
	return g
}

func (g *gateway) Register(ctx context.Context, session string, r api.Registration) (said api.Registered, err error) {
	defer g.cloud.enter(g.name + " " + r.Broker)()
	if r.Broker == g.cloud.forbidden {
		return said, core.ErrForbidden
	}
	age := time.Since(r.Said)
	err = g.cloud.call(ctx, g.name, "register", func(now time.Time) error {
		reg := r.Registration
		reg.Session, reg.Owner, reg.Age = session, g.name, age
		reg.Content = r.Body.Content
		content, err := r.Body.Content()
		if err != nil {
			return err
		}
		reg.Digest = digest(reg, content)
		if said.Registered, err = g.cloud.Registry.Register(ctx, now, reg); err != nil {
			return err
		}
		g.cloud.note("%s: %s is %s-%d", g.name, reg.Addr, reg.Broker, reg.ID)
		said.Group = g.cloud.group(ctx, now, r.Broker)
		return nil
	})
	return said, err
}

func (c *cloud) group(ctx context.Context, now time.Time, name string) api.Group {
	g, err := c.Registry.Group(ctx, now, name)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		panic(err)
	}
	g.Name = name
	return api.Group{Group: g, ValidFor: time.Hour}
}

func (g *gateway) Beats(ctx context.Context, session string, beats []api.Beat) (out []api.Confirmed, _ api.Meta, err error) {
	var names []string
	ages := make([]time.Duration, len(beats))
	for i, b := range beats {
		names = append(names, g.name+" "+b.Broker)
		ages[i] = time.Since(b.Said)
		if b.Broker == g.cloud.forbidden {
			g.cloud.fault(g.name, "beats") // is counted
			return nil, api.Meta{}, core.ErrForbidden
		}
	}
	slices.Sort(names)
	defer g.cloud.enter(slices.Compact(names)...)()
	err = g.cloud.call(ctx, g.name, "beats", func(now time.Time) error {
		for i, b := range beats {
			beat := b.Beat
			beat.Session, beat.Owner, beat.Age = session, g.name, ages[i]
			answer, err := g.cloud.Registry.Beat(ctx, now, beat)
			if err != nil {
				return err
			}
			out = append(out, api.Confirmed{Answer: answer, Group: g.cloud.group(ctx, now, b.Broker)})
		}
		return nil
	})
	return out, api.Meta{}, err
}

func (g *gateway) Unregister(ctx context.Context, session string, d api.Departure) (meta api.Meta, err error) {
	defer g.cloud.enter(g.name + " " + d.Broker)()
	age := time.Since(d.Said)
	err = g.cloud.call(ctx, g.name, "unregister", func(now time.Time) error {
		dep := d.Departure
		dep.Session, dep.Owner, dep.Age = session, g.name, age
		var err error
		meta.Revision, err = g.cloud.Registry.Unregister(ctx, now, dep)
		g.cloud.note("%s: %s leaves %s, %v", g.name, dep.Addr, dep.Broker, dep.LeaseOnly)
		return err
	})
	return meta, err
}

func (g *gateway) Leases(ctx context.Context, session string) (out []core.Held, err error) {
	err = g.cloud.call(ctx, g.name, "leases", func(time.Time) (err error) {
		out, err = g.cloud.Registry.Leases(ctx, session)
		return err
	})
	return out, err
}

func (g *gateway) ID(context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.id == "" {
		return "", errUnreachable
	}
	return g.id, nil
}

func (g *gateway) Lost(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.id == id {
		g.id = ""
	}
}

func (g *gateway) Seen(ctx context.Context, rev core.Revision) { g.beatUnless(ctx, rev) }

// beats beats for the session.
func (g *gateway) beats(ctx context.Context) {
	for tick := time.NewTicker(5 * time.Second); ; {
		g.beat(ctx)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// beat makes one, and opens a session if there is none.
func (g *gateway) beat(ctx context.Context) { g.beatUnless(ctx, 1<<63) }

// beatUnless does so unless that revision is known meanwhile.
func (g *gateway) beatUnless(ctx context.Context, rev core.Revision) {
	g.beating <- struct{}{}
	defer func() { <-g.beating }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	g.mu.Lock()
	id, known := g.id, g.known
	g.mu.Unlock()
	if rev <= known {
		return
	}
	var head core.Head
	beat := func(id string) error {
		return g.cloud.call(ctx, g.name, "session", func(now time.Time) (err error) {
			head, err = g.cloud.BeatSession(ctx, now, id, g.name, known)
			return err
		})
	}
	err := errors.New("none is open")
	if id != "" {
		err = beat(id)
	}
	switch {
	case err == nil:
		g.mu.Lock()
		g.known = head.Revision
		g.mu.Unlock()
		if len(head.Changes) > 0 || !head.Complete {
			g.Brokers.Changed(ctx, time.Now(), head.Changes, !head.Complete)
		}
		return
	case id != "" && !errors.Is(err, core.ErrSessionClosed):
		return
	}
	g.mu.Lock()
	g.opened++
	id = fmt.Sprintf("%s-%d", g.name, g.opened)
	g.id = ""
	g.mu.Unlock()
	err = g.cloud.call(ctx, g.name, "session", func(now time.Time) error {
		return g.cloud.OpenSession(ctx, now, core.Session{ID: id, Gateway: g.name, Owner: g.name})
	})
	if err != nil {
		return
	}
	g.mu.Lock()
	g.id = id
	g.mu.Unlock()
	g.Brokers.Opened(ctx, time.Now(), id)
}

// notices returns the notices of lowest ids so far.
func (g *gateway) notices() []core.MinBrokerChange {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.changes)
}

// lose ends the session as the cloud has it.
func (g *gateway) lose(t *testing.T) {
	t.Helper()
	if err := g.end(); err != nil {
		t.Fatal(err)
	}
}

func (g *gateway) end() error {
	ctx := context.Background()
	id, err := g.ID(ctx)
	if err != nil {
		return err
	}
	sessions, err := g.cloud.store.Sessions(ctx)
	if err != nil {
		return err
	}
	s, _ := sessions.Find(id)
	return g.cloud.store.CloseSession(ctx, id, s.Last)
}

// digest stands for what the API takes for the same registration.
func digest(r core.Registration, c core.Content) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range fmt.Appendf(nil, "%s %s %s %s %s %d %d %d %v", r.Cluster, r.Broker, r.Addr, r.HAAddr, r.Zone, r.ID, r.Timeout, r.ActingMaster, c.Topics) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h = (h ^ uint64(c.DataVersion.Counter)) * 1099511628211
	for _, m := range c.Mappings {
		h = (h ^ uint64(len(m.Topic))) * 1099511628211
	}
	return max(h, 1)
}

// broker is what a broker says of itself.
type broker struct {
	cluster, name, addr string
	id                  int64
	acting              core.ActingMaster
	timeout             time.Duration
	version             int64
	topics              []string
}

func (x broker) content() core.Content {
	c := core.Content{DataVersion: core.DataVersion{Counter: x.version}, Topics: []core.Topic{}}
	for _, t := range x.topics {
		c.Topics = append(c.Topics, core.Topic{Name: t, Queues: core.Queues{Read: 4, Write: 4, Perm: core.PermReadWrite}})
	}
	return c
}

// registration is the broker's registration through a front.
func (x broker) registration(front string) core.Registration {
	c := x.content()
	reg := core.Registration{
		Cluster: x.cluster, Broker: x.name, ID: x.id, Addr: x.addr, HAAddr: x.addr + "0", ActingMaster: x.acting, Timeout: x.timeout, Front: front,
		Content: func() (core.Content, error) { return c, nil },
	}
	reg.Digest = digest(reg, c)
	return reg
}

// register says it to the gateway as a NameServer does.
func (g *gateway) register(x broker) (core.Registered, error) {
	reg := x.registration("tcp")
	if answer, ok, err := g.Brokers.Renew(context.Background(), time.Now(), reg); ok || err != nil {
		return answer, err
	}
	return g.Brokers.Register(context.Background(), time.Now(), reg)
}

func (g *gateway) hold(t *testing.T, x broker) core.Registered {
	t.Helper()
	answer, err := g.register(x)
	if err != nil {
		t.Fatalf("register %s: %v", x.addr, err)
	}
	return answer
}

func (x broker) departure(front string, leaseOnly bool) core.Departure {
	return core.Departure{Cluster: x.cluster, Broker: x.name, ID: x.id, Addr: x.addr, Front: front, LeaseOnly: leaseOnly}
}

func (g *gateway) depart(d core.Departure) error {
	_, err := g.Brokers.Unregister(context.Background(), time.Now(), d)
	return err
}

// close is the end of the broker's connection.
func (g *gateway) close(t *testing.T, x broker) {
	t.Helper()
	if err := g.depart(x.departure("tcp", true)); err != nil {
		t.Fatal(err)
	}
}

func (g *gateway) leave(t *testing.T, x broker) {
	t.Helper()
	if err := g.depart(x.departure("tcp", false)); err != nil {
		t.Fatal(err)
	}
}

// route reads a topic's brokers and addresses out of a registry; "" if it has
// no route.
func route(ctx context.Context, r *core.Registry, topic string) string {
	found, err := r.Route(ctx, time.Now(), topic)
	if errors.Is(err, core.ErrNoTopic) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	return show(found)
}

// show prints a route for people.
func show(r *core.Route) (s string) {
	if r == nil {
		return ""
	}
	for i, b := range r.Brokers {
		s += fmt.Sprintf("%s/%s perm %d:", b.Cluster, b.Name, r.Rows[i].Queues.Perm)
		for _, a := range b.Addrs {
			s += fmt.Sprintf(" %d=%s", a.ID, a.Addr)
		}
		s += "; "
	}
	return s
}

// seen is a topic's route as the gateway answers it, were it to follow the
// cloud without any delay.
func (g *gateway) seen(topic string) string {
	found, err := g.cloud.Route(context.Background(), time.Now(), topic)
	if err != nil {
		found = nil
	}
	return show(g.Overlay(time.Now(), topic, found))
}

func (g *gateway) wantRoute(t *testing.T, topic, want string) {
	t.Helper()
	if got := g.seen(topic); got != want {
		t.Errorf("%s at %s: %q, not %q", topic, g.name, got, want)
	}
}

func (c *cloud) wantRoute(t *testing.T, topic, want string) {
	t.Helper()
	if got := route(t.Context(), c.Registry, topic); got != want {
		t.Errorf("%s in the cloud: %q, not %q", topic, got, want)
	}
}

func (g *gateway) wantPending(t *testing.T, adds, drops int) {
	t.Helper()
	if a, d := g.Pending(); a != adds || d != drops {
		t.Errorf("pending: %d adds and %d drops, not %d and %d", a, d, adds, drops)
	}
}

// run is a test in a bubble, with a cloud and a gateway whose session is open.
func run(t *testing.T, test func(t *testing.T, c *cloud, g *gateway)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		c := newCloud()
		g := c.gateway(t, ctx, "shim1")
		defer synctest.Wait()
		defer cancel()
		synctest.Wait()
		test(t, c, g)
	})
}

// settle waits until nothing is on its way, with the session's beats going on.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
