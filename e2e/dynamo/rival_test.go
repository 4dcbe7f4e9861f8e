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

// rivals are what another process does between two calls of the one that is
// at work, a moment later or when its token has ended.
var rivals = []struct {
	name string
	do   func(context.Context, *core.Registry, *scene, time.Time) error
	// seen is what readers may see in the end, by the number of queues of each
	// topic: as if the one at work had been first, or the rival, which makes
	// the older registration count no more.
	seen [][]int32
}{
	{"newer registration", func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return s.register(ctx, r, now, began.Add(2*time.Second), 3, s.topic(0, 3), s.topic(2, 3))
	}, [][]int32{{3, 1, 3, 2}, {3, 1, 3, 0}}},
	{"topic deleted", func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return second(r.DeleteTopic(ctx, now, s.names[2], ""))
	}, [][]int32{{2, 1, 0, 2}, {1, 1, 0, 0}}},
	{"sweep", func(ctx context.Context, r *core.Registry, s *scene, now time.Time) error {
		return second(r.Sweep(ctx, now))
	}, [][]int32{{2, 1, 1, 2}}},
}

// TestRivals lets another process work between any two calls of one that
// registers a broker with changed topics, with and without a sweep after it.
// In the end both are done, in some order, and the newer statement stands.
func TestRivals(t *testing.T) {
	w := newWorld(t)
	serial := 1000
	for _, rival := range rivals {
		for _, delay := range []time.Duration{3 * time.Second, 40 * time.Second} {
			calls := 1 // until the one at work makes no more
			for call := 1; call <= calls; call++ {
				serial++
				s := &scene{world: &world{table: w.table, now: began}, broker: fmt.Sprint("broker-", serial)}
				for n := range 4 {
					s.names = append(s.names, fmt.Sprintf("topic-%d-%d", serial, n))
				}
				t.Run(fmt.Sprintf("%s after %v, call %d", rival.name, delay, call), func(t *testing.T) {
					registered(t, s)
					reader := newRegistry(s.process(&saboteur{}))
					s.seen(t, reader, began)
					other := newRegistry(s.process(&saboteur{}))
					later := began.Add(delay)
					f := &saboteur{}
					f.between = func(n int) {
						if n != call {
							return
						}
						s.pass(later)
						if err := rival.do(t.Context(), other, s, later); err != nil && !errors.Is(err, core.ErrBusy) {
							t.Errorf("rival: %v", err)
						}
						if call%2 == 0 {
							must(t, second(other.Sweep(t.Context(), later)))
						}
					}
					work := func(r *core.Registry, now time.Time) error {
						err := s.register(t.Context(), r, now, began.Add(time.Second), 2, s.topic(0, 2), s.topic(1, 1), s.topic(3, 2))
						if errors.Is(err, core.ErrStale) {
							return nil // the rival's is newer
						}
						return err
					}
					_ = work(newRegistry(s.process(f)), began.Add(time.Second))
					calls = max(calls, f.calls)
					// Both are repeated by whoever made them, until they are answered.
					end := began.Add(80 * time.Second)
					s.pass(end)
					must(t, work(newRegistry(s.process(&saboteur{})), end))
					must(t, rival.do(t.Context(), other, s, end))
					got := s.seen(t, newRegistry(s.process(&saboteur{})), end)
					if !slices.ContainsFunc(rival.seen, func(queues []int32) bool { return maps.Equal(got, s.routes(queues)) }) {
						t.Errorf("seen: %v, want one of %v", got, rival.seen)
					}
					s.check(t, reader, got, got, true)
				})
			}
		}
	}
}

// routes names the topics of queues; 0 is no route.
func (s *scene) routes(queues []int32) map[string]int32 {
	routes := map[string]int32{}
	for i, n := range queues {
		if n > 0 {
			routes[s.names[i]] = n
		}
	}
	return routes
}
