//go:build e2e

package dynamo_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"signpost/core"
	"signpost/infra/cost"
	"signpost/internal/dynamo"
)

// accepting is a sink that takes every event at once, as a bus does.
type accepting struct{}

func (accepting) Publish(_ context.Context, events []core.Event) (int, error) {
	return len(events), nil
}

var began = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newRegistry(s core.Store) *core.Registry {
	return core.New(s, core.Options{Sink: accepting{}, NewID: rand.Text})
}

// manyTopics returns n topics with names as they are in use.
func manyTopics(n int) []core.Topic {
	services := []string{"order", "payment", "inventory", "shipping", "customer-profile", "recommendation", "%RETRY%order-consumer", "%DLQ%payment-consumer"}
	list := make([]core.Topic, n)
	for i := range list {
		list[i] = core.Topic{
			Name:   fmt.Sprintf("%s-%s-events-%05d", services[i%len(services)], []string{"created", "changed", "gone"}[i%3], i),
			Queues: core.Queues{Read: 4 + int32(i%5), Write: 4 + int32(i%5), Perm: core.PermReadWrite},
		}
	}
	return list
}

// registration is of the broker's master with these topics. Its digest is
// that of version, which is to change with what it says.
func registration(broker string, version int64, list []core.Topic) core.Registration {
	return core.Registration{
		Cluster: cluster, Broker: broker, Addr: master, HAAddr: "10.20.30.40:10912", Digest: uint64(version), ActingMaster: core.ActingMasterOff,
		Content: func() (core.Content, error) {
			return core.Content{DataVersion: core.DataVersion{Timestamp: 1767323045000, Counter: version}, Topics: list}, nil
		},
	}
}

// TestBudgets measures what the operations of the cost model consume: no more
// than the model reckons with, which is no more than their budgets.
func TestBudgets(t *testing.T) {
	measured := map[string]bool{}
	for _, part := range []struct {
		name string
		do   func(*testing.T, *metered)
	}{
		{"topics", measureTopics}, {"heartbeats", measureHeartbeats}, {"sessions", measureSessions},
		{"routes", measureRoutes}, {"sweeps", measureSweeps},
	} {
		t.Run(part.name, func(t *testing.T) {
			m := newMetered(t)
			m.measured = measured
			part.do(t, m)
		})
	}
	for _, op := range cost.Operations() {
		if !measured[op.Name] {
			t.Errorf("nobody has measured: %s", op.Name)
		}
	}
}

func measureTopics(t *testing.T, m *metered) {
	r, ctx := newRegistry(m), t.Context()
	all := manyTopics(10_000)
	now := began
	register := func(version int64, list []core.Topic) func() error {
		return func() error { return second(r.Register(ctx, now, registration(group, version, list))) }
	}
	m.measure(t, cost.FirstRegistration, register(1, all))
	now = now.Add(time.Second)
	m.measure(t, cost.UnchangedBody, register(1, all))
	all[4321].Queues.Read++
	m.measure(t, cost.TopicChanged, register(2, all))
	m.measure(t, cost.NothingChanged, register(3, all))
	m.measure(t, cost.WipeWrite, func() error { _, _, err := r.WipeWrite(ctx, now, group); return err })
	m.measure(t, cost.AddWrite, func() error { _, _, err := r.AddWrite(ctx, now, group); return err })
	m.measure(t, cost.DeleteTopic, func() error { return second(r.DeleteTopic(ctx, now, all[77].Name, "")) })
	leave := func() error {
		return second(r.Unregister(ctx, now, core.Departure{Cluster: cluster, Broker: group, Addr: master}))
	}
	m.measure(t, cost.Leave, leave)
	now = now.Add(time.Minute)
	all = append(all[:77:77], all[78:]...)
	m.measure(t, cost.Restart, register(4, all))
	// As a gateway's, without the light heartbeat that a direct one begins with.
	must(t, leave())
	now = now.Add(time.Minute)
	must(t, r.OpenSession(ctx, now, core.Session{ID: "gateway", Owner: owner}))
	m.measure(t, cost.RestartTwoGone, func() error {
		return second(r.Register(ctx, now, through("gateway", registration(group, 5, all[:len(all)-2]))))
	})
}

