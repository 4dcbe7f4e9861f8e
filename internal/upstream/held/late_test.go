package held_test

import (
	"testing"
	"time"
)

// A topic is deleted on its broker, which registers without it, and right after
// at the NameServers. The confirmation that follows is longer on its way than
// passed between the two.
func TestWhatIsDeletedIsNotReplayedByALateConfirmation(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x := broker{cluster: "c", name: "b1", addr: "10.0.0.1:10911", topics: []string{"t1", "t2", "t3"}}
		g.hold(t, x)
		settle(20 * time.Second)
		x.topics, x.version = []string{"t2", "t3"}, 2
		g.hold(t, x)
		time.Sleep(50 * time.Millisecond)
		c.mu.Lock()
		c.delay = func(call string) time.Duration {
			if call == "beats" {
				return 150 * time.Millisecond
			}
			return 0
		}
		c.mu.Unlock()
		if _, err := c.DeleteTopic(t.Context(), time.Now(), "t1", ""); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Second)
		c.wantRoute(t, "t1", "")
		g.wantRoute(t, "t1", "")
		g.hold(t, x)
		settle(10 * time.Second)
		c.wantRoute(t, "t1", "")
		c.wantRoute(t, "t2", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}
