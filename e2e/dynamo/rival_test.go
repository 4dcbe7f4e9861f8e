//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"signpost/core"
)

// rivals are what another process does between two calls of the one at work.
var rivals = []act{
	{name: "newer registration", do: register(counters, through("s2", replica(0, master, 3, topic(0, 3), topic(2, 3))))},
	{name: "the broker leaves", do: leave(counters, core.Departure{Addr: master})},
	{name: "topic deleted", do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		return second(r.DeleteTopic(ctx, now, names[0], ""))
	}},
	{name: "a slave registers", do: register(counters, through("s3", replica(1, slave, 1, topic(0, 5), topic(1, 5))))},
}

// atWork are names of acts that have rivals.
var atWork = []string{"first registration", "changed topics", "topic deleted", "the last lease ends"}

// turn returns when the rival comes after that call: a moment later, or when
// the token of the one at work has ended.
func turn(call int) time.Time {
	if call%2 == 0 {
		return outlived
	}
	return counters
}

// TestRivals lets another process do something between any two calls of one,
// whom it may keep waiting until its token has ended, with and without a sweep
// after that. Both say it again until they are answered. It ends as if they
// had come one after the other.
func TestRivals(t *testing.T) {
	for _, a := range table {
		if !slices.Contains(atWork, a.name) {
			continue
		}
		for _, rival := range rivals {
			t.Run(a.name+", "+rival.name, func(t *testing.T) {
				t.Parallel()
				d := duel{a: a, rival: rival, holds: a.prepare(t), orders: map[time.Time][]state{}}
				calls := d.uncontested(t)
				for call := 1; call <= calls; call++ {
					at := turn(call)
					for _, swept := range []bool{false, true} {
						t.Run(fmt.Sprintf("after call %d at %v, sweep %v", call, at.Sub(began), swept), func(t *testing.T) {
							d.fight(t, call, at, swept)
						})
					}
				}
			})
		}
	}
}

// duel is one act and its rival.
type duel struct {
	a, rival act
	holds    items
	orders   map[time.Time][]state // how it may end, by when the rival came
}

var (
	again      = began.Add(50 * time.Second) // the one at work says it again
	rivalAgain = began.Add(51 * time.Second)
)

// uncontested returns how many calls the act makes.
func (d *duel) uncontested(t *testing.T) int {
	f := &saboteur{}
	d.a.serially(t, d.holds, f, "do")
	return f.calls
}

func (d *duel) fight(t *testing.T, call int, at time.Time, swept bool) {
	s, reader := d.a.scene(t, d.holds)
	defer s.close(t)
	other := newRegistry(s.healthy())
	f := &saboteur{}
	f.between = func(n int) {
		if n != call {
			return
		}
		s.pass(at)
		if err := d.rival.do(t.Context(), other, at); !answered(err) && !errors.Is(err, core.ErrBusy) {
			t.Errorf("rival: %v", err)
		}
		if swept {
			must(t, sweep(t.Context(), other, at))
		}
	}
	if err := d.a.do(t.Context(), newRegistry(s.process(f)), acts); !answered(err) && !errors.Is(err, core.ErrBusy) && !errors.Is(err, core.ErrConflict) {
		t.Errorf("at work: %v", err)
	}
	if !d.end(t, s) {
		// The one at work has nothing more to say, since the rival was newer:
		// the sweeper tells what it has changed before.
		must(t, sweep(t.Context(), other, s.time()))
	}
	s.check(t, reader, d.serially(t, at), state.is)
}

// end lets both say it again, and returns whether both are heard.
func (d *duel) end(t *testing.T, s *scene) (heard bool) {
	t.Helper()
	heard = true
	r := newRegistry(s.healthy())
	for _, last := range []struct {
		at time.Time
		a  act
	}{{again, d.a}, {rivalAgain, d.rival}} {
		s.pass(last.at)
		err := last.a.do(t.Context(), r, last.at)
		if !answered(err) {
			t.Errorf("%s, again: %v", last.a.name, err)
		}
		heard = heard && err == nil
	}
	return heard
}

// serially returns how it may end if the rival comes at that moment, and
// either of them may have failed before it says it again.
func (d *duel) serially(t *testing.T, at time.Time) []state {
	t.Helper()
	if d.orders[at] != nil {
		return d.orders[at]
	}
	type turn struct {
		at time.Time
		a  act
	}
	work, rival := turn{acts, d.a}, turn{at, d.rival}
	for _, order := range [][]turn{{work, rival}, {rival, work}, {rival}, {work}} {
		s := newScene(t, d.holds)
		r := newRegistry(s.healthy())
		for _, now := range order {
			s.pass(now.at)
			if err := now.a.do(t.Context(), r, s.time()); !answered(err) {
				t.Errorf("%s: %v", now.a.name, err)
			}
		}
		d.end(t, s)
		d.orders[at] = append(d.orders[at], s.state(t, r))
		s.close(t)
	}
	return d.orders[at]
}
