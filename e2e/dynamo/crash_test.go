//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"signpost/core"
)

// act is something that is done to a broker.
type act struct {
	name   string
	before func(*testing.T, *scene) // what was done before
	do     func(context.Context, *core.Registry, *scene, time.Time) error
}

// scene is one broker of a world, with what readers can see of it.
type scene struct {
	*world
	broker string
	names  []string // every topic that it may have
}

func (s *scene) topic(n int, queues int32) core.Topic {
	return core.Topic{Name: s.names[n], Queues: core.Queues{Read: queues, Write: queues, Perm: core.PermReadWrite}}
}

func (s *scene) register(ctx context.Context, r *core.Registry, now, said time.Time, version int64, list ...core.Topic) error {
	reg := registration(s.broker, version, list)
	reg.Age = now.Sub(said)
	return second(r.Register(ctx, now, reg))
}

func (s *scene) leave(ctx context.Context, r *core.Registry, now time.Time) error {
	return second(r.Unregister(ctx, now, core.Departure{Cluster: "production-cluster", Broker: s.broker, Addr: "10.20.30.40:10911", Age: now.Sub(began.Add(time.Second))}))
}

// seen returns the queues of each topic as readers see them, 0 for no route.
func (s *scene) seen(t *testing.T, r *core.Registry, now time.Time) map[string]int32 {
	t.Helper()
	routes := map[string]int32{}
	for _, name := range s.names {
		route, err := r.Route(t.Context(), now, name)
		switch {
		case errors.Is(err, core.ErrNoTopic):
		case err != nil:
			t.Fatal(err)
		default:
			for _, row := range route.Rows {
				routes[name] += row.Queues.Read
			}
		}
	}
	return routes
}

func registered(t *testing.T, s *scene) {
	t.Helper()
	must(t, s.register(t.Context(), newRegistry(s.process(&saboteur{})), began, began, 1, s.topic(0, 1), s.topic(1, 1), s.topic(2, 1)))
}

var acts = []act{
	{"first registration", func(*testing.T, *scene) {}, func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return s.register(ctx, r, now, began.Add(time.Second), 2, s.topic(0, 2), s.topic(3, 2))
	}},
	{"changed topics", registered, func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return s.register(ctx, r, now, began.Add(time.Second), 2, s.topic(0, 2), s.topic(1, 1), s.topic(3, 2))
	}},
	{"return with fewer topics", func(t *testing.T, s *scene) {
		registered(t, s)
		must(t, second(newRegistry(s.process(&saboteur{})).Unregister(t.Context(), began, core.Departure{
			Cluster: "production-cluster", Broker: s.broker, Addr: "10.20.30.40:10911",
		})))
	}, func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return s.register(ctx, r, now, began.Add(time.Second), 2, s.topic(0, 2), s.topic(1, 1))
	}},
	{"topic deleted", registered, func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return second(r.DeleteTopic(ctx, now, s.names[1], ""))
	}},
	{"unregistered", registered, func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return s.leave(ctx, r, now)
	}},
	{"wiped", registered, func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		_, _, err := r.WipeWrite(ctx, now, s.broker)
		return err
	}},
}

// recoveries are what may happen after a crash; the last moment of a token is
// between them.
var recoveries = []struct {
	name     string
	repeated bool
	do       func(*testing.T, *core.Registry, *scene, act)
}{
	{"repeated", true, func(t *testing.T, r *core.Registry, s *scene, a act) {
		repeat(t, r, s, a, 2*time.Second, 40*time.Second)
	}},
	{"swept, then repeated", true, func(t *testing.T, r *core.Registry, s *scene, a act) {
		sweep(t, r, s, 40*time.Second)
		repeat(t, r, s, a, 41*time.Second)
	}},
	{"swept", false, func(t *testing.T, r *core.Registry, s *scene, _ act) { sweep(t, r, s, 40*time.Second) }},
}

func repeat(t *testing.T, r *core.Registry, s *scene, a act, after ...time.Duration) {
	t.Helper()
	var err error
	for _, d := range after {
		now := began.Add(d)
		s.pass(now)
		if err = a.do(t.Context(), r, s, now); err == nil {
			return
		}
	}
	t.Fatalf("repeated %s: %v", a.name, err)
}

