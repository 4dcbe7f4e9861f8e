package core_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/memory"
)

// TestRegistriesShareOneStore lets several processes work on the same groups
// at once, each with its own brokers, and checks what must hold in the end in
// whatever order it happened: no registration is lost, nothing that left is
// there, every cache shows what the store has, and every event was published
// once, or again as the same.
func TestRegistriesShareOneStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := newFaulty(memory.New())
		store.yield = true
		clock := &atomic.Int64{}
		var procs []*process
		for n := range 3 {
			p := &process{world: newWorldOver(t, store), clock: clock}
			for _, o := range []*owned{
				{a: a("shared", int64(n), fmt.Sprint("s", n))}, // all are in this group
				{a: a(fmt.Sprint("own", n), 0, fmt.Sprint("o", n))},
				{a: a(fmt.Sprint("pair", min(n, 1)), int64(n/2), fmt.Sprint("p", n))}, // two are in pair1
			} {
				p.plans = append(p.plans, o.plan(t, p)...)
				p.brokers = append(p.brokers, o)
			}
			p.plans = rapid.Permutation(p.plans).Draw(t, "order")
			procs = append(procs, p)
		}
		var wg sync.WaitGroup
		for _, p := range procs {
			wg.Go(p.run)
		}
		wg.Wait()
		for _, p := range procs {
			if p.err != nil {
				t.Fatal(p.err)
			}
		}
		settled(t, store, procs)
	})
}

// process is one of several with their own registry.
type process struct {
	*world
	clock   *atomic.Int64
	brokers []*owned
	plans   []func() error
	err     error
}

// owned is a broker that only one process speaks for, and what is expected of it.
type owned struct {
	a     broker
	alive bool
	perm  int32            // of its topics
	rows  map[string]int32 // since its group was empty last, if it is alone in it
	came  int              // how often it was not there and registered
}

func (p *process) run() {
	for _, do := range p.plans {
		if p.err = p.persist(do); p.err != nil {
			return
		}
	}
}

// persist makes an attempt until it is not refused for what others do at the
// same time.
func (p *process) persist(do func() error) error {
	var err error
	for range 10_000 {
		p.now = epoch.Add(time.Duration(p.clock.Add(1)) * time.Microsecond)
		err = do()
		if !errors.Is(err, core.ErrBusy) && !errors.Is(err, core.ErrConflict) && !errors.Is(err, core.ErrStale) {
			return err
		}
		runtime.Gosched()
	}
	return fmt.Errorf("refused for ever: %w", err)
}

// plan draws what the broker does. What it expects is noted as it is done.
func (o *owned) plan(t *rapid.T, p *process) []func() error {
	var plans []func() error
	ctx := context.Background()
	for n := range rapid.IntRange(1, 5).Draw(t, "steps") {
		topics := []string{"common", fmt.Sprint(o.a.Addr, "-", n), fmt.Sprint(o.a.Addr, "-", n/2)}
		switch rapid.IntRange(0, 7).Draw(t, "step") {
		default:
			plans = append(plans, func() error {
				b := o.a.only(topics...)
				b.DataVersion.Counter = int64(n + 1)
				_, err := p.Register(ctx, p.now, b.registration())
				if err != nil {
					return err
				}
				if !o.alive {
					o.rows, o.came, o.perm = map[string]int32{}, o.came+1, 6
				}
				o.alive = true
				for _, topic := range topics {
					o.rows[topic] = 8
				}
				if all := map[string]bool{topics[0]: true, topics[1]: true, topics[2]: true}; len(o.rows) == len(all) {
					o.perm = 6 // a part of them does not end what was wiped
				}
				return nil
			})
		case 0, 1:
			plans = append(plans, func() error {
				_, err := p.Unregister(ctx, p.now, core.Departure{Cluster: "c1", Broker: o.a.Broker, Addr: o.a.Addr})
				if err == nil {
					o.alive = false
				}
				return err
			})
		case 2:
			plans = append(plans, func() error {
				_, err := p.Beat(ctx, p.now, o.a.beat())
				return err
			})
		case 3:
			plans = append(plans, func() error {
				if !strings.HasPrefix(o.a.Broker, "own") {
					_, err := p.Sweep(ctx, p.now)
					return err
				}
				n, _, err := p.WipeWrite(ctx, p.now, o.a.Broker)
				if n > 0 {
					o.perm = 4
				}
				return err
			})
		}
		plans = append(plans, func() error { // into the cache
			_, err := p.Route(ctx, p.now, topics[n%3])
			if errors.Is(err, core.ErrNoTopic) {
				return nil
			}
			return err
		})
	}
	return plans
}

// settled checks what holds when everybody is done.
func settled(t *rapid.T, store *faulty, procs []*process) {
	end := epoch.Add(time.Second)
	fresh := newWorldOver(t, store.Store)
	fresh.now = end
	groups := fresh.groups()
	topics := strings.Fields(fresh.topics(core.AllTopics, ""))
	published := map[string]int{}
	revisions := map[string]core.Revision{}
	for _, p := range procs {
		p.now = end
		for _, topic := range append(topics, "s0-0", "o0-0", "o1-1", "p2-2") {
			if got, want := p.route(topic), fresh.route(topic); got != want {
				t.Fatalf("cached route of %s:\n got %s\nwant %s", topic, got, want)
			}
		}
		for _, e := range p.sink.all {
			key := fmt.Sprint(e.Kind, e.Broker, e.ID, e.Addr, e.At.UnixNano())
			if rev, ok := revisions[key]; ok && rev != e.Revision || e.Revision == 0 {
				t.Fatalf("published %s with revisions %d and %d", tell(e), rev, e.Revision)
			} else if !ok && e.Kind == core.BrokerRegistered {
				published[e.Addr]++
			}
			revisions[key] = e.Revision
		}
	}
	for _, p := range procs {
		for _, o := range p.brokers {
			if there := strings.Contains(groups, "="+o.a.Addr); there != o.alive {
				t.Fatalf("%s is alive: %v, should be %v, in %s", o.a.Addr, there, o.alive, groups)
			}
			if published[o.a.Addr] != o.came {
				t.Fatalf("%s was announced %d times and came %d times", o.a.Addr, published[o.a.Addr], o.came)
			}
			if g := fresh.stored(o.a.Broker); g.Writer.ID != "" || g.Intent.Replicas || g.Intent.Many || len(g.Intent.Topics)+len(g.Outbox) != 0 || g.Dropped != 0 {
				t.Fatalf("something waits: %+v", g)
			}
			if !o.alive || !strings.HasPrefix(o.a.Broker, "own") {
				continue
			}
			set, err := store.TopicSet(context.Background(), o.a.Broker)
			if err != nil || len(set) != len(o.rows) {
				t.Fatalf("%s has the topics %v, should have %v", o.a.Broker, set, o.rows)
			}
			for topic := range o.rows {
				if want := fmt.Sprintf("%s@c1{0=%s} 8/8/%d", o.a.Broker, o.a.Addr, o.perm); !strings.Contains(fresh.route(topic), want) {
					t.Fatalf("route of %s:\n got %s\nwant %s in it", topic, fresh.route(topic), want)
				}
			}
		}
	}
}
