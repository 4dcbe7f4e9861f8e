package follow_test

import (
	"testing"
	"time"
)

// Calls that brokers cause are to make room for beats, so they hear of each that
// had no answer, and of when it began.
func TestMissedBeatsAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := start(t, c)
		began := time.Now()
		pass(time.Second)
		missed := func() []time.Time {
			s.heard.mu.Lock()
			defer s.heard.mu.Unlock()
			return s.heard.missed
		}
		if len(missed()) != 0 {
			t.Errorf("missed %v of those that were answered", missed())
		}
		c.set(func() { c.fault = down })
		c.reset()
		pass(30 * time.Second)
		if n := c.count("beat"); len(missed()) != n {
			t.Fatalf("told of %d of %d beats", len(missed()), n)
		}
		if after := missed()[0].Sub(began); after < 5*time.Second || after > 6*time.Second {
			t.Errorf("the first began after %v", after)
		}
	})
}
