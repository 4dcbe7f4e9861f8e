package held_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLeasesThatNobodyNeedsAreDropped(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		id, err := g.ID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ghost := broker{cluster: "c", name: "ghost", addr: "10.6.6.6:1", topics: []string{"t1", "t6"}}
		reg := ghost.registration("")
		reg.Session, reg.Owner = id, g.name
		if _, err := c.Registry.Register(t.Context(), time.Now(), reg); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			settle(time.Minute)
			g.hold(t, a)
		}
		c.wantRoute(t, "t6", "")
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

func TestThousandComeBackAtOnce(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		c.mu.Lock()
		c.delay = func(string) time.Duration { return 25 * time.Millisecond }
		c.mu.Unlock()
		const n = 1000
		var all []broker
		for i := range n {
			all = append(all, broker{cluster: "c", name: "b" + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)), addr: "10.0." + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + "." + string(rune('0'+i%10)) + ":1", topics: []string{"t1", "t2"}})
		}
		done := make(chan error, n)
		for _, x := range all {
			go func() {
				_, err := g.register(x)
				done <- err
			}()
		}
		for range n {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		settle(10 * time.Second)
		g.wantPending(t, 0, 0)
		if c.count("register") != n || c.most > 17 { // a beat is a call, too
			t.Errorf("%d registrations, %d calls at a time", c.count("register"), c.most)
		}
		// Through a new session, a few calls for all.
		c.forget()
		g.lose(t)
		settle(20 * time.Second)
		if c.count("beats") > 20 {
			t.Errorf("%d confirmations", c.count("beats"))
		}
		g.wantPending(t, 0, 0)
		r, err := c.Route(t.Context(), time.Now(), "t1")
		if err != nil || len(r.Brokers) != n {
			t.Errorf("the route: %v", err)
		}
	})
}

// A cloud that takes few calls at a time is called as often as it takes them, so
// that the session's beats get through.
func TestAThrottlingCloudIsCalledLess(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		c.mu.Lock()
		c.room = 6
		c.delay = func(string) time.Duration { return 250 * time.Millisecond }
		c.mu.Unlock()
		const n = 400
		for i := range n {
			go func() {
				if _, err := g.register(broker{cluster: "c", name: fmt.Sprint("b", i), addr: fmt.Sprintf("10.0.0.%d:1", i), topics: []string{"t1", "t2"}}); err != nil {
					t.Error(err)
				}
			}()
		}
		settle(2 * time.Minute)
		g.wantPending(t, 0, 0)
		if calls, turned := c.count("register"), c.throttled["register"]; turned > calls/5 {
			t.Errorf("%d of %d registrations were throttled", turned, calls)
		}
		if calls, turned := c.count("session"), c.throttled["session"]; turned > calls/3 {
			t.Errorf("%d of %d beats were throttled", turned, calls)
		}
	})
}

// A cloud that answers one call after the other is called so that the session's
// beats need not wait behind the others for longer than they can.
func TestASlowCloudIsCalledLess(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		c.mu.Lock()
		c.each = 500 * time.Millisecond
		c.mu.Unlock()
		const n = 300
		for i := range n {
			go func() {
				if _, err := g.register(broker{cluster: "c", name: fmt.Sprint("b", i), addr: fmt.Sprintf("10.0.0.%d:1", i), topics: []string{"t1", "t2"}}); err != nil {
					t.Error(err)
				}
			}()
		}
		settle(10 * time.Minute)
		g.wantPending(t, 0, 0)
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.opened != 1 || g.missed > c.count("session")/4 {
			t.Errorf("%d sessions; %d of %d beats were missed", g.opened, g.missed, c.count("session"))
		}
		if calls := c.count("register"); calls > n {
			t.Errorf("%d registrations", calls)
		}
	})
}

func TestStoppingDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		c := newCloud()
		g := c.gateway(t, ctx, "shim1")
		synctest.Wait()
		g.hold(t, a)
		cancel()
		synctest.Wait()
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		if c.count("unregister") != 0 {
			t.Error("it said goodbye")
		}
	})
}
