//go:build e2e

package shim_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/e2e/shim/link"
)

// TestAThousandComeBack: after an outage a thousand brokers are told to the
// cloud once, and not by a storm.
func TestAThousandComeBack(t *testing.T) {
	const brokers = 1000
	for _, c := range []struct {
		name   string
		outage time.Duration
		events func(*scene) // beside the outage
		calls  int          // at most
	}{
		{"after a short outage", lease / 2, nil, 60},
		{"after a long outage", 5 * time.Minute, nil, 2*brokers + 800},
		{"after the table was emptied", 0, func(s *scene) { s.cloud.empty() }, 2*brokers + 800},
		{"after both shims were killed", time.Minute, func(s *scene) {
			for _, sh := range s.shims {
				sh.kill()
				sh.start()
			}
		}, 2*brokers + 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, 2, func(s *scene) {
				var started []*broker
				for i := range brokers {
					b := newBroker(fmt.Sprintf("b%04d", i), "common", fmt.Sprintf("own-%04d", i))
					b.addr = fmt.Sprintf("10.0.%d.%d:10911", i/250, i%250)
					b.start(s, s.fronts()...)
					started = append(started, b)
				}
				s.same(time.Minute, "common", "own-0000", "own-0999")
				time.Sleep(time.Minute)
				end := s.watch("common", "own-0500")
				time.Sleep(time.Second) // what nobody has asked for yet is not known in an outage
				s.always(link.Cut)
				if c.events != nil {
					c.events(s)
				}
				time.Sleep(c.outage)
				before := s.calls()
				s.mend()
				s.same(time.Minute, "common", "own-0000", "own-0999")
				s.eventually(time.Minute, "the cloud has all", func() string {
					if got := len(s.cloud.brokers("common")); got != brokers {
						return fmt.Sprint(got)
					}
					return ""
				})
				time.Sleep(time.Minute)
				made, all := 0, s.calls()
				for call, n := range all {
					all[call] = n - before[call]
					made += all[call]
				}
				t.Logf("%d calls: %v", made, all)
				if made > c.calls {
					t.Errorf("%d calls, want at most %d", made, c.calls)
				}
				end()
				for _, b := range started {
					b.die()
				}
			})
		})
	}
}

// calls are those of all shims so far, by what they begin with.
func (s *scene) calls() map[string]int {
	n := map[string]int{}
	for _, sh := range s.shims {
		for _, call := range []string{"PUT /v1/register/broker", "POST /v1/register/beats", "POST /v1/register/unregister", "PUT /v1/register/session",
			"POST /v1/read/routes", "GET "} {
			n[call] += sh.link.Calls(call)
		}
	}
	return n
}
