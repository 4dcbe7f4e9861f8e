//go:build e2e

package dynamo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signpost/core"
)

// recoveries are what may happen after each fault: the author says it again,
// or a sweep comes before, or instead of that.
var recoveries = map[fault][][]string{
	dies:        {{"repeat"}, {"sweep", "repeat"}, {"sweep"}},
	unavailable: {{"repeat"}, {"sweep", "repeat"}},
	failsLate:   {{"repeat"}, {"sweep", "repeat"}},
	losesAnswer: {{"repeat"}, {"sweep", "repeat"}},
	halfDone:    {{"repeat"}, {"sweep", "repeat"}},
}

// TestFaults does every kind of write, with every fault at each of its calls,
// and one of the recoveries after it. It ends as if it had been done once or
// twice in order, or not at all if nobody has said it again.
func TestFaults(t *testing.T) {
	for _, a := range table {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			holds := a.prepare(t)
			whole := &saboteur{}
			done := []state{a.serially(t, holds, whole, "do"), a.serially(t, holds, &saboteur{}, "do", "repeat"), a.serially(t, holds, &saboteur{}, "repeat")}
			undone := append(slices.Clone(done), a.serially(t, holds, &saboteur{}))
			for call, does := range whole.did {
				for what, recoveries := range recoveries {
					if !what.matters(does) {
						continue
					}
					if isRead(does) { // nothing was done
						recoveries = recoveries[1:2]
					}
					for _, steps := range recoveries {
						a.fails(t, holds, call+1, what, steps, done, undone)
					}
				}
			}
		})
	}
}

// matters says whether a fault at such a call makes a difference to others.
func (f fault) matters(operation string) bool {
	switch f {
	case halfDone:
		return strings.HasPrefix(operation, "Batch")
	case unavailable:
		return true
	default: // a read that nobody hears of was none
		return !isRead(operation)
	}
}

func isRead(operation string) bool {
	return operation == "GetItem" || operation == "Query" || operation == "BatchGetItem"
}

// serially returns how the scene ends when the act is done as the steps say,
// by a process with f.
func (a act) serially(t *testing.T, holds items, f *saboteur, steps ...string) state {
	t.Helper()
	s, _ := a.scene(t, holds)
	defer s.close(t)
	r := newRegistry(s.process(f))
	for _, step := range steps {
		a.step(t, s, r, step)
	}
	s.pass(finally)
	return s.state(t, newRegistry(s.healthy()))
}

func (a act) step(t *testing.T, s *scene, r *core.Registry, step string) {
	t.Helper()
	switch step {
	case "do":
		if err := a.do(t.Context(), r, s.time()); !answered(err) {
			t.Fatalf("%s: %v", a.name, err)
		}
	case "repeat":
		a.repeat(t, s, r)
	case "sweep":
		s.pass(outlived)
		must(t, sweep(t.Context(), r, s.time()))
	}
}

func (a act) fails(t *testing.T, holds items, call int, what fault, steps []string, done, undone []state) {
	t.Run(fmt.Sprintf("call %d %v, then %s", call, what, strings.Join(steps, ", ")), func(t *testing.T) {
		s, reader := a.scene(t, holds)
		defer s.close(t)
		f := &saboteur{at: call, fault: what}
		err := a.do(t.Context(), newRegistry(s.process(f)), s.time())
		if survivable := what == losesAnswer || what == halfDone; survivable && !answered(err) {
			t.Error(err)
		}
		r := newRegistry(s.healthy())
		for _, step := range steps {
			a.step(t, s, r, step)
		}
		s.pass(finally)
		if err == nil || slices.Contains(steps, "repeat") {
			s.check(t, reader, done, state.is)
		} else {
			s.check(t, reader, undone, state.mixes)
		}
	})
}
