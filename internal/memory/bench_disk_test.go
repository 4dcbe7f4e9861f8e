package memory_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"signpost/core"
	"signpost/internal/memory"
)

func openStore(tb testing.TB, path string, opts ...memory.Option) *memory.Store {
	tb.Helper()
	s, err := memory.Open(path, epoch, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func closeStore(tb testing.TB, s *memory.Store) {
	tb.Helper()
	if err := s.Close(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkRaise is what a change of one broker waits for.
func BenchmarkRaise(b *testing.B) {
	ctx := context.Background()
	s := openStore(b, filepath.Join(b.TempDir(), "store"))
	defer closeStore(b, s)
	fill(b, s, 100, 40, 4000)
	g, err := s.Group(ctx, "broker-0001")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if g, err = s.PutGroup(ctx, g); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Raise(ctx, []core.Change{{Broker: g.Name, Replicas: true}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is a first registration of many topics, until it is on disk.
func BenchmarkCommit(b *testing.B) {
	topics, ctx := manyTopics(50_000), context.Background()
	b.Run("new=50000", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			s := openStore(b, filepath.Join(b.TempDir(), "store"))
			if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: topics}); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if _, err := s.Raise(ctx, []core.Change{{Broker: "a", Many: true}}); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(float64(s.Health().Size)/1e6, "MB-file")
			closeStore(b, s)
			b.StartTimer()
		}
	})
	b.Run("one-of=10000", func(b *testing.B) {
		s := openStore(b, filepath.Join(b.TempDir(), "store"))
		defer closeStore(b, s)
		if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: topics[:10_000]}); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			topics[0].Queues.Read++
			if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: topics[:1]}); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Raise(ctx, []core.Change{{Broker: "a", Topics: []string{topics[0].Name}}}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(s.Health().Size)/1e6, "MB-file")
	})
}

// BenchmarkOpen is a restart with 1,000 brokers.
func BenchmarkOpen(b *testing.B) {
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			s := openStore(b, filepath.Join(b.TempDir(), "store"))
			b.StopTimer()
			closeStore(b, s)
			b.StartTimer()
		}
	})
	for _, size := range []struct{ brokers, perBroker, topics int }{{1000, 0, 1}, {100, 40, 4000}, {1000, 80, 10_000}} {
		b.Run(fmt.Sprintf("brokers=%d/topics=%d", size.brokers, size.perBroker), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "store")
			s := openStore(b, path)
			fill(b, s, size.brokers, size.perBroker, size.topics)
			closeStore(b, s)
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			s = nil
			before := liveHeap()
			for b.Loop() {
				s = openStore(b, path)
				b.StopTimer()
				closeStore(b, s)
				b.StartTimer()
			}
			b.ReportMetric(float64(liveHeap()-before)/1e6, "MB-live")
			b.ReportMetric(float64(info.Size())/1e6, "MB-file")
			runtime.KeepAlive(s)
		})
	}
}