func sweep(t *testing.T, r *core.Registry, s *scene, after time.Duration) {
	t.Helper()
	s.pass(began.Add(after))
	if _, err := r.Sweep(t.Context(), began.Add(after)); err != nil {
		t.Fatal(err)
	}
}

// TestCrash lets a process die before and after each call that it makes, and
// looks at what is left, or what the repetition by another process makes of it.
func TestCrash(t *testing.T) {
	w := newWorld(t)
	serial := 0
	newScene := func(t *testing.T, a act) *scene {
		serial++
		s := &scene{world: &world{table: w.table, now: began}, broker: fmt.Sprint("broker-", serial)}
		for n := range 4 {
			s.names = append(s.names, fmt.Sprintf("topic-%d-%d", serial, n))
		}
		a.before(t, s)
		return s
	}
	for _, a := range acts {
		t.Run(a.name, func(t *testing.T) {
			s := newScene(t, a)
			reader := newRegistry(s.process(&saboteur{}))
			before := s.seen(t, reader, began)
			whole := &saboteur{}
			must(t, a.do(t.Context(), newRegistry(s.process(whole)), s, began.Add(time.Second)))
			after := s.seen(t, reader, began.Add(time.Second))
			for call := 1; call <= whole.calls; call++ {
				for i := range 2 {
					late, recovery := i == 1, recoveries[(call+i)%len(recoveries)]
					t.Run(fmt.Sprintf("call %d, carried out: %v, %s", call, late, recovery.name), func(t *testing.T) {
						s := newScene(t, a)
						reader := newRegistry(s.process(&saboteur{}))
						s.seen(t, reader, began)
						f := &saboteur{crash: call, late: late}
						_ = a.do(t.Context(), newRegistry(s.process(f)), s, began.Add(time.Second))
						recovery.do(t, newRegistry(s.process(&saboteur{})), s, a)
						s.check(t, reader, rename(before, s), rename(after, s), recovery.repeated)
					})
				}
			}
		})
	}
}

// rename turns what was seen of one scene's topics into those of another.
func rename(seen map[string]int32, s *scene) map[string]int32 {
	renamed := map[string]int32{}
	for name, queues := range seen {
		renamed[s.names[name[len(name)-1]-'0']] = queues
	}
	return renamed
}

// check looks at what is left: for each topic what was before or what is to be
// after, and the latter if it is done; for readers of before and new ones
// alike; the set covering what is there.
func (s *scene) check(t *testing.T, reader *core.Registry, before, after map[string]int32, done bool) {
	t.Helper()
	store := s.process(&saboteur{})
	now := s.time()
	got := s.seen(t, newRegistry(store), now)
	if old := s.seen(t, reader, now); !maps.Equal(old, got) {
		t.Errorf("who has read before sees %v, who has not sees %v", old, got)
	}
	for _, name := range s.names {
		if got[name] != after[name] && (done || got[name] != before[name]) {
			t.Errorf("%s has %d queues; before %d, after %d", name, got[name], before[name], after[name])
		}
	}
	uncovered, unsettled := s.compare(t, store)
	if len(uncovered) > 0 {
		t.Errorf("rows that the set does not cover: %v", uncovered)
	}
	if !done || len(unsettled) == 0 {
		return
	}
	// Names of rows that are gone, which nothing was left to do about, go
	// with the broker's next registration.
	must(t, s.register(t.Context(), newRegistry(store), now, now, 99, s.topic(0, 9), s.topic(3, 9)))
	if uncovered, unsettled = s.compare(t, store); len(uncovered)+len(unsettled) > 0 {
		t.Errorf("rows without names %v, names without rows %v", uncovered, unsettled)
	}
}

// compare returns the broker's topics that have a row and are not in its set,
// and those that have none and are.
func (s *scene) compare(t *testing.T, store core.Store) (uncovered, unsettled []string) {
	t.Helper()
	set, err := store.TopicSet(t.Context(), s.broker)
	must(t, err)
	for _, name := range s.names {
		rows, err := store.Rows(t.Context(), name)
		must(t, err)
		there := slices.ContainsFunc(rows, func(r core.Row) bool { return r.Broker == s.broker })
		covered := slices.ContainsFunc(set, func(f core.TopicFlag) bool { return f.Name == name })
		switch {
		case there && !covered:
			uncovered = append(uncovered, name)
		case !there && covered:
			unsettled = append(unsettled, name)
		}
	}
	return uncovered, unsettled
}
