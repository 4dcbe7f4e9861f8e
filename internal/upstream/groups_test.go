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
