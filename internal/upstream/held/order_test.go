package held_test

import (
	"testing"
	"time"

	"signpost/core"
)

// In an outage a group was empty for a while, and its brokers came back with
// fewer topics: the ones that they do not name are gone.
func TestStatementsAreMadeInTheOrderInWhichTheyCame(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		m := a
		m.addr = "10.0.0.9:10911" // the last by its address
		g.hold(t, m)
		g.hold(t, s)
		settle(6 * time.Second)
		c.setDown(true)
		g.close(t, m)
		time.Sleep(time.Second)
		g.close(t, s)
		time.Sleep(time.Second)
		less := []string{"t1", "t3"}
		m.topics = less
		g.hold(t, m)
		time.Sleep(time.Second)
		y := s
		y.topics = less
		g.hold(t, y)
		c.setDown(false)
		settle(10 * time.Second)
		c.wantRoute(t, "t2", "")
		c.wantRoute(t, "t3", "c/b1 perm 6: 0=10.0.0.9:10911 1=10.0.0.2:10911; ")
	})
}

// A slave that becomes the lowest is asked for its topics: all of its split
// registration, though the last part was said after the first.
func TestASplitRegistrationIsReplayedAsOne(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x, first, second := a, s, s
		x.acting, first.acting, second.acting = core.ActingMasterOff, core.ActingMasterOff, core.ActingMasterOff
		first.topics, second.topics = []string{"s1", "s2"}, []string{"s3", "s4"}
		g.hold(t, x)
		g.hold(t, first)
		time.Sleep(100 * time.Millisecond)
		g.hold(t, second)
		settle(6 * time.Second)
		c.wantRoute(t, "s1", "")
		g.close(t, x)
		settle(6 * time.Second)
		for _, topic := range []string{"s1", "s2", "s3", "s4"} {
			c.wantRoute(t, topic, "c/b1 perm 6: 1=10.0.0.2:10911; ")
		}
	})
}

// A broker misses its timeout here, and was heard at another gateway between
// its end and the moment at which that is noticed.
func TestAMissedTimeoutIsAsOldAsItIs(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x := a
		x.timeout = 10 * time.Second
		time.Sleep(500 * time.Millisecond) // between two looks
		g.hold(t, x)
		time.Sleep(10*time.Second + 200*time.Millisecond)
		again := x.registration("elsewhere")
		said := time.Now()
		settle(2 * time.Second)
		c.wantRoute(t, "t1", "")
		again.Age = time.Since(said) // it was long on its way
		if _, err := c.Registry.Register(t.Context(), time.Now(), again); err != nil {
			t.Errorf("what it said elsewhere: %v", err)
		}
	})
}

// A body of which a later one has taken over a part is news if it is said again.
func TestABodyThatIsOverlaidIsHeardAgain(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		part := a
		part.topics, part.version = []string{"t2", "t3"}, 1
		g.hold(t, a)
		time.Sleep(time.Second)
		g.hold(t, part)
		time.Sleep(time.Second)
		if _, ok, err := g.Renew(t.Context(), time.Now(), part.registration("tcp")); !ok || err != nil {
			t.Errorf("the part is not renewed: %v", err)
		}
		if _, ok, _ := g.Renew(t.Context(), time.Now(), a.registration("tcp")); ok {
			t.Error("the whole is renewed")
		}
		c.forget()
		g.hold(t, a)
		if n := c.count("register"); n != 1 {
			t.Errorf("%d registrations", n)
		}
		// Nobody has taken t3 back.
		c.wantRoute(t, "t3", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}
