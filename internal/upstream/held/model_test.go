package held_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
)

// step is one thing that happens in a script.
type step struct {
	What    string
	Process int           // broker process
	Gateway int           // and the gateway that it speaks to
	Value   int           // an id, topics, a fault: whatever the step is about
	After   time.Duration // until then
}

func (s step) String() string {
	return fmt.Sprintf("%s p%d g%d %d +%v", s.What, s.Process, s.Gateway, s.Value, s.After)
}

// process is a broker process as it is now.
type process struct {
	broker
	splits    bool   // its registrations
	connected []bool // by gateway
	hangs     bool   // its heartbeats do not come
}

// script is a world in which what happens is heard by gateways, which tell a
// cloud as well as they can, and by a NameServer that hears all.
type script struct {
	cloud    *cloud
	gateways []*gateway
	heard    *core.Registry
	all      []*process
	down     []bool
	flaky    []bool
	turned   []time.Time // when the way to the cloud became so
	next     time.Time   // round of heartbeats
	shrunk   bool        // a broker has named fewer topics than before
	deleted  bool        // a topic
	left     bool        // a broker has left
	lost     bool        // a session may have been lost
	errs     []error
}

// everybodys is a topic that all have.
const everybodys = "x1"

// topicsOf is a list of topics, by a bit for each.
func topicsOf(bits int) (topics []string) {
	for i := range 6 {
		if bits>>i&1 != 0 {
			topics = append(topics, fmt.Sprintf("t%d", i))
		}
	}
	return append(topics, everybodys, "x2", "x3", "x4") // never a registration of one topic
}

func (w *script) fail(format string, a ...any) { w.errs = append(w.errs, fmt.Errorf(format, a...)) }

func (w *script) front(i int) string { return w.gateways[i].name }

// say has a process register at a gateway, or repeat itself.
func (w *script) say(p *process, i int) {
	parts := [][]string{p.topics}
	if p.splits {
		parts = [][]string{p.topics[:len(p.topics)/2], p.topics[len(p.topics)/2:]}
	}
	for _, topics := range parts {
		part := p.broker
		part.topics = topics
		_, want := w.heard.Register(context.Background(), time.Now(), part.registration(w.front(i)))
		_, got := w.gateways[i].register(part)
		if want == nil && got != nil && !errors.Is(got, core.ErrStale) {
			w.fail("%s at %s: %v", p.addr, w.front(i), got)
		}
		time.Sleep(gap)
	}
}

// round is from one round of heartbeats to the next: none is a timeout after
// another, when it would be a matter of chance who is still there.
const round = 29 * time.Second

// sleep lets time pass, with its rounds of heartbeats.
func (w *script) sleep(d time.Duration) {
	until := time.Now().Add(d)
	for time.Now().Before(until) {
		if w.next.After(until) {
			time.Sleep(time.Until(until))
			return
		}
		time.Sleep(time.Until(w.next))
		w.next = time.Now().Add(round)
		w.heartbeats()
	}
}

func (w *script) heartbeats() {
	for _, p := range w.all {
		for i := range w.gateways {
			if p.connected[i] && !p.hangs {
				w.say(p, i)
			}
		}
	}
}

// watch looks whether clients are told of all brokers that are there. They may be
// out of sight until they speak for themselves where the cloud has lost them and
// cannot tell whether they are who left, or have what was deleted, since.
func (w *script) watch(when string) {
	if w.deleted || w.lost && w.left {
		return
	}
	for _, p := range w.all {
		g, err := w.heard.Group(context.Background(), time.Now(), p.name)
		if err != nil || !slices.ContainsFunc(g.Replicas, func(r core.Replica) bool { return r.Addr == p.addr }) {
			continue
		}
		for i, gw := range w.gateways {
			calm := !w.flaky[i] && time.Since(w.turned[i]) > 10*time.Second // else beats may fail where registrations do not
			if calm && p.connected[i] && !p.hangs && !gw.answers(p.addr) {
				w.fail("%s is not in the routes at %s at %s, %s", p.addr, gw.name, time.Now().Format("04:05.000"), when)
			}
		}
	}
}

