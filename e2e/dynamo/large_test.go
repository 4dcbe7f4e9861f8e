//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/dynamo"
)

// TestManyTopics registers a broker with 60,000 topics, which a new table
// takes no registration's time for: each is cut by its deadline, and the next
// goes on where it was.
func TestManyTopics(t *testing.T) {
	const n, attempts = 60_000, 4
	all := manyTopics(n)
	f := &saboteur{}
	m := newMetered(t, dynamo.WithClient(f.install))
	r := newRegistry(m)
	reg := registration(group, 1, all)
	m.reset()
	attempt := 0
	for err := errors.New("not yet"); err != nil; {
		if attempt++; attempt > attempts {
			t.Fatalf("not stored after %d registrations: %v", attempts, err)
		}
		now := began.Add(time.Duration(attempt) * 10 * time.Second)
		m.pass(now)
		ctx, cancel := context.WithCancelCause(t.Context())
		last := f.calls + 800
		f.between = func(call int) {
			if call == last {
				cancel(context.DeadlineExceeded)
			}
		}
		_, err = r.Register(ctx, now, reg)
		cancel(nil)
		if attempt < 2 && err == nil {
			t.Error("it was not cut")
		}
		if _, err := r.Route(t.Context(), now, all[0].Name); attempt < 2 && !errors.Is(err, core.ErrNoTopic) {
			t.Errorf("the group is shown before its topics are there: %v", err)
		}
	}
	t.Logf("%d registrations, %.0f write and %.0f read units", attempt, m.writes, m.reads)
	// A row each, its chunk with 64 to 128 of them, manifests of 4 KB, and what
	// each attempt has begun and not finished.
	if limit := n*1.04 + (attempts-1)*1000.0; m.writes > limit {
		t.Errorf("%.0f write units, the limit is %.0f", m.writes, limit)
	}
	if limit := 2000.0 * attempts; m.reads > limit {
		t.Errorf("%.0f read units, the limit is %.0f", m.reads, limit)
	}
	set, err := m.TopicSet(t.Context(), group)
	must(t, err)
	if len(set) != n {
		t.Errorf("%d topics are stored", len(set))
	}
	for i := 0; i < n; i += 10_007 {
		rows, err := m.Rows(t.Context(), all[i].Name)
		must(t, err)
		if len(rows) != 1 || !rows[0].Equal(all[i]) {
			t.Errorf("%s: %v", all[i].Name, rows)
		}
	}
}
