package held_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signpost/core"
)

// a is a master, s its slave.
var (
	a = broker{cluster: "c", name: "b1", addr: "10.0.0.1:10911", topics: []string{"t1", "t2"}}
	s = broker{cluster: "c", name: "b1", addr: "10.0.0.2:10911", id: 1, topics: []string{"t1", "t2"}}
)

func TestARegistrationIsAnsweredWhenTheCloudHas(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.wantPending(t, 0, 0)
		if g.Held() != 1 {
			t.Errorf("%d are held", g.Held())
		}
		if got := g.hold(t, s); got.MasterAddr != a.addr || got.HAAddr != a.addr+"0" {
			t.Errorf("the slave is told %+v", got)
		}
	})
}

func TestAnUnchangedRegistrationEndsHere(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		g.hold(t, s)
		settle(10 * time.Second)
		c.forget()
		for range 10 {
			settle(30 * time.Second)
			if _, ok, err := g.Renew(t.Context(), time.Now(), a.registration("tcp")); !ok || err != nil {
				t.Fatalf("not renewed: %v", err)
			}
			if got, ok, err := g.Renew(t.Context(), time.Now(), s.registration("tcp")); !ok || err != nil || got.MasterAddr != a.addr {
				t.Fatalf("the slave: %+v %v %v", got, ok, err)
			}
		}
		if n := c.count("register") + c.count("beats") + c.count("unregister"); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestASplitRegistrationIsUnchangedInEachBody(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		parts := [3]broker{a, a, a}
		parts[0].topics, parts[1].topics, parts[2].topics = []string{"t1", "t2"}, []string{"t3", "t4"}, []string{"t5"}
		for _, p := range parts {
			time.Sleep(time.Millisecond)
			g.hold(t, p)
		}
		c.forget()
		for range 3 {
			settle(30 * time.Second)
			for i, p := range parts {
				if _, ok, err := g.Renew(t.Context(), time.Now(), p.registration("tcp")); !ok || err != nil {
					t.Errorf("part %d is not renewed: %v", i, err)
				}
			}
		}
		if n := c.count("register"); n != 0 {
			t.Errorf("%d calls", n)
		}

		// The cloud loses all, and is told all of it.
		c.Registry.Unregister(t.Context(), time.Now(), a.departure("", false))
		g.lose(t)
		settle(10 * time.Second)
		for _, p := range parts { // gone by the operator's word: they speak for themselves
			time.Sleep(time.Millisecond)
			g.hold(t, p)
		}
		for _, topic := range []string{"t1", "t2", "t3", "t4", "t5"} {
			c.wantRoute(t, topic, "c/b1 perm 6: 0=10.0.0.1:10911; ")
		}
	})
}

func TestACloudThatLostEverythingIsToldAgain(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		first, second := a, a
		first.topics, second.topics = []string{"t1", "t2"}, []string{"t3"}
		g.hold(t, first)
		time.Sleep(time.Millisecond)
		g.hold(t, second)
		settle(7 * time.Second)
		empty := newCloud()
		c.mu.Lock()
		c.Registry, c.store = empty.Registry, empty.store
		c.mu.Unlock()
		settle(12 * time.Second)
		for _, topic := range []string{"t1", "t2", "t3"} {
			c.wantRoute(t, topic, "c/b1 perm 6: 0=10.0.0.1:10911; ")
		}
		g.wantPending(t, 0, 0)
	})
}

