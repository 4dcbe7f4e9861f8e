//go:build e2e

package dynamo_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/core"
	"signpost/internal/dynamo"
)

// anyUnits is a budget that nothing sets.
const anyUnits = 1e9

// accepting is a sink that takes every event at once, as a bus does.
type accepting struct{}

func (accepting) Publish(_ context.Context, events []core.Event) (int, error) {
	return len(events), nil
}

var began = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newRegistry(s core.Store) *core.Registry {
	return core.New(s, core.Options{Sink: accepting{}, NewID: rand.Text})
}

// topics returns n topics with names as they are in use.
func topics(n int) []core.Topic {
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
		Cluster: "production-cluster", Broker: broker, Addr: "10.20.30.40:10911", HAAddr: "10.20.30.40:10912", Digest: uint64(version),
		ActingMaster: core.ActingMasterOff,
		Content: func() (core.Content, error) {
			return core.Content{DataVersion: core.DataVersion{Timestamp: 1767323045000, Counter: version}, Topics: list}, nil
		},
	}
}

func TestTopicBudgets(t *testing.T) {
	s, m, _ := newMetered(t)
	r := newRegistry(s)
	ctx := t.Context()
	now := began
	register := func(version int64, list []core.Topic) func() error {
		return func() error {
			_, err := r.Register(ctx, now, registration("broker-a", version, list))
			return err
		}
	}
	all := topics(10_000)
	m.measure(t, "first registration of 10,000 topics", 10_400, anyUnits, register(1, all))
	now = now.Add(time.Second)
	m.measure(t, "the same registration again", 1, 0, register(1, all))
	all[4321].Queues.Read++
	m.measure(t, "1 topic changed in a registration of 10,000", 14, 4, register(2, all))
	m.measure(t, "another DataVersion, nothing changed of 10,000", anyUnits, anyUnits, register(3, all))
	m.measure(t, "wipe write permission", 5, anyUnits, func() error {
		_, _, err := r.WipeWrite(ctx, now, "broker-a")
		return err
	})
	m.measure(t, "add write permission", 5, anyUnits, func() error {
		_, _, err := r.AddWrite(ctx, now, "broker-a")
		return err
	})
	m.measure(t, "delete a topic", 12, anyUnits, func() error { return second(r.DeleteTopic(ctx, now, all[77].Name, "")) })
	leave := func() error {
		return second(r.Unregister(ctx, now, core.Departure{Cluster: "production-cluster", Broker: "broker-a", Addr: "10.20.30.40:10911"}))
	}
	m.measure(t, "the broker leaves", anyUnits, anyUnits, leave)
	now = now.Add(time.Minute)
	all = append(all[:77:77], all[78:]...)
	m.measure(t, "restart with the same topics within the grace time", 7, anyUnits, register(4, all))
	// As a gateway's, without the light heartbeat that a direct one begins with.
	must(t, leave())
	now = now.Add(time.Minute)
	must(t, r.OpenSession(ctx, now, core.Session{ID: "gateway"}))
	m.measure(t, "restart with 2 topics gone meanwhile", 7+2*2, anyUnits, func() error {
		reg := registration("broker-a", 5, all[:len(all)-2])
		reg.Session = "gateway"
		return second(r.Register(ctx, now, reg))
	})
}

