//go:build e2e

package dynamo_test

import (
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
	reg := registration("b", 1, topics(3))
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
	more := topics(4)
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
	must(t, second(r.Register(ctx, now, registration("b", 1, topics(3)))))
	if found := expiring(); len(found) > 0 {
		t.Errorf("a living broker's items go by themselves: %v", found)
	}
	must(t, r.OpenSession(ctx, now, core.Session{ID: "s"}))
	leave := core.Departure{Cluster: "production-cluster", Broker: "b", Addr: "10.20.30.40:10911"}
	must(t, second(r.Unregister(ctx, now, leave)))
	if found := expiring(); !found["G"] || !found["V"] || !found["S"] || len(found) != 3 {
		t.Errorf("what goes by itself: %v", found)
	}
	must(t, second(r.Register(ctx, now.Add(time.Second), registration("b", 1, topics(3)))))
	if found := expiring(); found["G"] {
		t.Error("a broker that is back goes by itself")
	}
}