func TestInAnOutageBrokersAreAnsweredFromWhatIsKnownHere(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		c.setDown(true)
		began := time.Now()
		b2 := broker{cluster: "c", name: "b2", addr: "10.0.0.3:10911", topics: []string{"t1", "t9"}}
		g.hold(t, b2)
		if took := time.Since(began); took > time.Second {
			t.Errorf("answered after %v", took)
		}
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; c/b2 perm 6: 0=10.0.0.3:10911; ")
		g.wantRoute(t, "t9", "c/b2 perm 6: 0=10.0.0.3:10911; ")
		g.wantPending(t, 1, 0)
		if got := g.hold(t, s); got.MasterAddr != a.addr {
			t.Errorf("the slave is told %+v", got)
		}
		g.close(t, a)
		g.wantRoute(t, "t1", "c/b1 perm 6: 1=10.0.0.2:10911; c/b2 perm 6: 0=10.0.0.3:10911; ")
		g.wantPending(t, 2, 1)
		settle(time.Minute)
		c.forget()
		settle(20 * time.Second)
		if n := c.count("register") + c.count("unregister") + c.count("beats"); n > 40 {
			t.Errorf("%d tries in 20 s", n)
		}
		g.hold(t, s)
		g.hold(t, b2)
		c.setDown(false)
		settle(15 * time.Second)
		g.wantPending(t, 0, 0)
		c.wantRoute(t, "t1", "c/b1 perm 6: 1=10.0.0.2:10911; c/b2 perm 6: 0=10.0.0.3:10911; ")
		g.wantRoute(t, "t1", "c/b1 perm 6: 1=10.0.0.2:10911; c/b2 perm 6: 0=10.0.0.3:10911; ")
	})
}

func TestWhatHappensInAnOutageCollapses(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		settle(6 * time.Second)
		c.setDown(true)
		x := a
		for i := range 50 {
			x.version = int64(i)
			x.topics = []string{"t1", "t2", "new" + string(rune('a'+i%26))}
			time.Sleep(time.Second)
			g.hold(t, x)
			if i%7 == 0 {
				time.Sleep(time.Second)
				g.close(t, x)
			}
		}
		x.topics = append(x.topics, func() (all []string) {
			for i := range 26 {
				all = append(all, "new"+string(rune('a'+i)))
			}
			return all
		}()...)
		x.topics = slices.Compact(slices.Sorted(slices.Values(x.topics)))
		time.Sleep(time.Second)
		g.hold(t, x)
		c.forget()
		c.setDown(false)
		settle(10 * time.Second)
		if len(c.said) != 1 {
			t.Errorf("the cloud heard %q", c.said)
		}
		c.wantRoute(t, "newa", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

func TestABrokerThatComesBackWithFewerTopicsHasLeftFirst(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		settle(6 * time.Second)
		c.setDown(true)
		g.close(t, a)
		time.Sleep(time.Second)
		x := a
		x.topics = []string{"t1", "t3"}
		g.hold(t, x)
		c.setDown(false)
		settle(10 * time.Second)
		c.wantRoute(t, "t2", "")
		c.wantRoute(t, "t3", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

func TestASlowCloudIsNotWaitedFor(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		c.mu.Lock()
		c.delay = func(call string) time.Duration {
			if call == "register" {
				return 8 * time.Second
			}
			return 0
		}
		c.mu.Unlock()
		began := time.Now()
		g.hold(t, a)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("answered after %v", took)
		}
		c.wantRoute(t, "t1", "")
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		settle(20 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.wantPending(t, 0, 0)
	})
}

func TestAnAnswerThatIsLost(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		n := 0
		c.mu.Lock()
		c.faults = func(call string) fault {
			if n++; call != "session" && n%2 == 1 {
				return lost
			}
			return fine
		}
		c.mu.Unlock()
		g.hold(t, a)
		g.hold(t, s)
		settle(10 * time.Second)
		g.close(t, a)
		settle(10 * time.Second)
		g.wantPending(t, 0, 0)
		c.wantRoute(t, "t1", "c/b1 perm 6: 1=10.0.0.2:10911; ")
	})
}

