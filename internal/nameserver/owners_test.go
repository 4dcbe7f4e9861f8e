package nameserver

import (
	"testing"
	"time"

	"signpost/core"
)

// A registration may wait for seconds, at a shim. When the broker has come on
// another connection, the one from before closes without effect, also while it
// waits.
func TestOwners(t *testing.T) {
	o := owners{by: map[brokerKey]*conn{}}
	k := brokerKey{"c", "b", "10.0.0.1:10911"}
	first, second, third := &conn{}, &conn{}, &conn{}
	takes := func(what string, c *conn, want int) {
		t.Helper()
		if got := o.take(c); len(got) != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	o.claim(k, first)
	if was := o.claim(k, second); was != first {
		t.Error("it was not the first one's")
	}
	o.disclaim(k, second, first) // refused
	if was := o.claim(k, third); was != first {
		t.Error("it is not the first one's again")
	}
	takes("closed while it comes back", first, 0)
	o.disclaim(k, third, first) // refused: there is nobody to give it back to
	takes("closed", third, 1)
	o.claim(k, third) // closed while its registration waited
	o.claim(k, second)
	takes("closed", second, 1)
	if len(o.by) != 0 {
		t.Errorf("still owned: %v", o.by)
	}
}

// A frame that waited to be read is not older than the close of the connection
// that the broker had before.
func TestARegistrationIsSaidAfterTheClose(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	s := &Server{owners: owners{by: map[brokerKey]*conn{}}}
	s.o.Now = func() time.Time { return now }
	reg := core.Registration{Cluster: "c", Broker: "b", Addr: "10.0.0.1:10911"}
	first, second := &conn{}, &conn{}
	s.claim(&request{conn: first, arrived: now}, &reg)
	again := &request{conn: second, arrived: now}
	now = now.Add(time.Second)
	closed := now
	if got := s.owners.take(first); len(got) != 1 {
		t.Fatalf("%v", got)
	}
	now = now.Add(time.Second)
	s.claim(again, &reg)
	if again.arrived.Before(closed) {
		t.Errorf("said %v before the close", closed.Sub(again.arrived))
	}
	arrived := now
	now = now.Add(time.Second)
	beat := &request{conn: second, arrived: arrived}
	if s.claim(beat, &reg); beat.arrived != arrived || beat.was != second {
		t.Error("a registration on the same connection is dated anew")
	}
}