func measureHeartbeats(t *testing.T, m *metered) {
	r, ctx := newRegistry(m), t.Context()
	must(t, second(r.Register(ctx, began, registration(group, 1, manyTopics(10)))))
	m.measure(t, cost.DirectBeat, func() error {
		return second(r.Beat(ctx, began.Add(time.Second), core.Beat{Cluster: cluster, Broker: group, HasID: true, Addr: master}))
	})
	m.measure(t, cost.UnchangedBody, func() error {
		return second(r.Register(ctx, began.Add(2*time.Second), registration(group, 1, nil)))
	})
}

func measureSessions(t *testing.T, m *metered) {
	r, ctx := newRegistry(m), t.Context()
	s := sessionIDs
	must(t, r.OpenSession(ctx, began, core.Session{ID: s[0], Gateway: "gateway-1", Owner: owner}))
	must(t, second(r.Register(ctx, began, through(s[0], registration(group, 1, manyTopics(10))))))
	m.measure(t, cost.OpenSession, func() error {
		return r.OpenSession(ctx, began, core.Session{ID: s[1], Gateway: "gateway-2", Owner: owner})
	})
	m.measure(t, cost.NewSession, func() error {
		return second(r.Register(ctx, began.Add(time.Second), through(s[1], registration(group, 1, nil))))
	})
	m.measure(t, cost.GroupTold, func() error {
		if _, err := r.Head(ctx, 0, true); err != nil {
			return err
		}
		return second(r.Group(ctx, began.Add(time.Second), group))
	})
	m.measure(t, cost.LeaseDropped, func() error {
		return second(r.Unregister(ctx, began.Add(2*time.Second), core.Departure{
			Cluster: cluster, Broker: group, Addr: master, Session: s[0], Owner: owner, LeaseOnly: true,
		}))
	})
	// A gateway that runs anew, while the session of its last run runs out.
	must(t, r.OpenSession(ctx, began.Add(120*time.Second), core.Session{ID: s[2], Gateway: "gateway-1", Owner: owner}))
	must(t, second(r.Register(ctx, began.Add(120*time.Second), through(s[2], registration(group, 1, nil)))))
	m.measure(t, cost.NewSessionPruned, func() error {
		return second(r.Beat(ctx, began.Add(125*time.Second), core.Beat{
			Cluster: cluster, Broker: group, HasID: true, Addr: master, Session: s[2], Owner: owner,
		}))
	})
	must(t, second(r.BeatSession(ctx, began.Add(126*time.Second), s[2], owner, 1)))
	// What another process has raised since the last beat is told, however short ago that was.
	m.measure(t, cost.SessionBeat, func() error {
		return second(r.BeatSession(ctx, began.Add(130*time.Second), s[2], owner, 1))
	})
	m.measureUnits(t, "a confirmation of what is confirmed", cost.Units{Read: 2}, func() error {
		return second(r.Beat(ctx, began.Add(131*time.Second), core.Beat{
			Cluster: cluster, Broker: group, HasID: true, Addr: master, Session: s[2], Owner: owner,
		}))
	})
}

func measureRoutes(t *testing.T, m *metered) {
	ctx := t.Context()
	writer := newRegistry(dynamo.New(config, m.table))
	shared := manyTopics(1)
	register := func(n int, now time.Time, version int64, more ...core.Topic) {
		reg := registration(fmt.Sprintf("broker-%02d", n), version, append(more, shared...))
		reg.Addr = fmt.Sprintf("10.20.30.%d:10911", n)
		must(t, second(writer.Register(ctx, now, reg)))
	}
	for n := range 16 {
		register(n, began, 1, manyTopics(20)[1:]...)
	}
	for range 150 { // as in service, the log does not reach back to the beginning
		must(t, second(writer.PutKV(ctx, core.OrderNamespace, "none", "broker-00:4")))
	}
	r := newRegistry(m)
	now := began
	route := func() error { return second(r.Route(ctx, now, shared[0].Name)) }
	pass := func(d time.Duration) {
		now = now.Add(d)
		m.pass(now)
	}
	m.measure(t, cost.RouteCold, route)
	m.measureUnits(t, "the same a hundred times within two seconds", cost.Units{}, func() (err error) {
		for range 100 {
			pass(19 * time.Millisecond)
			if err == nil {
				err = route()
			}
		}
		return err
	})
	pass(2 * time.Second)
	m.measure(t, cost.RouteUnchanged, route)
	register(3, now, 2, shared[0], core.Topic{Name: "one-more"})
	pass(2 * time.Second)
	m.measure(t, cost.RouteUnchanged, route) // another topic changed
	must(t, second(writer.Unregister(ctx, now, core.Departure{Cluster: cluster, Broker: "broker-03", Addr: "10.20.30.3:10911"})))
	pass(2 * time.Second)
	m.measure(t, cost.RouteChanged, route)
	for n := range 16 {
		if n != 3 {
			register(n, now, 1)
		}
	}
	pass(118 * time.Second)
	m.measure(t, cost.RouteRenewed, route)
}

