package follow_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"signpost/core"
)

const benchTopics = 1000

// benched is a cloud with topics on four brokers each, and their names.
func benched(b *testing.B) (*cloud, []string) {
	c := newCloud()
	b.Cleanup(c.gateway(other))
	names := make([]string, benchTopics)
	for i := range names {
		names[i] = fmt.Sprintf("some-topic-of-usual-length-%04d", i)
	}
	for i := range 4 {
		c.register(other, fmt.Sprint("broker-", i), 0, names...)
	}
	return c, names
}

// each looks topics up from all processors at once.
func each(b *testing.B, names []string, lookup func(now time.Time, topic string) (*core.Route, error)) {
	for _, name := range names {
		if route, err := lookup(time.Now(), name); err != nil || len(route.Brokers) != 4 {
			b.Fatal(route, err)
		}
	}
	now := time.Now()
	var start atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(start.Add(137)); pb.Next(); i += 31 {
			if _, err := lookup(now, names[i%len(names)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkKnown is a lookup of what is kept.
func BenchmarkKnown(b *testing.B) {
	c, names := benched(b)
	s := start(b, c)
	for s.State(time.Now()).Session == "" {
		s.Seen(context.Background(), 1)
	}
	for _, name := range names {
		s.route(name)
	}
	each(b, names, func(now time.Time, topic string) (*core.Route, error) {
		found, err, ok := s.Known(now, topic)
		if !ok {
			found, err = s.Route(context.Background(), now, topic)
		}
		return found.Route, err
	})
}

// BenchmarkRegistry is the same lookup in bin/namesrv.
func BenchmarkRegistry(b *testing.B) {
	c, names := benched(b)
	ctx := context.Background()
	each(b, names, func(now time.Time, topic string) (*core.Route, error) { return c.world().Route(ctx, now, topic) })
}

// BenchmarkMark is what a change of a broker costs that has all topics in use.
func BenchmarkMark(b *testing.B) {
	c, names := benched(b)
	s := start(b, c)
	if _, err := s.ID(context.Background()); err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		s.route(name)
	}
	b.ResetTimer()
	for i := range b.N {
		s.MarkForTest(core.Change{Revision: core.Revision(1_000_000 + i), Broker: "broker-1", Replicas: true})
	}
}
