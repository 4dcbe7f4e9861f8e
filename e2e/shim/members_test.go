package shim_test

import (
	"context"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// TestWhoIsNoMoreLeavesItsGroup: a slave's connection closes at one shim, then
// at the other: members of its group are asked for at both (901).
func TestWhoIsNoMoreLeavesItsGroup(t *testing.T) {
	group := membersOf("bb")
	slave := func(addr string) *broker {
		b := newBroker("bb", "t")
		b.id, b.addr, b.ended = 1, addr, func() {}
		return b
	}
	for _, between := range []time.Duration{0, 50 * time.Millisecond, time.Second, 20 * time.Second} {
		play(t, 2, func(s *scene) {
			for _, b := range []*broker{slave("10.0.0.2:10911"), slave("10.0.0.3:10911")} { // the second takes the first's id
				for _, f := range s.fronts() {
					c, err := f.dial(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					b.conns[f] = c
					s.t.Cleanup(func() { c.Close() })
					if a, err := roundTrip(c, registerTimeout, b.registration()); err != nil || a.Code != remoting.Success {
						t.Fatalf("%s: code %d %s, %v", f.name, a.Code, a.Remark, err)
					}
				}
				s.alike(soon, []question{group})
				if b.addr == "10.0.0.3:10911" {
					for _, f := range s.fronts() {
						b.hangUp(f)
						time.Sleep(between)
					}
				}
			}
			s.alike(soon, []question{group})
			time.Sleep(time.Minute)
			s.alike(soon, []question{group})
		})
	}
}
