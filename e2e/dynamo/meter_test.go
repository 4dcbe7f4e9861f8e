//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"signpost/internal/dynamo"
)

// meter adds up what calls consume, by ReturnConsumedCapacity.
type meter struct {
	mu            sync.Mutex
	writes, reads float64
	calls         []string
}

// install makes every call of a client count.
func (m *meter) install(o *awsdynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("meter", m.handle), middleware.Before)
	})
}

func (m *meter) handle(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if f := reflect.ValueOf(in.Parameters).Elem().FieldByName("ReturnConsumedCapacity"); f.IsValid() {
		f.SetString(string(types.ReturnConsumedCapacityTotal))
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	var refused *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &refused): // costs as much as a write, and says nothing
		m.count(fmt.Sprintf("%T refused", in.Parameters), true, math.Ceil(float64(max(itemSize(refused.Item), 1))/1024))
	case err == nil:
		m.add(out.Result)
	}
	return out, metadata, err
}

func (m *meter) add(result any) {
	switch r := result.(type) {
	case *awsdynamodb.GetItemOutput:
		m.count("get", false, *r.ConsumedCapacity.CapacityUnits)
	case *awsdynamodb.QueryOutput:
		m.count("query", false, *r.ConsumedCapacity.CapacityUnits)
	case *awsdynamodb.BatchGetItemOutput:
		m.count("batch get", false, *r.ConsumedCapacity[0].CapacityUnits)
	case *awsdynamodb.UpdateItemOutput:
		m.count("update", true, *r.ConsumedCapacity.CapacityUnits)
	case *awsdynamodb.DeleteItemOutput:
		m.count("delete", true, *r.ConsumedCapacity.CapacityUnits)
	case *awsdynamodb.BatchWriteItemOutput:
		m.count("batch write", true, *r.ConsumedCapacity[0].CapacityUnits)
	default:
		panic(fmt.Sprintf("what does a %T cost?", result))
	}
}

func (m *meter) count(call string, write bool, units float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if write {
		m.writes += units
	} else {
		m.reads += units
	}
	m.calls = append(m.calls, fmt.Sprintf("%s %.1f", call, units))
}

// measure runs do and fails if it consumes more than the budget.
func (m *meter) measure(t *testing.T, what string, writes, reads float64, do func() error) {
	t.Helper()
	m.mu.Lock()
	m.writes, m.reads, m.calls = 0, 0, nil
	m.mu.Unlock()
	if err := do(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%-60s %8.1f of %8.1f write, %6.1f of %6.1f read units, %d calls", what, m.writes, writes, m.reads, reads, len(m.calls))
	if m.writes > writes || m.reads > reads {
		t.Errorf("%s: %.1f write and %.1f read units, the budget is %.1f and %.1f:\n%q", what, m.writes, m.reads, writes, reads, m.calls[:min(len(m.calls), 60)])
	}
}

// itemSize is what DynamoDB counts as an item's size, in bytes.
func itemSize(it map[string]types.AttributeValue) int {
	n := 0
	for name, v := range it {
		n += len(name) + valueSize(v)
	}
	return n
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 2
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + itemSize(v.Value)
	case *types.AttributeValueMemberL:
		n := 3
		for _, e := range v.Value {
			n += 1 + valueSize(e)
		}
		return n
	default:
		panic(fmt.Sprintf("how long is a %T?", v))
	}
}

// newMetered returns a store on a new table, and what its calls consume.
func newMetered(t *testing.T) (*dynamo.Store, *meter, string) {
	m, table := &meter{}, newTable(t)
	return dynamo.New(config, table, dynamo.WithClient(m.install)), m, table
}
