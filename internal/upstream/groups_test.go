package upstream_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/core"
)

// TestASlaveWhoseShimStops: its session runs out, and nobody sweeps.
func TestASlaveWhoseShimStops(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		const n = 20
		name := func(i int) string { return fmt.Sprintf("b%02d", i) }
		if err := w.cloud.OpenSession(t.Context(), time.Now(), core.Session{ID: "other", Gateway: "other"}); err != nil {
			t.Fatal(err)
		}
		masters := func() {
			for i := range n {
				w.register(t, name(i), fmt.Sprintf("10.0.0.%d:10911", i), "t1", "t2")
			}
		}
		masters()
		for i := range n {
			slave := registration("c", name(i), fmt.Sprintf("10.0.1.%d:10911", i), "t1", "t2")
			slave.ID, slave.Session, slave.Timeout = 1, "other", 10*time.Second
			if _, err := w.cloud.Register(t.Context(), time.Now(), slave); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(seconds int) (replicas int) { // as acting masters do
			for s := range seconds {
				time.Sleep(time.Second)
				if s%30 == 0 {
					masters()
				}
				replicas = 0
				for i := range n {
					g, err := w.Group(t.Context(), time.Now(), name(i))
					if err != nil {
						t.Fatal(err)
					}
					replicas += len(g.Replicas)
				}
			}
			return replicas
		}
		if got := ask(15); got != 2*n {
			t.Errorf("%d replicas while it beats", got)
		}
		before := w.count("/v1/register/beats")
		if got := ask(30); got != n {
			t.Errorf("%d replicas after it ran out", got)
		}
		if calls := w.count("/v1/register/beats") - before; calls > 6 {
			t.Errorf("%d confirmations", calls)
		}
		if calls := w.count("/v1/read/group"); calls != 0 {
			t.Errorf("%d questions for groups", calls)
		}
		before = w.count("/v1/register/beats")
		ask(600)
		if calls := w.count("/v1/register/beats") - before; calls > 1 {
			t.Errorf("%d confirmations when nothing happens", calls)
		}
	})
}

// TestSlavesBeside: a slave of each group beats the API itself, at moments of
// its own. That is told of together, for many groups and topics.
func TestSlavesBeside(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		const n = 50
		slave := func(i int) core.Registration {
			r := registration("c", fmt.Sprintf("b%02d", i), fmt.Sprintf("10.0.1.%d:10911", i), "all", fmt.Sprint("t", i))
			r.ID, r.Front = 1, "http"
			return r
		}
		for i := range n {
			w.register(t, fmt.Sprintf("b%02d", i), fmt.Sprintf("10.0.0.%d:10911", i), "all", fmt.Sprint("t", i))
			if _, err := w.cloud.Register(t.Context(), time.Now(), slave(i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(610 * time.Millisecond)
		}
		time.Sleep(10 * time.Second) // all is heard of
		second := func(s int) {
			for i := range n {
				if (s+i)%30 == 0 {
					r := slave(i)
					w.register(t, r.Broker, fmt.Sprintf("10.0.0.%d:10911", i), "all", fmt.Sprint("t", i))
					beat := core.Beat{Cluster: "c", Broker: r.Broker, ID: 1, HasID: true, Addr: r.Addr, Front: "http"}
					if answer, err := w.cloud.Beat(t.Context(), time.Now(), beat); answer != core.BeatOK || err != nil {
						t.Fatal(answer, err)
					}
				}
				g, err := w.Group(t.Context(), time.Now(), fmt.Sprintf("b%02d", i))
				if err != nil || len(g.Replicas) != 2 {
					t.Fatal(g, err)
				}
				route, err := w.Route(t.Context(), time.Now(), fmt.Sprint("t", i))
				if err != nil || len(route.Brokers[0].Addrs) != 2 {
					t.Fatal(route, err)
				}
			}
			time.Sleep(time.Second)
		}
		for s := range 300 {
			second(s)
		}
		const minutes = 10
		routes, beats, groups := w.count("/v1/read/routes"), w.count("/v1/register/beats"), w.count("/v1/read/group")
		for s := range minutes * 60 {
			second(s)
		}
		routes, beats, groups = w.count("/v1/read/routes")-routes, w.count("/v1/register/beats")-beats, w.count("/v1/read/group")-groups
		t.Logf("%d calls for routes, %d confirmations and %d questions for groups in %d minutes", routes, beats, groups, minutes)
		if routes > 12*minutes || beats > 12*minutes || groups > 0 {
			t.Error("these are too many")
		}
	})
}
