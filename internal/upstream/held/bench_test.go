package held_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/held"
)

// ready is a cloud that accepts everything at once.
type ready struct{}

func (ready) Register(_ context.Context, session string, r api.Registration) (api.Registered, error) {
	return api.Registered{Group: api.Group{ValidFor: time.Hour, Group: core.Group{
		Name: r.Broker, Cluster: r.Cluster,
		Replicas: []core.Replica{{ID: r.ID, Addr: r.Addr, HAAddr: r.HAAddr, Leases: []core.Lease{{Session: session}}}},
	}}}, nil
}

func (ready) Beats(context.Context, string, []api.Beat) ([]api.Confirmed, api.Meta, error) {
	return nil, api.Meta{}, nil
}

func (ready) Unregister(context.Context, string, api.Departure) (api.Meta, error) {
	return api.Meta{}, nil
}

func (ready) Leases(context.Context, string) ([]core.Held, error) { return nil, nil }
func (ready) ID(context.Context) (string, error)                  { return "s", nil }
func (ready) Lost(string)                                         {}
func (ready) Seen(context.Context, core.Revision)                 {}

// cut is one that cannot be reached.
type cut struct{ ready }

func (cut) Register(context.Context, string, api.Registration) (api.Registered, error) {
	return api.Registered{}, errUnreachable
}

// fleet is n brokers of some topics each, all held.
func fleet(tb testing.TB, cloud held.Cloud, n, fewest, most int) (b *held.Brokers, all []broker) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b = held.New(held.Options{Cloud: cloud, Session: ready{}, Local: local()})
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	tb.Cleanup(func() { cancel(); <-done })
	for i := range n {
		x := broker{cluster: "cluster", name: fmt.Sprintf("broker-%04d", i), addr: fmt.Sprintf("10.0.%d.%d:10911", i>>8, i&255)}
		for j := range fewest + (most-fewest)*i/n {
			x.topics = append(x.topics, fmt.Sprintf("an-everyday-topic-%05d", (i*7+j)%5000))
		}
		if _, err := b.Register(ctx, time.Now(), x.registration("tcp")); err != nil {
			tb.Fatal(err)
		}
		all = append(all, x)
	}
	return b, all
}

func BenchmarkRenew(b *testing.B) {
	brokers, all := fleet(b, ready{}, 1000, 10, 80)
	regs := make([]core.Registration, len(all))
	for i, x := range all {
		regs[i] = x.registration("tcp")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok, err := brokers.Renew(context.Background(), time.Now(), regs[i%len(regs)]); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkBeat(b *testing.B) {
	brokers, all := fleet(b, ready{}, 1000, 10, 80)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x := all[i%len(all)]
		beat := core.Beat{Cluster: x.cluster, Broker: x.name, ID: x.id, HasID: true, Addr: x.addr, Front: "tcp"}
		if answer, err := brokers.Beat(context.Background(), time.Now(), beat); answer != core.BeatOK || err != nil {
			b.Fatal(answer, err)
		}
	}
}

func BenchmarkOverlayOfNothing(b *testing.B) {
	brokers, _ := fleet(b, ready{}, 1000, 10, 80)
	route := &core.Route{Topic: "t"}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if brokers.Overlay(time.Now(), "t", route, 1<<62) != route {
				b.Error("another route")
			}
		}
	})
}

// BenchmarkMemory tells what brokers take.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		brokers, all := fleet(b, ready{}, 1000, 10, 80)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "B/broker")
		runtime.KeepAlive(brokers)
		runtime.KeepAlive(all)
	}
}

// BenchmarkOverlayOfAll is a lookup while all brokers are known here only.
func BenchmarkOverlayOfAll(b *testing.B) {
	brokers, all := fleet(b, cut{}, 1000, 10, 80)
	topic := all[500].topics[0]
	b.ReportAllocs()
	for b.Loop() {
		if brokers.Overlay(time.Now(), topic, nil, 0) == nil {
			b.Fatal("no route")
		}
	}
}

func TestRenewAndBeatsCostLittle(t *testing.T) {
	brokers, all := fleet(t, ready{}, 1, 10, 10)
	reg := all[0].registration("tcp")
	if n := testing.AllocsPerRun(100, func() { brokers.Renew(context.Background(), time.Now(), reg) }); n > 8 {
		t.Errorf("a renewal allocates %v times", n)
	}
	route := &core.Route{}
	if n := testing.AllocsPerRun(100, func() { brokers.Overlay(time.Now(), "t", route, 1<<62) }); n != 0 {
		t.Errorf("an overlay of nothing allocates %v times", n)
	}
}