func TestARefusalIsTheBrokersAndUndoesNothing(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		other := broker{cluster: "elsewhere", name: "b1", addr: "10.9.9.9:10911", topics: []string{"t1", "t2"}}
		if _, err := c.Registry.Register(t.Context(), time.Now(), other.registration("direct")); err != nil {
			t.Fatal(err)
		}
		if _, err := g.register(a); !errors.Is(err, core.ErrNameConflict) {
			t.Fatalf("answered %v", err)
		}
		g.wantRoute(t, "t1", "elsewhere/b1 perm 6: 0=10.9.9.9:10911; ")
		if _, err := g.DataVersion(t.Context(), time.Now(), "c", "b1", a.addr); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("its version: %v", err)
		}
		// The name is not taken here, either.
		time.Sleep(time.Second)
		if _, err := g.register(other); err != nil {
			t.Errorf("the holder: %v", err)
		}

		b2 := broker{cluster: "c", name: "b2", addr: "10.0.0.3:10911", topics: []string{"t7", "t8"}}
		g.hold(t, b2)
		c.mu.Lock()
		c.faults = func(call string) fault {
			if call == "register" {
				return refusing
			}
			return fine
		}
		c.mu.Unlock()
		changed := b2
		changed.topics, changed.version = []string{"t7", "t8", "t9"}, 2
		time.Sleep(time.Second)
		if _, err := g.register(changed); !errors.Is(err, core.ErrNameConflict) {
			t.Fatalf("answered %v", err)
		}
		if _, err := g.DataVersion(t.Context(), time.Now(), "c", "b2", b2.addr); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("its version: %v", err)
		}
		g.wantRoute(t, "t8", "c/b2 perm 6: 0=10.0.0.3:10911; ")
		c.mu.Lock()
		c.faults = nil
		c.mu.Unlock()
		time.Sleep(time.Second)
		g.hold(t, changed)
		g.wantRoute(t, "t9", "c/b2 perm 6: 0=10.0.0.3:10911; ")
		g.close(t, changed)
		settle(6 * time.Second)
		c.wantRoute(t, "t9", "")
	})
}

func TestOneTopicOfAnUnknownBrokerIsRefused(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x := a
		x.topics = []string{"t1"}
		if _, err := g.register(x); !errors.Is(err, core.ErrRefused) {
			t.Errorf("answered %v", err)
		}
		g.hold(t, a)
		x.topics = []string{"t5"}
		time.Sleep(time.Second)
		g.hold(t, x)
		c.wantRoute(t, "t5", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		c.wantRoute(t, "t2", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

// Whose id a controller gave to somebody newer is not registered, and told of
// no master.
func TestASlaveOfAnOlderState(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		newer, older := s, s
		newer.state, older.addr = 2, "10.0.0.9:10911"
		g.hold(t, a)
		if answer := g.hold(t, newer); answer.MasterAddr != a.addr {
			t.Fatalf("the slave is told %+v", answer)
		}
		if answer := g.hold(t, older); answer != (core.Registered{}) {
			t.Errorf("who is not registered is told %+v", answer)
		}
		settle(10 * time.Second)
		g.wantRoute(t, "t1", "c/b1 perm 6: 0="+a.addr+" 1="+newer.addr+"; ")
		g.wantPending(t, 0, 0)
	})
}

func TestMasterAndSlaveSwitch(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		g.hold(t, s)
		x, y := a, s
		x.id, y.id = 1, 0
		for _, down := range []bool{false, true} {
			c.setDown(down)
			time.Sleep(time.Second)
			g.hold(t, y)
			time.Sleep(time.Second)
			g.hold(t, x)
			g.wantRoute(t, "t1", "c/b1 perm 6: 0="+y.addr+" 1="+x.addr+"; ")
			c.setDown(false)
			settle(10 * time.Second)
			c.wantRoute(t, "t1", "c/b1 perm 6: 0="+y.addr+" 1="+x.addr+"; ")
			g.wantPending(t, 0, 0)
			x, y = y, x
			x.id, y.id = 1, 0
		}
	})
}

func TestAQuickReconnectDuringASlowCall(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		slow := "register"
		c.mu.Lock()
		c.delay = func(call string) time.Duration {
			if call == slow {
				return 400 * time.Millisecond
			}
			return time.Millisecond
		}
		c.mu.Unlock()
		g.hold(t, a)
		// A departure that is quicker than what it follows.
		x := a
		x.version, x.topics = 1, []string{"t1", "t2", "t3"}
		go g.register(x)
		time.Sleep(10 * time.Millisecond)
		g.close(t, x)
		settle(5 * time.Second)
		c.wantRoute(t, "t1", "")
		// And a registration that is quicker than the departure before it.
		g.hold(t, x)
		settle(5 * time.Second)
		c.mu.Lock()
		slow = "unregister"
		c.mu.Unlock()
		g.close(t, x)
		time.Sleep(10 * time.Millisecond)
		g.hold(t, x)
		settle(5 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.wantPending(t, 0, 0)
		if c.worst != 1 {
			t.Errorf("%d calls under way for one broker", c.worst)
		}
	})
}
