package upstream_test

import (
	"testing"
	"time"

	"signpost/core"
)

// TestQueuesThatAreSetStay: the API asks for the broker again, as what it says is
// all that it has under this rule; what it said before is not repeated for it.
func TestQueuesThatAreSetStay(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.cloud.SetRules(core.Rules{DeleteTopicsOnRegistration: true})
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		rows := []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 16, Write: 16, Perm: core.PermReadWrite}}}}
		if _, err := w.RegisterQueues(t.Context(), time.Now(), "t1", rows); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		route, err := w.Route(t.Context(), time.Now(), "t1")
		if err != nil || route.Rows[0].Queues.Read != 16 {
			t.Errorf("later its queues are %+v, %v", route, err)
		}
	})
}
