package held_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
)

// setQueues has somebody say what b1 offers of a topic (217), through the gateway.
func (g *gateway) setQueues(t *testing.T, topic string, perm int32) {
	t.Helper()
	g.Overtaken(topic, "b1")
	row := core.Row{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 4, Write: 4, Perm: perm}}}
	if _, err := g.cloud.RegisterQueues(t.Context(), time.Now(), topic, []core.Row{row}); err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasSetSinceIsNotUndone: the cloud asks for the broker's word, and what
// it said before somebody set one of its topics is not repeated for it.
func TestWhatWasSetSinceIsNotUndone(t *testing.T) {
	const before, since = "c/b1 perm 6: 0=10.0.0.1:10911; ", "c/b1 perm 4: 0=10.0.0.1:10911; "
	for _, rules := range []core.Rules{{}, {DeleteTopicsOnRegistration: true}} {
		run(t, func(t *testing.T, c *cloud, g *gateway) {
			c.SetRules(rules)
			g.hold(t, a)
			g.setQueues(t, "t1", core.PermRead)
			settle(20 * time.Second)
			g.wantRoute(t, "t1", since)
			g.wantRoute(t, "t2", before)

			// By its own word it has it as it says.
			next := a
			next.version++
			g.hold(t, next)
			g.wantRoute(t, "t1", before)
			c.forget()
			g.hold(t, next)
			if n := c.count("register"); n != 0 {
				t.Errorf("%d registrations when nothing is new", n)
			}
		})
	}
}

// TestWhatWasSetSinceIsLostWithAllElse: a cloud that does not know the broker is
// told of it at once.
func TestWhatWasSetSinceIsLostWithAllElse(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		g.hold(t, a)
		g.setQueues(t, "t1", core.PermRead)
		settle(20 * time.Second)
		empty := newCloud()
		c.mu.Lock()
		c.Registry, c.store = empty.Registry, empty.store
		c.mu.Unlock()
		settle(12 * time.Second)
		c.wantRoute(t, "t1", "c/b1 perm 6: 0=10.0.0.1:10911; ")
		g.wantPending(t, 0, 0)
	})
}

// TestOneTopicAfterARestart: a gateway that was started anew does not know the
// broker, which sends one topic only; the cloud does.
func TestOneTopicAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		start := func(name string) (g *gateway, stop func()) {
			ctx, cancel := context.WithCancel(context.Background())
			g = c.gateway(t, ctx, name)
			synctest.Wait()
			return g, func() { cancel(); synctest.Wait() }
		}
		g, stop := start("shim1")
		g.hold(t, a)
		stop()
		g, stop = start("shim2")
		defer func() { stop() }()

		one, all := a, a
		one.topics, one.version = []string{"t3"}, 1
		all.topics, all.version = []string{"t1", "t2", "t3"}, 1
		const route = "c/b1 perm 6: 0=10.0.0.1:10911; "
		known := func() error {
			_, err := g.DataVersion(t.Context(), time.Now(), a.cluster, a.name, a.addr)
			return err
		}

		c.setDown(true)
		if _, err := g.register(one); !errors.Is(err, core.ErrRefused) {
			t.Errorf("in an outage: %v", err)
		}
		c.setDown(false)
		settle(10 * time.Second)
		g.hold(t, one)
		g.hold(t, one)
		for _, topic := range []string{"t1", "t2", "t3"} {
			g.wantRoute(t, topic, route)
		}
		if err := known(); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("its version is known before it has said all: %v", err)
		}
		settle(40 * time.Second)

		// It is held by this session now, and leaves with it.
		g.wantPending(t, 0, 0)
		c.wantRoute(t, "t3", route)
		g.hold(t, all)
		if err := known(); err != nil {
			t.Errorf("its version, when it has said all: %v", err)
		}
		g.close(t, a)
		settle(200 * time.Second) // the session before has ended
		c.wantRoute(t, "t1", "")

		// One that the cloud does not know either is refused.
		other := broker{cluster: "c", name: "b2", addr: "10.0.0.9:10911", topics: []string{"t1"}}
		if _, err := g.register(other); !errors.Is(err, core.ErrRefused) {
			t.Errorf("of a broker that is not known: %v", err)
		}
		settle(time.Minute)
		g.wantPending(t, 0, 0)
		if n := g.Held(); n != 1 {
			t.Errorf("%d are held", n)
		}
	})
}
