package held_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"signpost/core"
)

// After a restart in an outage nothing is known but the routes that somebody
// has kept.
func TestARestartInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer cancel()
		c := newCloud()
		c.setDown(true)
		g := c.gateway(t, ctx, "shim1")
		synctest.Wait()
		kept := &core.Route{
			Topic: "t1", HasOrderConf: true, OrderConf: "b1:4",
			Rows: []core.Row{{Broker: "b1", Topic: core.Topic{Name: "t1", Queues: core.Queues{Perm: 6}}}, {Broker: "b7", Topic: core.Topic{Name: "t1", Queues: core.Queues{Perm: 6}}}},
			Brokers: []core.RouteBroker{
				{Name: "b1", Cluster: "c", Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0.1:10911"}, {ID: 1, Addr: "10.0.0.2:10911"}}},
				{Name: "b7", Cluster: "c", Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0.7:10911"}}},
			},
			Filters: []core.FilterServers{{Addr: "10.0.0.7:10911", Servers: []string{"f"}}},
		}
		if got := g.Overlay(time.Now(), "t1", kept, 0); got != kept {
			t.Error("another route though nothing is pending")
		}
		moved := a
		moved.addr = "10.0.0.9:10911"
		began := time.Now()
		g.hold(t, moved)
		if took := time.Since(began); took > 4*time.Second { // one call's time, before it is known
			t.Errorf("answered after %v", took)
		}
		asked := []byte("t1") // memory that its asker uses again
		got := g.Overlay(time.Now(), unsafe.String(&asked[0], len(asked)), kept, 0)
		copy(asked, "??")
		if want := "c/b1 perm 6: 0=10.0.0.9:10911 1=10.0.0.2:10911; c/b7 perm 6: 0=10.0.0.7:10911; "; show(got) != want {
			t.Errorf("%q, not %q", show(got), want)
		}
		if !got.HasOrderConf || got.OrderConf != "b1:4" || len(got.Filters) != 1 {
			t.Errorf("the rest: %+v", got)
		}
		if again := g.Overlay(time.Now(), "t1", kept, 0); again != got {
			t.Error("made anew though nothing has changed")
		}
		if group, ok := g.Group(time.Now(), "b1"); ok {
			t.Errorf("its group, of which the cloud was not heard: %+v", group)
		}
		if group := g.Shown(time.Now(), "b1", kept.Brokers[0].Group()); len(group.Replicas) != 2 || group.Replicas[0].Addr != moved.addr {
			t.Errorf("its group by what the route shows: %+v", group)
		}
		g.leave(t, moved)
		if got := g.Overlay(time.Now(), "t1", nil, 0); got != nil {
			t.Errorf("a route of nobody: %q", show(got))
		}
	})
}

func TestAnActingMasterInAnOutage(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x, y := a, s
		x.acting, y.acting = core.ActingMasterOn, core.ActingMasterOn
		g.hold(t, x)
		g.hold(t, y)
		settle(6 * time.Second)
		g.local.SetRules(core.Rules{ActingMaster: true})
		c.SetRules(core.Rules{ActingMaster: true})
		c.setDown(true)
		b9 := broker{cluster: "c", name: "b9", addr: "10.0.0.3:1", topics: []string{"t8", "t9"}}
		g.hold(t, b9) // so that it is known that the cloud cannot be reached
		g.close(t, x)
		g.wantRoute(t, "t1", "c/b1 perm 4: 0=10.0.0.2:10911; ")
		if got := g.notices(); len(got) != 1 || got[0].OfflineAddr != x.addr {
			t.Errorf("told %+v", got)
		}
		g.hold(t, x)
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911 1=10.0.0.2:10911; ")
		c.setDown(false)
		settle(10 * time.Second)
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911 1=10.0.0.2:10911; ")
		if got := g.notices(); len(got) != 2 || got[1].HAAddr != x.addr+"0" {
			t.Errorf("told %+v", got)
		}
	})
}

