//go:build e2e

package dynamo_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
	"signpost/internal/dynamo"
)

// TestUnknownAttributesStay lets a later release add an attribute to every
// item that is updated in place; this one then works on them and keeps it.
func TestUnknownAttributesStay(t *testing.T) {
	table := newTable(t)
	s := dynamo.New(config, table)
	ctx := t.Context()
	client := awsdynamodb.NewFromConfig(config)
	now := time.Now().Truncate(time.Millisecond)
	reg := registration("b", 1, manyTopics(3))
	r := newRegistry(s)
	must(t, second(r.Register(ctx, now, reg)))
	must(t, r.OpenSession(ctx, now, core.Session{ID: "s", Owner: "o"}))
	must(t, second(r.PutKV(ctx, "ns", "k", "v")))
	scan := func() []map[string]types.AttributeValue {
		out, err := client.Scan(ctx, &awsdynamodb.ScanInput{TableName: &table})
		must(t, err)
		return out.Items
	}
	key := func(it map[string]types.AttributeValue) string {
		return it["pk"].(*types.AttributeValueMemberS).Value + " " + it["sk"].(*types.AttributeValueMemberS).Value
	}
	for _, it := range scan() {
		if _, ok := it["f"]; !ok {
			t.Errorf("%s has no format", key(it))
		}
		must(t, second(client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{
			TableName: &table, Key: map[string]types.AttributeValue{"pk": it["pk"], "sk": it["sk"]},
			UpdateExpression:          aws.String("SET later = :l"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":l": &types.AttributeValueMemberS{Value: "kept"}},
		})))
	}
	later := now.Add(time.Second)
	more := manyTopics(4)
	must(t, second(r.Beat(ctx, later, core.Beat{Cluster: "production-cluster", Broker: "b", HasID: true, Addr: "10.20.30.40:10911"})))
	must(t, second(r.Register(ctx, later, registration("b", 2, more))))
	must(t, second(r.BeatSession(ctx, later, "s", "o", 0)))
	must(t, second(r.PutKV(ctx, "ns", "k", "w")))
	must(t, second(r.Route(ctx, later, more[3].Name)))
	kept := map[string]bool{}
	for _, it := range scan() {
		if _, ok := it["later"]; ok {
			kept[key(it)] = true
		}
	}
	for _, want := range []string{"G#5 b", "V rev", "V s#s", "T#b manifest", "K#ns k"} {
		if !kept[want] {
			t.Errorf("%s has lost what it does not know; kept are %v", want, kept)
		}
	}
}

// TestExpiry looks at which items may go by themselves: sessions, the memory
// of their ids, and groups without a replica.
func TestExpiry(t *testing.T) {
	table := newTable(t)
	s := dynamo.New(config, table)
	ctx := t.Context()
	client := awsdynamodb.NewFromConfig(config)
	expiring := func() map[string]bool {
		out, err := client.Scan(ctx, &awsdynamodb.ScanInput{TableName: &table, FilterExpression: aws.String("attribute_exists(e)")})
		must(t, err)
		found := map[string]bool{}
		for _, it := range out.Items {
			found[it["pk"].(*types.AttributeValueMemberS).Value[:1]] = true
		}
		return found
	}
	r := newRegistry(s)
	now := time.Now()
	must(t, second(r.Register(ctx, now, registration("b", 1, manyTopics(3)))))
	if found := expiring(); len(found) > 0 {
		t.Errorf("a living broker's items go by themselves: %v", found)
	}
	must(t, r.OpenSession(ctx, now, core.Session{ID: "s"}))
	leave := core.Departure{Cluster: "production-cluster", Broker: "b", Addr: "10.20.30.40:10911"}
	must(t, second(r.Unregister(ctx, now, leave)))
	if found := expiring(); !found["G"] || !found["V"] || !found["S"] || len(found) != 3 {
		t.Errorf("what goes by itself: %v", found)
	}
	must(t, second(r.Register(ctx, now.Add(time.Second), registration("b", 1, manyTopics(3)))))
	if found := expiring(); found["G"] {
		t.Error("a broker that is back goes by itself")
	}
}

// TestGroupItemSize measures the group that one write unit has to pay for: of
// brokers behind three gateways, or heard by two fronts and a gateway.
func TestGroupItemSize(t *testing.T) {
	for name, leases := range map[string][]core.Lease{
		"three gateways": {{Session: sessionIDs[0], Said: began}, {Session: sessionIDs[1], Said: began}, {Session: sessionIDs[2], Said: began}},
		"fronts":         {{Front: "https", Said: began}, {Front: "tcp-" + sessionIDs[1], Said: began}, {Session: sessionIDs[0], Said: began}},
	} {
		s := newScene(t, nil)
		g := core.Group{
			Name: "broker-production-a", Cluster: cluster, Said: began, Overridden: began, Deleted: began,
			Writer: core.Writer{ID: sessionIDs[0], Until: began},
		}
		for id := range int64(3) {
			addr := fmt.Sprintf("10.20.30.4%d:10911", id)
			g.Replicas = append(g.Replicas, core.Replica{
				ID: id, Addr: addr, HAAddr: fmt.Sprintf("10.20.30.4%d:10912", id), Zone: "zone-a", Timeout: core.DefaultTimeout, Digest: 1<<63 + 1,
				DataVersion: core.DataVersion{StateVersion: 3, Timestamp: began.UnixMilli(), Counter: 1234}, Registered: began, Said: began,
				Leases: leases,
			})
		}
		for i := range 8 {
			g.Outbox = append(g.Outbox, core.Event{
				Kind: core.BrokerRegistered, Revision: core.Revision(123456 + i), At: began, Cluster: g.Cluster, Broker: g.Name,
				ID: int64(i % 3), Addr: g.Replicas[i%3].Addr, OldAddr: fmt.Sprintf("10.20.31.%d:10911", i),
			})
		}
		must(t, second(s.healthy().PutGroup(t.Context(), g)))
		size := itemSize(s.items(t)[0])
		t.Logf("3 replicas, 3 leases each, 8 events, %s: %d bytes", name, size)
		if size > 1024 {
			t.Errorf("%s: the group takes %d bytes, a write unit pays for 1024", name, size)
		}
		s.close(t)
	}
}
