package memory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// manyTopics returns n topics in no order, with names of usual length.
func manyTopics(n int) []core.Topic {
	topics := make([]core.Topic, n)
	for i := range topics {
		topics[i] = core.Topic{Name: fmt.Sprintf("orders-of-department-%06d", i), Queues: core.Queues{Read: 8, Write: 8, Perm: 6}}
	}
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(n, func(i, j int) { topics[i], topics[j] = topics[j], topics[i] })
	return topics
}

func group(name string, replicas int) core.Group {
	g := core.Group{Name: name, Cluster: "DefaultCluster"}
	for id := range replicas {
		g.Replicas = append(g.Replicas, core.Replica{
			ID: int64(id), Addr: fmt.Sprintf("10.20.30.%d:10911", id), HAAddr: fmt.Sprintf("10.20.30.%d:10912", id),
			Timeout: core.DefaultTimeout, Digest: 77, DataVersion: core.DataVersion{Timestamp: 1, Counter: 2}, Said: epoch,
			Leases: []core.Lease{{Said: epoch}},
		})
	}
	return g
}

func BenchmarkHead(b *testing.B) {
	s, ctx := memory.New(), context.Background()
	rev, _ := s.Raise(ctx, []core.Change{{Broker: "b"}})
	b.ReportAllocs()
	for b.Loop() {
		if h, err := s.Head(ctx, rev, false); err != nil || !h.Complete {
			b.Fatal(h, err)
		}
	}
}

func BenchmarkRenew(b *testing.B) {
	s, ctx := memory.New(), context.Background()
	if _, err := s.PutGroup(ctx, group("broker-a", 2)); err != nil {
		b.Fatal(err)
	}
	r := core.Renewal{Cluster: "DefaultCluster", Broker: "broker-a", Addr: "10.20.30.0:10911", Digest: 77}
	now := epoch
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		r.Said = now
		if _, err := s.Renew(ctx, now, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRows(b *testing.B) {
	s, ctx := memory.New(), context.Background()
	for i := range 4 {
		if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: fmt.Sprint("broker-", i), Put: manyTopics(1000)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if rows, _ := s.Rows(ctx, "orders-of-department-000500"); len(rows) != 4 {
			b.Fatal(rows)
		}
	}
}

func BenchmarkWriteTopics(b *testing.B) {
	topics, ctx := manyTopics(50_000), context.Background()
	b.Run("new=50000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := memory.New()
			if changed, err := s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: topics}); err != nil || len(changed) != len(topics) {
				b.Fatal(err)
			}
		}
	})
	s := memory.New()
	if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: topics}); err != nil {
		b.Fatal(err)
	}
	b.Run("unchanged=50000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if changed, err := s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: topics, Replace: true}); err != nil || len(changed) != 0 {
				b.Fatal(err)
			}
		}
	})
}

// fill registers brokers with perBroker of the topics each.
func fill(tb testing.TB, s core.Store, brokers, perBroker, topics int) {
	tb.Helper()
	ctx := context.Background()
	for i := range brokers {
		name := fmt.Sprintf("broker-%04d", i)
		put := make([]core.Topic, perBroker)
		for j := range put {
			put[j] = core.Topic{
				Name:   fmt.Sprintf("orders-of-department-%06d", (i*perBroker+j)%topics),
				Queues: core.Queues{Read: 8, Write: 8, Perm: 6},
			}
		}
		if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: name, Put: put}); err != nil {
			tb.Fatal(err)
		}
		if _, err := s.PutGroup(ctx, group(name, 1)); err != nil {
			tb.Fatal(err)
		}
		if _, err := s.TopicSet(ctx, name); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkHeap reports the live heap of 1,000 brokers with 80 of 10,000 topics each.
func BenchmarkHeap(b *testing.B) {
	for b.Loop() {
		before := liveHeap()
		s := memory.New()
		fill(b, s, 1000, 80, 10_000)
		b.ReportMetric(float64(liveHeap()-before)/1e6, "MB-live")
		runtime.KeepAlive(s)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
