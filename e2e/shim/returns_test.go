package shim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// TestWhoReturnsIsSeen: a broker that dies and is back a moment later, at the
// same address or another one, is in every route of a shim that has answered it.
func TestWhoReturnsIsSeen(t *testing.T) {
	for _, addr := range []string{"10.0.0.1:10911", "10.0.0.2:10911"} {
		for _, away := range []time.Duration{0, 60 * time.Millisecond, time.Second} {
			for _, second := range []time.Duration{0, 15 * time.Millisecond, 2 * time.Second} {
				t.Run(fmt.Sprintf("%s, after %v, at the second shim %v later", addr, away, second), func(t *testing.T) {
					play(t, 2, func(s *scene) {
						other := newBroker("other", "common")
						other.addr = "10.0.1.1:10911"
						s.start(other)
						b := newBroker("b", "common", "own")
						b.addr = "10.0.0.1:10911"
						s.start(b)
						time.Sleep(time.Minute)
						b.die()
						time.Sleep(away)
						again := newBroker("b", "common", "own")
						again.addr, again.version = addr, 2
						again.ctx, again.ended = context.WithCancel(context.Background())
						for i, sh := range s.shims {
							if i > 0 {
								time.Sleep(second)
							}
							c, err := sh.dial(context.Background())
							if err != nil {
								t.Fatal(err)
							}
							defer c.Close()
							began := time.Now()
							a, err := roundTrip(c, registerTimeout, again.registration())
							if err != nil || a.Code != remoting.Success {
								t.Fatalf("%s: code %d: %v", sh.name, a.Code, err)
							}
							took := time.Since(began)
							for range 100 {
								for _, topic := range []string{"common", "own"} {
									if got := sh.say(routeOf(topic)); !strings.Contains(got, `"`+addr+`"`) {
										t.Fatalf("%s, which answered after %v, %v later says of %s: %s", sh.name, took, time.Since(began)-took, topic, got)
									}
								}
								time.Sleep(10 * time.Millisecond)
							}
						}
					})
				})
			}
		}
	}
}
