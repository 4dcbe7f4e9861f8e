package held_test

import (
	"testing"
	"time"
)

// A broker has a topic for a while, which another gateway tells the cloud; it is
// deleted on the broker, and then at the NameServers, before the cloud can be
// reached from here. The broker has registered without it, and again: what it
// said before is no part of its registration any more.
func TestWhatIsDeletedInAnOutageDoesNotComeBack(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		other := c.gateway(t, t.Context(), "shim2")
		settle(time.Second)
		x := broker{cluster: "c", name: "b1", addr: "10.0.0.1:10911"}
		say := func(version int64, topics ...string) {
			t.Helper()
			x.version, x.topics = version, topics
			other.hold(t, x)
			g.hold(t, x)
		}
		say(1, "t2", "t3")
		settle(20 * time.Second)
		c.mu.Lock()
		c.link = func(gateway, _ string) fault {
			if gateway == g.name {
				return unheard
			}
			return fine
		}
		c.mu.Unlock()
		say(2, "t1", "t2", "t3")
		settle(5 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		say(3, "t2", "t3")
		settle(time.Second)
		if _, err := c.DeleteTopic(t.Context(), time.Now(), "t1", ""); err != nil {
			t.Fatal(err)
		}
		settle(5 * time.Second)
		say(3, "t2", "t3")
		settle(10 * time.Second)
		c.mu.Lock()
		c.link = nil
		c.mu.Unlock()
		settle(20 * time.Second)
		c.wantRoute(t, "t1", "")
		g.wantRoute(t, "t1", "")
		c.wantRoute(t, "t2", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.wantPending(t, 0, 0)
	})
}
