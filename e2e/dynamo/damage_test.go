//go:build e2e

package dynamo_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// TestDamagedSet takes chunks away, or puts them back to what they were, as a
// write would do that arrives long after it was given up. The set stays
// readable, and the broker's next registration mends it.
func TestDamagedSet(t *testing.T) {
	const before, after = 150, 600 // two chunks, and eight
	client := awsdynamodb.NewFromConfig(config)
	damages := []struct {
		name string
		do   func(t *testing.T, table string, was []map[string]types.AttributeValue)
	}{
		{"chunks are gone", func(t *testing.T, table string, was []map[string]types.AttributeValue) {
			for _, it := range was {
				must(t, second(client.DeleteItem(t.Context(), &awsdynamodb.DeleteItemInput{
					TableName: &table, Key: map[string]types.AttributeValue{"pk": it["pk"], "sk": it["sk"]},
				})))
			}
		}},
		{"chunks are what they were", func(t *testing.T, table string, was []map[string]types.AttributeValue) {
			for _, it := range was {
				must(t, second(client.PutItem(t.Context(), &awsdynamodb.PutItemInput{TableName: &table, Item: it})))
			}
		}},
	}
	for _, damage := range damages {
		for _, n := range []int{before, after} {
			t.Run(fmt.Sprintf("%s, %d topics after it", damage.name, n), func(t *testing.T) {
				w := newWorld(t)
				s := w.healthy()
				r := newRegistry(s)
				list := manyTopics(before)
				must(t, second(r.Register(t.Context(), began, registration("b", 1, list))))
				out, err := client.Query(t.Context(), &awsdynamodb.QueryInput{
					TableName: &w.table, KeyConditionExpression: aws.String("pk = :p AND begins_with(sk, :c)"),
					ExpressionAttributeValues: map[string]types.AttributeValue{
						":p": &types.AttributeValueMemberS{Value: "T#b"}, ":c": &types.AttributeValueMemberS{Value: "chunk#"},
					},
				})
				must(t, err)
				if len(out.Items) != 2 {
					t.Fatalf("%d chunks", len(out.Items))
				}
				for i := range list {
					list[i].Queues.Read++
				}
				must(t, second(r.Register(t.Context(), began, registration("b", 2, list))))
				damage.do(t, w.table, out.Items)
				if _, err := s.TopicSet(t.Context(), "b"); err != nil {
					t.Error("the set cannot be read:", err)
				}
				list = manyTopics(n)
				for i := range list {
					list[i].Queues.Write += 2
				}
				must(t, second(r.Register(t.Context(), began, registration("b", 3, list))))
				var want []string
				for _, topic := range list {
					want = append(want, topic.Name)
				}
				slices.Sort(want)
				set, err := s.TopicSet(t.Context(), "b")
				must(t, err)
				if !slices.EqualFunc(set, want, func(f core.TopicFlag, name string) bool { return f.Name == name }) {
					t.Errorf("the set has %d topics, not the %d", len(set), n)
				}
				for _, topic := range list[:20] {
					rows, err := s.Rows(t.Context(), topic.Name)
					must(t, err)
					if len(rows) != 1 || !rows[0].Equal(topic) {
						t.Errorf("%s is %+v", topic.Name, rows)
					}
				}
				if changed, err := s.WriteTopics(t.Context(), core.TopicWrite{Broker: "b", Put: list}); err != nil || len(changed) > 0 {
					t.Errorf("repeated, it changed %v, %v", changed, err)
				}
			})
		}
	}
}