// link decides on a gateway's way to the cloud.
func (w *script) link(i int, down, flaky bool) {
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	w.down[i], w.flaky[i], w.turned[i] = down, flaky, time.Now()
}

// gap is between what is said, longer than any call's way takes.
const gap = 300 * time.Millisecond

func (w *script) do(s step, grows bool) {
	p := w.all[s.Process%len(w.all)]
	i := s.Gateway % len(w.gateways)
	g := w.gateways[i]
	alone := p.name == "b2"
	w.left = w.left || slices.Contains([]string{"close", "leave", "hang"}, s.What)
	w.lost = w.lost || slices.Contains([]string{"link", "session"}, s.What)
	switch s.What {
	case "register":
		topics := topicsOf(s.Value)
		if grows || !alone || w.deleted { // what a master or another gateway has heard of is not taken back
			topics = slices.Compact(slices.Sorted(slices.Values(append(topics, p.topics...))))
		}
		w.shrunk = w.shrunk || slices.ContainsFunc(p.topics, func(t string) bool { return !slices.Contains(topics, t) })
		if !slices.Equal(topics, p.topics) {
			for _, o := range w.all { // slaves have what their master has
				if o.name == p.name {
					o.topics, o.version = topics, o.version+1
				}
			}
		}
		p.connected[i], p.hangs = true, false
		for j := range w.gateways {
			if p.connected[j] {
				w.say(p, j)
			}
		}
	case "close":
		if p.connected[i] {
			p.connected[i] = false
			w.heard.Unregister(context.Background(), time.Now(), p.departure(w.front(i), true))
			if err := g.depart(p.departure("tcp", true)); err != nil {
				w.fail("close %s: %v", p.addr, err)
			}
		}
	case "leave":
		if p.connected[i] {
			clear(p.connected)
			w.heard.Unregister(context.Background(), time.Now(), p.departure(w.front(i), false))
			if err := g.depart(p.departure("tcp", false)); err != nil && !errors.Is(err, core.ErrUnavailable) {
				w.fail("leave %s: %v", p.addr, err)
			}
			for j := range w.gateways { // its other connections close
				time.Sleep(gap)
				w.heard.Unregister(context.Background(), time.Now(), p.departure(w.front(j), true))
				w.gateways[j].depart(p.departure("tcp", true))
			}
		}
	case "id":
		id := int64(s.Value % 3)
		if grows && slices.ContainsFunc(w.all, func(o *process) bool { return o != p && o.name == p.name && o.id == id }) {
			return // who of two holds an id that they fight for at two gateways is known some seconds later
		}
		p.id = id
		p.version++
		for j := range w.gateways {
			if p.connected[j] {
				w.say(p, j)
			}
		}
	case "hang":
		p.hangs = true
	case "link":
		w.link(i, s.Value%2 == 0, s.Value%3 == 0)
	case "session":
		g.end()
	case "delete":
		if slices.Contains(w.down, true) || slices.Contains(w.flaky, true) || w.shrunk {
			return // what is deleted before the cloud has it, or without the broker naming it, is told by nobody
		}
		w.deleted = true
		w.sleep(20 * time.Second)
		topic := fmt.Sprintf("t%d", s.Value%6)
		w.heard.DeleteTopic(context.Background(), time.Now(), topic, "")
		w.cloud.DeleteTopic(context.Background(), time.Now(), topic, "")
		time.Sleep(gap)
	}
	w.watch("after " + s.String())
	w.sleep(s.After)
	w.watch("later than " + s.String())
}

