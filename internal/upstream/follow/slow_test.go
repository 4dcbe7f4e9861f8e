package follow_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/internal/upstream/api"
)

// A cloud that cannot tell everything in the time of one call is asked for less
// at a time, and for all at once again when it can.
func TestASlowCloudIsAskedForLessAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		t.Cleanup(c.gateway(other))
		topics := make([]string, api.MaxBatch)
		for i := range topics {
			topics[i] = fmt.Sprint("T", i)
		}
		c.register(other, "a", 0, topics...)
		s := start(t, c)
		pass(time.Second)
		change := func(queues int) {
			named := make([]string, len(topics))
			for i, topic := range topics {
				s.route(topic) // it is in use
				named[i] = fmt.Sprint(topic, ":", queues)
			}
			c.register(other, "a", 0, named...)
			pass(time.Minute)
			for _, topic := range topics {
				if got, want := s.known(topic), fmt.Sprint("a 0/", queues); got != want {
					t.Fatalf("known of %s: %q, want %q", topic, got, want)
				}
			}
		}
		c.set(func() { c.each = 10 * time.Millisecond })
		change(4)
		c.set(func() { c.each = 0 })
		change(5)
		c.reset()
		change(6)
		if n := c.count("routes"); n > 2 {
			t.Errorf("%d calls for %d topics", n, len(topics))
		}
	})
}
