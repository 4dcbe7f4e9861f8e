package held_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signpost/core"
)

func TestASessionThatIsLostIsReplaced(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		g.hold(t, s)
		settle(6 * time.Second)
		g.lose(t)
		c.wantRoute(t, "t1", "")
		c.forget()
		settle(10 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911 1=10.0.0.2:10911; ")
		if n := c.count("register"); n > 2 {
			t.Errorf("%d registrations", n)
		}

		// A registration meets it first.
		g.lose(t)
		x := a
		x.version, x.topics = 3, []string{"t1", "t2", "t3"}
		g.hold(t, x)
		settle(10 * time.Second)
		c.wantRoute(t, "t3", "c/b1 perm 6: 0=10.0.0.1:10911 1=10.0.0.2:10911; ")
		g.wantPending(t, 0, 0)
	})
}

// A process that stops for a while, between the question for the session and its
// use, is not to take the session of then for the newest.
func TestASessionFromBeforeIsNotTakenBack(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		b2 := broker{cluster: "c", name: "b2", addr: "10.0.0.3:10911", topics: []string{"t7", "t8"}}
		g.hold(t, a)
		g.hold(t, b2)
		settle(6 * time.Second)
		g.mu.Lock()
		g.slowID = 15 * time.Second
		g.mu.Unlock()
		if _, _, err := c.WipeWrite(t.Context(), time.Now(), a.name); err != nil { // a is to be confirmed
			t.Fatal(err)
		}
		settle(6 * time.Second)
		g.lose(t)
		settle(6 * time.Second) // the next one is opened
		g.close(t, a)           // nothing is to be confirmed of it any more
		settle(20 * time.Second)
		id, err := g.ID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leases, err := c.Leases(t.Context(), id)
		if err != nil || len(leases) != 1 || leases[0].Broker != b2.name {
			t.Errorf("leased to the newest session: %v, %v", leases, err)
		}
	})
}

func TestWhatIsDeletedIsNotReplayed(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		settle(6 * time.Second)
		if _, err := c.DeleteTopic(t.Context(), time.Now(), "t1", ""); err != nil {
			t.Fatal(err)
		}
		settle(6 * time.Second)
		c.wantRoute(t, "t1", "")
		c.wantRoute(t, "t2", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		if _, err := g.DataVersion(t.Context(), time.Now(), "c", "b1", a.addr); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("its version: %v", err)
		}
		g.lose(t) // it is held all the same
		settle(20 * time.Second)
		c.wantRoute(t, "t1", "")
		g.hold(t, a) // it still has it
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

func TestABrokerThatIsGoneElsewhereIsHeldNoMore(t *testing.T) {
	runTwo(t, func(t *testing.T, c *cloud, g, g2 *gateway) {
		g.hold(t, a)
		settle(6 * time.Second)
		moved := a
		moved.addr = "10.0.0.9:10911"
		g2.hold(t, moved)
		settle(6 * time.Second)
		g.lose(t)
		settle(20 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.9:10911; ")
		if _, err := g.DataVersion(t.Context(), time.Now(), "c", "b1", a.addr); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("its version: %v", err)
		}
		g.close(t, a)
		settle(6 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.9:10911; ")
	})
}

func TestAConnectionOfTwoLeavesTheOther(t *testing.T) {
	runTwo(t, func(t *testing.T, c *cloud, g, g2 *gateway) {
		g.hold(t, a)
		g2.hold(t, a)
		settle(6 * time.Second)
		g.close(t, a)
		settle(time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.hold(t, a)
		g2.close(t, a)
		settle(time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.close(t, a)
		settle(time.Second)
		c.wantRoute(t, "t1", "")

		g.hold(t, a)
		g2.hold(t, a)
		g2.leave(t, a) // for all
		c.wantRoute(t, "t1", "")
	})
}

func TestAMissedTimeoutIsReported(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x := a
		x.timeout, x.acting = 10*time.Second, core.ActingMasterOn
		y := s
		y.timeout, y.acting = 10*time.Second, core.ActingMasterOn
		g.hold(t, x)
		g.hold(t, y)
		beat := func(z broker) {
			if _, err := g.Beat(t.Context(), time.Now(), core.Beat{Cluster: z.cluster, Broker: z.name, ID: z.id, HasID: true, Addr: z.addr, Front: "tcp"}); err != nil {
				t.Fatal(err)
			}
		}
		for range 60 {
			settle(time.Second)
			beat(x)
			beat(y)
		}
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911 1=10.0.0.2:10911; ")
		for range 12 {
			settle(time.Second)
			beat(y)
		}
		c.wantRoute(t, "t1", "c/b1 perm 4: 1=10.0.0.2:10911; ")
		got := g.notices()
		if len(got) != 1 || got[0].MinID != 1 || got[0].OfflineAddr != x.addr || !slices.Equal(got[0].Tell, []string{y.addr}) {
			t.Errorf("told %+v", got)
		}
		g.hold(t, x)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911 1=10.0.0.2:10911; ")
		got = g.notices()
		if len(got) != 2 || got[1].MinID != 0 || got[1].HAAddr != x.addr+"0" || !slices.Equal(got[1].Tell, []string{y.addr}) {
			t.Errorf("told %+v", got)
		}
	})
}

func TestTheCloudsWordOnTheLowestIDIsPassedOn(t *testing.T) {
	runTwo(t, func(t *testing.T, c *cloud, g, g2 *gateway) {
		x, y := a, s
		x.acting, y.acting = core.ActingMasterOn, core.ActingMasterOn
		g.hold(t, y)
		g2.hold(t, x)
		settle(6 * time.Second)
		if got := g.notices(); len(got) != 1 || got[0].MinID != 0 || !slices.Equal(got[0].Tell, []string{y.addr}) {
			t.Errorf("told %+v", got)
		}
		if got, ok := g.Group(time.Now(), "b1"); !ok || len(got.Replicas) != 2 {
			t.Errorf("the group: %+v", got)
		}
		g2.close(t, x)
		settle(6 * time.Second)
		if got := g.notices(); len(got) != 2 || got[1].OfflineAddr != x.addr {
			t.Errorf("told %+v", got)
		}
		c.wantRoute(t, "t1", "c/b1 perm 4: 1=10.0.0.2:10911; ")
		if len(g2.notices()) != 0 {
			t.Errorf("the other is told %+v", g2.notices())
		}
	})
}

// Of a group that nobody here belongs to any more the cloud is asked: its changes
// are not followed, and what it said last may be over though the departure from
// here is still to be heard.
func TestAGroupThatNobodyHereBelongsToIsAskedFor(t *testing.T) {
	runTwo(t, func(t *testing.T, c *cloud, g, g2 *gateway) {
		g.hold(t, a)
		g2.hold(t, a)
		settle(6 * time.Second)
		if group, ok := g.Group(time.Now(), a.name); !ok || len(group.Replicas) != 1 {
			t.Errorf("while it is here: %+v, %v", group, ok)
		}
		c.mu.Lock()
		c.link = func(gateway, call string) fault {
			if gateway == g.name && call == "unregister" {
				return busy
			}
			return fine
		}
		c.mu.Unlock()
		g.close(t, a)
		g2.leave(t, a) // for all
		settle(time.Second)
		if group, ok := g.Group(time.Now(), a.name); ok {
			t.Errorf("of what the cloud said before: %+v", group)
		}
	})
}
