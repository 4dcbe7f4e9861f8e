package shim_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/e2e/shim/link"
	"signpost/internal/remoting"
)

// TestWhoIsAcceptedIsSeen: while many brokers register at once, every one that
// was answered is in all routes from then on, whether the API has heard of it,
// is hearing of it or will.
func TestWhoIsAcceptedIsSeen(t *testing.T) {
	const brokers, topics = 150, 15
	for _, slow := range []time.Duration{latency, 700 * time.Millisecond} {
		t.Run(fmt.Sprint("calls of ", slow), func(t *testing.T) {
			play(t, 1, func(s *scene) {
				sh := s.shims[0]
				sh.link.Set(link.Always(link.Slow(slow)))
				var mu sync.Mutex
				accepted := map[string][]string{} // addresses by topic
				var all sync.WaitGroup
				for i := range brokers {
					topic := fmt.Sprint("t", i%topics)
					b := newBroker(fmt.Sprintf("b%04d", i), topic)
					b.addr = addrOf(i)
					all.Go(func() {
						c, err := sh.dial(context.Background())
						if err != nil {
							t.Error(err)
							return
						}
						s.t.Cleanup(func() { c.Close() })
						a, err := roundTrip(c, registerTimeout, b.registration())
						if err != nil || a.Code != remoting.Success {
							t.Errorf("%s: code %d: %v", b.name, a.Code, err)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						accepted[topic] = append(accepted[topic], b.addr)
					})
				}
				failed, began := 0, time.Now()
				for range 400 {
					for i := range topics {
						topic := fmt.Sprint("t", i)
						mu.Lock()
						want := accepted[topic]
						mu.Unlock()
						got := sh.say(routeOf(topic))
						for _, addr := range want {
							if !strings.Contains(got, `"`+addr+`"`) {
								if failed++; failed == 1 {
									t.Errorf("after %v the route of %s is without %s, one of %d: %.500s", time.Since(began), topic, addr, len(want), got)
								}
								break
							}
						}
					}
					time.Sleep(23 * time.Millisecond)
				}
				if failed > 0 {
					t.Errorf("%d routes are without a broker that was accepted", failed)
				}
				all.Wait()
			})
		})
	}
}
