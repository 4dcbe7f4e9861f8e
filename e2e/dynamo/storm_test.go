//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"signpost/core"
)

// TestStorm lets three gateways, each a process of its own, pass on what a
// master and a slave say, with an operator and a sweeper at work beside them
// and calls failing at random: throttled, refused, answered to nobody, done by
// half. Everything is said again until it is answered, as its author would. In
// the end the newest word on everything stands, and nothing else.
func TestStorm(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			storm(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

const stormSteps = 12 // of each process

func storm(t *testing.T, random *rand.Rand) {
	a := act{}
	s := newScene(t, a.prepare(t))
	defer s.close(t)
	reader := newRegistry(s.healthy())
	s.routes(t, reader)
	var version int64
	// say draws something that is said now.
	say := func(process int) func(context.Context, *core.Registry, time.Time) error {
		s.pass(s.time().Add(50 * time.Millisecond))
		now := s.time()
		version++
		body := []core.Topic{topic(0, int32(version%9)), topic(1, int32(version%7))}
		switch n := random.IntN(10); {
		case process == 3 && n < 5:
			return table[slices.IndexFunc(table, func(a act) bool { return a.name == "topic deleted" })].do
		case process == 3:
			return table[slices.IndexFunc(table, func(a act) bool { return a.name == "wiped" })].do
		case process == 4:
			return sweep
		case n < 4:
			return register(now, through(sessions[process], replica(0, master, version, body...)))
		case n < 6:
			return register(now, through(sessions[process], replica(1, slave, version, body...)))
		case n < 7:
			return leave(now, core.Departure{Addr: slave})
		case n < 8:
			return leave(now, core.Departure{Addr: master, Session: sessions[process], Owner: owner, LeaseOnly: true})
		default:
			return register(now, replica(0, master, version, body...))
		}
	}
	scripts := make([][]func(context.Context, *core.Registry, time.Time) error, 5)
	for range stormSteps {
		for process := range scripts {
			scripts[process] = append(scripts[process], say(process))
		}
	}
	var wg sync.WaitGroup
	for _, script := range scripts {
		wg.Go(func() {
			r := newRegistry(s.process(&saboteur{rate: 0.05}))
			for _, do := range script {
				if err := insist(t.Context(), s, r, do); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.pass(outlived)
	last := []core.Topic{topic(0, 31), topic(2, 33)}
	r := newRegistry(s.process(&saboteur{rate: 0.05}))
	for _, do := range []func(context.Context, *core.Registry, time.Time) error{
		leave(outlived, core.Departure{Addr: slave}),
		register(outlived, through("s1", whole(replica(0, master, 1000, last...)))),
		register(outlived, through("s2", whole(replica(0, master, 1000, last...)))),
		register(outlived.Add(-time.Second), through("s3", replica(1, slave, 999, topic(1, 9), topic(2, 9)))), // on its way for long
	} {
		must(t, insist(t.Context(), s, r, do))
	}
	must(t, sweep(t.Context(), newRegistry(s.healthy()), s.time()))
	s.check(t, reader, nil, func(got state, _ []state) bool {
		for i, queues := range []int32{31, 0, 33} {
			routes := s.routes(t, r)
			if route := routes[i]; queues == 0 && route != nil || queues > 0 && (route == nil || route.Rows[0].Queues.Read != queues) {
				return false
			}
		}
		g, err := r.Group(t.Context(), s.time(), group)
		held := err == nil && len(g.Replicas) == 1 && g.Replicas[0].Addr == master
		for _, session := range []string{"s1", "s2"} {
			held = held && slices.ContainsFunc(g.Replicas[0].Leases, func(l core.Lease) bool { return l.Session == session })
		}
		return held
	})
}

// calm is when the storm is over at the latest, by the world's clock.
var calm = began.Add(30 * time.Second)

// insist says something until it is answered.
func insist(ctx context.Context, s *scene, r *core.Registry, do func(context.Context, *core.Registry, time.Time) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := do(ctx, r, s.time())
		switch {
		case answered(err):
			return nil
		case ctx.Err() != nil || !errors.Is(err, core.ErrBusy) && !errors.Is(err, core.ErrConflict) && !errors.Is(err, core.ErrUnavailable):
			return err
		}
		if later := s.time().Add(100 * time.Millisecond); later.Before(calm) || !s.time().Before(outlived) {
			s.pass(later) // a token whose writer is gone ends some time
		}
	}
}