func TestWriteTopicsJudgesByTheManifest(t *testing.T) {
	s, m, _ := newMetered(t)
	ctx := t.Context()
	all := topics(10_000)
	g, err := s.PutGroup(ctx, core.Group{Name: "b", Cluster: "c", Writer: core.Writer{ID: "w", Until: time.Now().Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, replace := range []bool{true, false} {
		w := core.TopicWrite{Broker: g.Name, Writer: "w", Put: all, Replace: replace}
		if _, err := s.WriteTopics(ctx, w); err != nil {
			t.Fatal(err)
		}
		m.measure(t, fmt.Sprintf("10,000 unchanged topics with their group, replacing: %v", replace), 0, 4, func() error {
			if _, err := s.Group(ctx, g.Name); err != nil {
				return err
			}
			_, err := s.WriteTopics(ctx, w)
			return err
		})
	}
}

func TestHeartbeatBudgets(t *testing.T) {
	s, m, _ := newMetered(t)
	r := newRegistry(s)
	ctx := t.Context()
	now := began
	must(t, second(r.Register(ctx, now, registration("broker-a", 1, topics(10)))))
	m.measure(t, "direct heartbeat", 1, 0, func() error {
		_, err := r.Beat(ctx, now.Add(time.Second), core.Beat{Cluster: "production-cluster", Broker: "broker-a", HasID: true, Addr: "10.20.30.40:10911"})
		return err
	})
	m.measure(t, "direct heartbeat with an unchanged body", 1, 0, func() error {
		return second(r.Register(ctx, now.Add(2*time.Second), registration("broker-a", 1, nil)))
	})
	for _, id := range []string{"s1", "s2"} {
		must(t, r.OpenSession(ctx, now, core.Session{ID: id + rand.Text(), Gateway: "gateway", Owner: "arn:aws:sts::123456789012:assumed-role/shim/host"}))
	}
	must(t, r.OpenSession(ctx, now, core.Session{ID: "s3", Owner: "o"}))
	m.measure(t, "session beat, answered with the revision", 1, sessionBeatReads, func() error {
		return second(r.BeatSession(ctx, now.Add(time.Second), "s3", "o", 1))
	})
	m.measure(t, "unchanged broker through a new session", 1, anyUnits, func() error {
		reg := registration("broker-a", 1, nil)
		reg.Session = "s3"
		return second(r.Register(ctx, now.Add(2*time.Second), reg))
	})
}

// sessionBeatReads is 0.5 once the registry asks for sessions where it judges
// by them.
const sessionBeatReads = 1

func TestRouteBudgets(t *testing.T) {
	s, m, table := newMetered(t)
	ctx := t.Context()
	writer := newRegistry(dynamo.New(config, table))
	shared := topics(1)
	for n := range 16 {
		reg := registration(fmt.Sprintf("broker-%02d", n), 1, append(shared, topics(20)[1:]...))
		reg.Addr = fmt.Sprintf("10.20.30.%d:10911", n)
		must(t, second(writer.Register(ctx, began, reg)))
	}
	for range 150 { // as in service, the log does not reach back to the beginning
		must(t, second(writer.PutKV(ctx, core.OrderNamespace, "none", "broker-00:4")))
	}
	r := newRegistry(s)
	route := func() error { return second(r.Route(ctx, began, shared[0].Name)) }
	m.measure(t, "route of a topic on 16 groups, cold", 21, 21, route)
	m.measure(t, "the same, nothing changed", 0, 1, route)
	reg := registration("broker-03", 2, []core.Topic{shared[0], {Name: "one-more"}})
	reg.Addr = "10.20.30.3:10911"
	must(t, second(writer.Register(ctx, began.Add(time.Second), reg)))
	m.measure(t, "the same, another topic changed", 0, 1, route)
}

func TestSweepBudget(t *testing.T) {
	s, m, table := newMetered(t)
	ctx := t.Context()
	filler := dynamo.New(config, table)
	for n := range 1000 {
		g := core.Group{Name: fmt.Sprintf("broker-%04d", n), Cluster: "production-cluster"}
		for id := range int64(2) {
			addr := fmt.Sprintf("10.20.%d.%d:10911", n/250, n%250+int(id))
			g.Replicas = append(g.Replicas, core.Replica{
				ID: id, Addr: addr, HAAddr: addr, Timeout: core.DefaultTimeout, Digest: 1<<63 + 1, Registered: began, Said: began,
				DataVersion: core.DataVersion{Timestamp: began.UnixMilli(), Counter: 12},
				Leases:      []core.Lease{{Session: sessionIDs[0], Said: began}, {Session: sessionIDs[1], Said: began}},
			})
		}
		must(t, second(filler.PutGroup(ctx, g)))
	}
	r := newRegistry(s)
	for _, id := range sessionIDs {
		must(t, r.OpenSession(ctx, began, core.Session{ID: id}))
	}
	m.measure(t, "sweep of 1,000 groups behind 2 gateways, cold", 0, 260, func() error { return second(r.Sweep(ctx, began.Add(time.Second))) })
}

var sessionIDs = []string{"2ZD6WS5QDOFG7XEKZ5ZPQMY6AA", "XO3UXV2AYBTXSSXQXKSJ5ZJVAB"}

// TestGroupItemSize measures the group that one write unit has to pay for.
func TestGroupItemSize(t *testing.T) {
	s, _, table := newMetered(t)
	ctx := t.Context()
	g := core.Group{
		Name: "broker-production-a", Cluster: "production-cluster", Said: began, Overridden: began, Deleted: began,
		Writer: core.Writer{ID: rand.Text(), Until: began},
	}
	for id := range int64(3) {
		addr := fmt.Sprintf("10.20.30.4%d:10911", id)
		r := core.Replica{
			ID: id, Addr: addr, HAAddr: fmt.Sprintf("10.20.30.4%d:10912", id), Zone: "zone-a", Timeout: core.DefaultTimeout, Digest: 1<<63 + 1,
			DataVersion: core.DataVersion{StateVersion: 3, Timestamp: began.UnixMilli(), Counter: 1234}, Registered: began, Said: began,
			Leases: []core.Lease{{Said: began}, {Session: sessionIDs[0], Said: began}, {Session: sessionIDs[1], Said: began}},
		}
		g.Replicas = append(g.Replicas, r)
	}
	for i := range 8 {
		g.Outbox = append(g.Outbox, core.Event{
			Kind: core.BrokerRegistered, Revision: core.Revision(123456 + i), At: began, Cluster: g.Cluster, Broker: g.Name,
			ID: int64(i % 3), Addr: g.Replicas[i%3].Addr, OldAddr: fmt.Sprintf("10.20.31.%d:10911", i),
		})
	}
	must(t, second(s.PutGroup(ctx, g)))
	client := awsdynamodb.NewFromConfig(config)
	out, err := client.Scan(ctx, &awsdynamodb.ScanInput{TableName: &table})
	if err != nil || len(out.Items) != 1 {
		t.Fatal(err, len(out.Items))
	}
	size := itemSize(out.Items[0])
	t.Logf("3 replicas, 3 leases each, 8 events: %d bytes", size)
	if size > 1024 {
		t.Errorf("the group takes %d bytes, a write unit pays for 1024", size)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }
