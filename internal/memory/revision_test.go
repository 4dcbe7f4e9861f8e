package memory_test

import (
	"context"
	"fmt"
	"testing"

	"signpost/core"
	"signpost/internal/memory"
)

func names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("t%05d", i)
	}
	return names
}

func raise(t testing.TB, s *memory.Store, changes ...core.Change) core.Revision {
	t.Helper()
	r, err := s.Raise(context.Background(), changes)
	must(t, err)
	return r
}

func headOf(t testing.TB, s *memory.Store, since core.Revision) core.Head {
	t.Helper()
	h, err := s.Head(context.Background(), since, false)
	must(t, err)
	return h
}

func TestLogIsBounded(t *testing.T) {
	const kept = 1024
	s := memory.New()
	for range 3000 {
		raise(t, s, core.Change{Broker: "b", Topics: []string{"t"}})
	}
	for _, back := range []core.Revision{0, 1, kept - 1, kept, kept + 1, 2000, 3000} {
		h := headOf(t, s, 3000-back)
		complete := back <= kept
		if h.Revision != 3000 || h.Complete != complete || len(h.Changes) != int(min(back, kept)) {
			t.Errorf("%d back: at %d, complete %v, %d changes", back, h.Revision, h.Complete, len(h.Changes))
		}
		for i, c := range h.Changes {
			if want := h.Revision - core.Revision(len(h.Changes)-1-i); c.Revision != want {
				t.Fatalf("%d back: change %d has revision %d, want %d", back, i, c.Revision, want)
			}
		}
	}
}

func TestLogBoundsTheNames(t *testing.T) {
	const perChange, inAll = 4096, 65536
	s := memory.New()
	raise(t, s, core.Change{Broker: "b", Topics: names(perChange)}, core.Change{Broker: "b", Topics: names(perChange + 1)})
	h := headOf(t, s, 0)
	if c := h.Changes[0]; len(c.Topics) != perChange || c.Many {
		t.Errorf("%d names became %d, many %v", perChange, len(c.Topics), c.Many)
	}
	if c := h.Changes[1]; len(c.Topics) != 0 || !c.Many {
		t.Errorf("%d names became %d, many %v", perChange+1, len(c.Topics), c.Many)
	}
	const full = inAll / perChange
	for range 3 * full {
		raise(t, s, core.Change{Broker: "b", Topics: names(perChange)})
	}
	last := headOf(t, s, 0).Revision
	if h := headOf(t, s, last-full); !h.Complete {
		t.Errorf("the log does not reach back over %d changes of %d names", full, perChange)
	}
	if h := headOf(t, s, last-full-1); h.Complete {
		t.Errorf("the log reaches back over %d names", (full+1)*perChange)
	}
}

// TestHeadAllocatesNothing: it is called for every route query.
func TestHeadAllocatesNothing(t *testing.T) {
	s, ctx := memory.New(), context.Background()
	r := raise(t, s, core.Change{Broker: "a"}, core.Change{Broker: "b"})
	for _, since := range []core.Revision{r, r - 1, 0} {
		if n := testing.AllocsPerRun(100, func() { _, _ = s.Head(ctx, since, false) }); n != 0 {
			t.Errorf("%v allocations for the head since %d", n, since)
		}
	}
}
