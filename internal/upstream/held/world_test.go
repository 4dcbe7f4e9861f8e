package held_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
)

// digest stands for what the API takes for the same registration.
func digest(r core.Registration, c core.Content) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range fmt.Appendf(nil, "%s %s %s %s %s %d %d %d %v", r.Cluster, r.Broker, r.Addr, r.HAAddr, r.Zone, r.ID, r.Timeout, r.ActingMaster, c.Topics) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h = (h ^ uint64(c.DataVersion.Counter)) * 1099511628211
	for _, m := range c.Mappings {
		h = (h ^ uint64(len(m.Topic))) * 1099511628211
	}
	return max(h, 1)
}

// broker is what a broker says of itself.
type broker struct {
	cluster, name, addr string
	id                  int64
	acting              core.ActingMaster
	timeout             time.Duration
	version, state      int64 // of its DataVersion
	topics              []string
}

func (x broker) content() core.Content {
	c := core.Content{DataVersion: core.DataVersion{Counter: x.version, StateVersion: x.state}, Topics: []core.Topic{}}
	for _, t := range x.topics {
		c.Topics = append(c.Topics, core.Topic{Name: t, Queues: core.Queues{Read: 4, Write: 4, Perm: core.PermReadWrite}})
	}
	return c
}

// registration is the broker's registration through a front.
func (x broker) registration(front string) core.Registration {
	c := x.content()
	reg := core.Registration{
		Cluster: x.cluster, Broker: x.name, ID: x.id, Addr: x.addr, HAAddr: x.addr + "0", ActingMaster: x.acting, Timeout: x.timeout, Front: front,
		Content: func() (core.Content, error) { return c, nil },
	}
	reg.Digest = digest(reg, c)
	return reg
}

// register says it to the gateway as a NameServer does.
func (g *gateway) register(x broker) (core.Registered, error) {
	reg := x.registration("tcp")
	if answer, ok, err := g.Brokers.Renew(context.Background(), time.Now(), reg); ok || err != nil {
		return answer, err
	}
	return g.Brokers.Register(context.Background(), time.Now(), reg)
}

func (g *gateway) hold(t *testing.T, x broker) core.Registered {
	t.Helper()
	answer, err := g.register(x)
	if err != nil {
		t.Fatalf("register %s: %v", x.addr, err)
	}
	return answer
}

func (x broker) departure(front string, leaseOnly bool) core.Departure {
	return core.Departure{Cluster: x.cluster, Broker: x.name, ID: x.id, Addr: x.addr, Front: front, LeaseOnly: leaseOnly}
}

func (g *gateway) depart(d core.Departure) error {
	_, err := g.Brokers.Unregister(context.Background(), time.Now(), d)
	return err
}

// close is the end of the broker's connection.
func (g *gateway) close(t *testing.T, x broker) {
	t.Helper()
	if err := g.depart(x.departure("tcp", true)); err != nil {
		t.Fatal(err)
	}
}

func (g *gateway) leave(t *testing.T, x broker) {
	t.Helper()
	if err := g.depart(x.departure("tcp", false)); err != nil {
		t.Fatal(err)
	}
}

// route reads a topic's brokers and addresses out of a registry; "" if it has
// no route.
func route(ctx context.Context, r *core.Registry, topic string) string {
	found, err := r.Route(ctx, time.Now(), topic)
	if errors.Is(err, core.ErrNoTopic) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	return show(found)
}

// show prints a route for people.
func show(r *core.Route) (s string) {
	if r == nil {
		return ""
	}
	for i, b := range r.Brokers {
		s += fmt.Sprintf("%s/%s perm %d:", b.Cluster, b.Name, r.Rows[i].Queues.Perm)
		for _, a := range b.Addrs {
			s += fmt.Sprintf(" %d=%s", a.ID, a.Addr)
		}
		s += "; "
	}
	return s
}

// seen is a topic's route as the gateway answers it, were it to follow the
// cloud without any delay.
func (g *gateway) seen(topic string) string {
	found, err := g.cloud.Route(context.Background(), time.Now(), topic)
	if err != nil {
		found = nil
	}
	return show(g.Overlay(time.Now(), topic, found, g.cloud.revision()))
}

func (g *gateway) wantRoute(t *testing.T, topic, want string) {
	t.Helper()
	if got := g.seen(topic); got != want {
		t.Errorf("%s at %s: %q, not %q", topic, g.name, got, want)
	}
}

func (c *cloud) wantRoute(t *testing.T, topic, want string) {
	t.Helper()
	if got := route(t.Context(), c.Registry, topic); got != want {
		t.Errorf("%s in the cloud: %q, not %q", topic, got, want)
	}
}

func (g *gateway) wantPending(t *testing.T, adds, drops int) {
	t.Helper()
	if a, d := g.Pending(); a != adds || d != drops {
		t.Errorf("pending: %d adds and %d drops, not %d and %d", a, d, adds, drops)
	}
}

// run is a test in a bubble, with a cloud and a gateway whose session is open.
func run(t *testing.T, test func(t *testing.T, c *cloud, g *gateway)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		c := newCloud()
		g := c.gateway(t, ctx, "shim1")
		defer synctest.Wait()
		defer cancel()
		synctest.Wait()
		test(t, c, g)
	})
}

// runTwo is run with another gateway beside it, "shim2".
func runTwo(t *testing.T, test func(t *testing.T, c *cloud, g, g2 *gateway)) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		ctx, cancel := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer cancel()
		g2 := c.gateway(t, ctx, "shim2")
		synctest.Wait()
		test(t, c, g, g2)
	})
}

// settle waits until nothing is on its way, with the session's beats going on.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