func measureSweeps(t *testing.T, m *metered) {
	ctx := t.Context()
	m.measure(t, cost.SweepEmpty, func() error { return second(newRegistry(m).Sweep(ctx, began)) })
	filler := dynamo.New(config, m.table)
	gateways := newRegistry(filler)
	for _, id := range sessionIDs[:2] {
		must(t, gateways.OpenSession(ctx, began, core.Session{ID: id, Owner: owner}))
	}
	for n := range 1000 {
		g := core.Group{Name: fmt.Sprintf("broker-%04d", n), Cluster: cluster}
		for id := range int64(2) {
			addr := fmt.Sprintf("10.20.%d.%d:10911", n/250, n%250+int(id))
			g.Replicas = append(g.Replicas, core.Replica{
				ID: id, Addr: addr, HAAddr: addr, Timeout: core.DefaultTimeout, Digest: 1<<63 + 1, Registered: began, Said: began,
				DataVersion: core.DataVersion{Timestamp: began.UnixMilli(), Counter: 12},
				Leases:      []core.Lease{{Session: sessionIDs[0], Said: began}, {Session: sessionIDs[1], Said: began}},
			})
		}
		must(t, second(filler.PutGroup(ctx, g)))
		must(t, second(filler.WriteTopics(ctx, core.TopicWrite{Broker: g.Name, Put: manyTopics(10)})))
	}
	r := newRegistry(m)
	m.measure(t, cost.SweepCold, func() error { return second(r.Sweep(ctx, began.Add(time.Second))) })
	for after := 20 * time.Second; after <= time.Minute; after += 20 * time.Second {
		for _, id := range sessionIDs[:2] {
			must(t, second(gateways.BeatSession(ctx, began.Add(after), id, owner, 0)))
		}
	}
	now := began.Add(61 * time.Second)
	m.pass(now)
	m.measure(t, cost.SweepWarm, func() error { return second(r.Sweep(ctx, now)) })
	m.measure(t, cost.Leases, func() error {
		held, err := r.Leases(ctx, sessionIDs[0])
		if len(held) != 2000 {
			t.Errorf("%d leases", len(held))
		}
		return err
	})
	m.measure(t, cost.TopicList, func() error {
		_, _, err := r.Topics(ctx, now, core.AllTopics, "")
		return err
	})
}

var sessionIDs = []string{"2ZD6WS5QDOFG7XEKZ5ZPQMY6AA", "NCKD7JQWB5LTZ2M4HVE6YPRSUA", "XO3UXV2AYBTXSSXQXKSJ5ZJVAB"}

func TestWriteTopicsJudgesByTheManifest(t *testing.T) {
	m := newMetered(t)
	ctx := t.Context()
	all := manyTopics(10_000)
	g, err := m.PutGroup(ctx, core.Group{Name: "b", Cluster: "c", Writer: core.Writer{ID: "w", Until: began.Add(time.Hour)}})
	must(t, err)
	for _, replace := range []bool{true, false} {
		w := core.TopicWrite{Broker: g.Name, Writer: "w", Put: all, Replace: replace}
		must(t, second(m.WriteTopics(ctx, w)))
		m.measureUnits(t, fmt.Sprintf("10,000 unchanged topics with their group, replacing: %v", replace), cost.Units{Read: 4}, func() error {
			if _, err := m.Group(ctx, g.Name); err != nil {
				return err
			}
			return second(m.WriteTopics(ctx, w))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }
