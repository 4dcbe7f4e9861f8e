package core_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// slowly is a store that takes its time to remove a topic, and so stops half
// way when its time is over.
type slowly struct {
	core.Store
	calls int
}

func (s *slowly) WriteTopics(ctx context.Context, w core.TopicWrite) ([]string, error) {
	s.calls++
	set, err := s.Store.TopicSet(ctx, w.Broker)
	if err != nil || !w.Replace {
		return s.Store.WriteTopics(ctx, w)
	}
	for _, t := range set {
		select {
		case <-time.After(1100 * ms):
		case <-ctx.Done():
			return nil, fmt.Errorf("write topics: %w", context.Cause(ctx))
		}
		if _, err := s.Store.WriteTopics(ctx, core.TopicWrite{Broker: w.Broker, Writer: w.Writer, Remove: []string{t.Name}}); err != nil {
			return nil, err
		}
	}
	return s.Store.WriteTopics(ctx, w)
}

func TestTidyingIsBoundedAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topics := func(n int) (names []string) {
			for i := range n {
				names = append(names, fmt.Sprint("T", i))
			}
			return names
		}
		store := &slowly{Store: memory.New()}
		w := newWorldOver(t, store.Store)
		for _, b := range []broker{a("b1", 0, "a", topics(25)...), a("b2", 0, "b", topics(3)...)} {
			w.register(b)
			w.unregister(b)
		}
		w.step(core.GraceTime + ms)
		sweeper := newWorldOver(t, store)
		sweeper.now = w.now
		left := func() string {
			var s string
			for _, b := range []string{"b1", "b2"} {
				set, err := store.TopicSet(w.ctx, b)
				w.must(err)
				s += fmt.Sprint(len(set), " ")
			}
			return s
		}
		pass := func(took time.Duration, removed, want string) {
			t.Helper()
			began := time.Now()
			w.equal("removed", fmt.Sprint(sweeper.sweep().Removed), removed)
			if got := time.Since(began).Truncate(time.Second); got != took {
				t.Fatalf("took %v, want %v", got, took)
			}
			w.equal("left", left(), want)
			sweeper.step(time.Minute)
		}
		pass(10*time.Second, "[]", "16 3 ")
		pass(10*time.Second, "[]", "7 3 ")
		pass(10*time.Second, "[b1]", "0 1 ")
		pass(time.Second, "[b2]", "0 0 ")
		pass(0, "[]", "0 0 ")
		w.equal("told of what is gone", sweeper.sink.told(), "")

		// What is due is not kept waiting.
		gone := a("b1", 0, "a", topics(4)...)
		w.now = sweeper.now
		w.register(gone)
		w.unregister(gone)
		w.step(core.GraceTime + ms)
		w.register(a("b3", 0, "c", "T", "U").change(func(b *broker) { b.Timeout = 4 * time.Second }))
		sweeper.now = w.now
		pass(4*time.Second, "[]", "1 0 ")
		// Nor does what is always due keep the rest from being done.
		w.now = sweeper.now
		w.register(a("b3", 0, "c", "T", "U").change(func(b *broker) { b.Timeout = ms }))
		pass(time.Second, "[b1]", "0 0 ")
	})
}