// play plays the script and says what is wrong in the end.
func play(t *testing.T, steps []step, gateways int, seed uint64) (errs []error) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer cancel()
		w := &script{cloud: newCloud(), heard: local(), down: make([]bool, gateways), flaky: make([]bool, gateways), turned: make([]time.Time, gateways), next: time.Now().Add(round)}
		random := rand.New(rand.NewPCG(seed, 1))
		w.cloud.delay = func(string) time.Duration {
			w.cloud.mu.Lock()
			defer w.cloud.mu.Unlock()
			return time.Duration(random.IntN(100)) * time.Millisecond
		}
		w.cloud.link = func(name, call string) fault { // with mu held
			var i int
			fmt.Sscanf(name, "shim%d", &i)
			switch {
			case w.down[i]:
				return unheard
			case w.flaky[i]:
				return []fault{fine, fine, unheard, lost, lost, busy, hanging}[random.IntN(7)]
			}
			return fine
		}
		for i := range gateways {
			w.gateways = append(w.gateways, w.cloud.gateway(t, ctx, fmt.Sprintf("shim%d", i)))
		}
		for i, name := range []string{"b1", "b1", "b1", "b2"} {
			// Brokers that know nothing of acting masters do not bring the topics
			// back of a master that is gone, were the cloud to lose them.
			acting := core.ActingMasterOff
			if seed%2 == 0 {
				acting = core.ActingMasterOn
			}
			w.all = append(w.all, &process{
				broker:    broker{cluster: "c", name: name, addr: fmt.Sprintf("10.0.0.%d:1", i), id: int64(i % 3), acting: acting, topics: topicsOf(0)},
				connected: make([]bool, gateways), splits: seed>>1%4 == 0,
			})
		}
		for _, s := range steps {
			w.do(s, gateways > 1)
		}
		for i := range gateways {
			w.link(i, false, false)
		}
		for _, p := range w.all {
			p.hangs = false
		}
		// Two rounds, and the time in which what is gone is known to be.
		w.sleep(200 * time.Second)
		synctest.Wait()
		w.compare()
		errs = w.errs
	})
	return errs
}

// compare compares what the cloud has in the end with what was heard.
func (w *script) compare() {
	ctx := context.Background()
	for _, g := range w.gateways {
		if adds, drops := g.Pending(); adds != 0 || drops != 0 {
			w.fail("%s has %d adds and %d drops pending at %v", g.name, adds, drops, time.Now())
		}
	}
	for _, topic := range append(topicsOf(63), "none") {
		want := route(ctx, w.heard, topic)
		if got := route(ctx, w.cloud.Registry, topic); got != want {
			w.fail("%s is at %q, not %q", topic, got, want)
		}
		for _, g := range w.gateways {
			if got := g.seen(topic); got != want {
				w.fail("%s at %s is at %q, not %q", topic, g.name, got, want)
			}
		}
	}
	if len(w.errs) > 0 {
		for _, g := range w.gateways {
			w.fail("%s holds\n%s", g.name, g.Dump())
		}
		w.fail("the cloud heard %q", w.cloud.said)
	}
	if w.cloud.worst > 1 {
		w.fail("%d calls under way for one broker", w.cloud.worst)
	}
}

func steps(kinds ...string) *rapid.Generator[[]step] {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			What:    rapid.SampledFrom(kinds).Draw(t, "what"),
			Process: rapid.IntRange(0, 3).Draw(t, "process"),
			Gateway: rapid.IntRange(0, 1).Draw(t, "gateway"),
			Value:   rapid.IntRange(0, 63).Draw(t, "value"),
			After:   rapid.SampledFrom([]time.Duration{gap, time.Second, 5 * time.Second, 20 * time.Second, 70 * time.Second}).Draw(t, "after"),
		}
	})
	return rapid.SliceOfN(one, 1, 25)
}

// TestTheCloudEndsAsANameServerThatHeardAll plays random scripts.
func TestTheCloudEndsAsANameServerThatHeardAll(t *testing.T) {
	for gateways := 1; gateways <= 2; gateways++ {
		t.Run(fmt.Sprintf("through %d", gateways), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				script := steps("register", "register", "register", "close", "leave", "id", "hang", "link", "link", "session", "delete").Draw(rt, "steps")
				seed := rapid.Uint64Range(0, 1<<20).Draw(rt, "seed")
				if errs := play(t, script, gateways, seed); len(errs) > 0 {
					rt.Fatal(errors.Join(errs...))
				}
			})
		})
	}
}