// While the cloud cannot be asked, a connection that closes here takes the
// broker out here, and here only. That another gateway holds it counts again
// when the cloud can be asked.
func TestAConnectionThatClosesInAnOutage(t *testing.T) {
	runTwo(t, func(t *testing.T, c *cloud, g, g2 *gateway) {
		g2.hold(t, a)
		g.hold(t, a)
		settle(6 * time.Second)
		c.setDown(true)
		g.hold(t, broker{cluster: "c", name: "b9", addr: "10.0.0.3:1", topics: []string{"t8", "t9"}})
		g.close(t, a)
		g.wantRoute(t, "t1", "")
		g2.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		c.setDown(false)
		settle(6 * time.Second)
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g2.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

func TestManyTopicsAreUploadedBehind(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		const n = 20_000
		x := a
		for i := range n {
			x.topics = append(x.topics, fmt.Sprintf("topic-%05d", i))
		}
		c.mu.Lock()
		c.delay = func(call string) time.Duration {
			if call == "register" {
				return 15 * time.Second
			}
			return 0
		}
		c.mu.Unlock()
		began := time.Now()
		g.hold(t, x)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("answered after %v", took)
		}
		g.wantRoute(t, "topic-19999", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		// It repeats itself while that goes on, and a second broker does not wait.
		g.hold(t, x)
		settle(40 * time.Second)
		c.wantRoute(t, "topic-19999", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.wantPending(t, 0, 0)
		if n := c.count("register"); n != 1 {
			t.Errorf("%d registrations", n)
		}
	})
}

func TestAWriterThatIsBusyIsWaitedFor(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		left := 3
		c.mu.Lock()
		c.faults = func(call string) fault {
			if call == "register" && left > 0 {
				left--
				return busy
			}
			return fine
		}
		c.mu.Unlock()
		began := time.Now()
		g.hold(t, a)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("answered after %v", took)
		}
		g.wantPending(t, 0, 0)
	})
}

// A cloud that swallows calls is not waited for longer each time than it takes
// to know that it is back.
func TestACloudThatSwallowsCalls(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		swallows := true
		c.mu.Lock()
		c.faults = func(string) fault {
			if swallows {
				return hanging
			}
			return fine
		}
		c.mu.Unlock()
		for i := range 40 {
			x := broker{cluster: "c", name: fmt.Sprintf("b%d", i), addr: fmt.Sprintf("10.0.1.%d:1", i), topics: []string{"t1", "t2"}}
			go g.register(x)
		}
		settle(65 * time.Second)
		c.mu.Lock()
		swallows = false
		c.forgetCalls()
		c.mu.Unlock()
		settle(30 * time.Second)
		g.wantPending(t, 0, 0)
		if n := c.count("register"); n > 60 {
			t.Errorf("%d registrations", n)
		}
	})
}

func TestSomeBrokersOfOneNameInTwoClusters(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		other := a
		other.cluster, other.addr = "d", "10.0.0.8:10911"
		if _, err := g.register(other); err == nil {
			t.Error("both are registered")
		}
		g.close(t, a)
		time.Sleep(time.Second)
		g.hold(t, other)
		settle(6 * time.Second)
		c.wantRoute(t, "t1", "d/b1 perm 6: 0=10.0.0.8:10911; ")
		// It takes its name along.
		back := other
		back.cluster = "c"
		g.hold(t, back)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.8:10911; ")
		g.close(t, back)
		settle(6 * time.Second)
		c.wantRoute(t, "t1", "")
		g.wantPending(t, 0, 0)
		if g.Held() != 0 {
			t.Errorf("%d are held", g.Held())
		}
	})
}

// A broker whose address was given to another gateway's broker is told of by
// the log, and speaks for itself again.
func TestABrokerThatWasTakenOverComesBackWithItsNextRegistration(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		settle(6 * time.Second)
		thief := a
		thief.addr = "10.6.6.6:1"
		if _, err := c.Registry.Register(t.Context(), time.Now(), thief.registration("elsewhere")); err != nil {
			t.Fatal(err)
		}
		settle(6 * time.Second)
		if _, ok, _ := g.Renew(t.Context(), time.Now(), a.registration("tcp")); ok {
			t.Error("its registration is believed to be in force")
		}
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.6.6.6:1; ")
		g.hold(t, a)
		g.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
	})
}

// A broker that the API does not take any more does not keep the others from
// being confirmed.
func TestOneOfManyThatIsRefused(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		for i := range 20 {
			g.hold(t, broker{cluster: "c", name: fmt.Sprintf("b%02d", i), addr: fmt.Sprintf("10.0.1.%d:1", i), topics: []string{"t1", "t2"}})
		}
		c.mu.Lock()
		c.forbidden = "b07"
		c.mu.Unlock()
		g.lose(t)
		settle(30 * time.Second)
		r, err := c.Route(t.Context(), time.Now(), "t1")
		if err != nil || len(r.Brokers) != 19 {
			t.Fatalf("%v %q", err, show(r))
		}
		g.wantPending(t, 0, 0)
		if n := c.count("beats"); n > 30 {
			t.Errorf("%d confirmations", n)
		}
		if _, err := g.DataVersion(t.Context(), time.Now(), "c", "b07", "10.0.1.7:1"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("the one: %v", err)
		}
	})
}

// What is said of a broker that was never here is not kept.
func TestAGoodbyeOfAStranger(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		if _, err := c.Registry.Register(t.Context(), time.Now(), a.registration("elsewhere")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		g.leave(t, a)
		c.wantRoute(t, "t1", "")
		c.setDown(true)
		for range 3 {
			if err := g.depart(a.departure("tcp", false)); !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("answered %v", err)
			}
			g.wantPending(t, 0, 0)
		}
	})
}
