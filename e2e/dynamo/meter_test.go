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

	"signpost/infra/cost"
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
		m.add(in.Parameters, out.Result)
	}
	return out, metadata, err
}

// add counts what an answer tells. DynamoDB Local takes nothing for what is not
// there; DynamoDB takes the least that a read costs.
func (m *meter) add(asked, result any) {
	switch r := result.(type) {
	case *awsdynamodb.GetItemOutput:
		m.count("get", false, max(*r.ConsumedCapacity.CapacityUnits, leastRead(asked.(*awsdynamodb.GetItemInput).ConsistentRead)))
	case *awsdynamodb.QueryOutput:
		m.count("query", false, max(*r.ConsumedCapacity.CapacityUnits, leastRead(asked.(*awsdynamodb.QueryInput).ConsistentRead)))
	case *awsdynamodb.BatchGetItemOutput:
		least := 0.0
		for _, ask := range asked.(*awsdynamodb.BatchGetItemInput).RequestItems {
			least = float64(len(ask.Keys)) * leastRead(ask.ConsistentRead)
		}
		m.count("batch get", false, max(*r.ConsumedCapacity[0].CapacityUnits, least))
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

func leastRead(consistent *bool) float64 {
	if consistent != nil && *consistent {
		return 1
	}
	return 0.5
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

// metered is a store on a new table that tells what its calls consume.
type metered struct {
	*dynamo.Store
	*world
	meter
	measured map[string]bool // names of operations
}

// newMetered returns one whose clock is the world's.
func newMetered(t *testing.T, opts ...dynamo.Option) *metered {
	m := &metered{world: newWorld(t), measured: map[string]bool{}}
	m.Store = dynamo.New(config, m.table, append(opts, dynamo.WithClock(m.time), dynamo.WithClient(m.install),
		dynamo.WithClient(func(o *awsdynamodb.Options) { o.HTTPClient = connections }))...)
	return m
}

// measure runs do and fails if it consumes more than the operation is reckoned
// with.
func (m *metered) measure(t *testing.T, op cost.Operation, do func() error) {
	t.Helper()
	m.measured[op.Name] = true
	m.measureUnits(t, op.Name, op.Takes, do)
}

func (m *metered) measureUnits(t *testing.T, what string, takes cost.Units, do func() error) {
	t.Helper()
	m.meter.reset()
	if err := do(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	t.Logf("%-55s %8.1f of %8.1f write, %6.1f of %6.1f read units, %d calls", what, m.writes, takes.Write, m.reads, takes.Read, len(m.calls))
	if m.writes > takes.Write || m.reads > takes.Read {
		t.Errorf("%s: %.1f write and %.1f read units, not %.1f and %.1f:\n%q", what, m.writes, m.reads, takes.Write, takes.Read, m.calls[:min(len(m.calls), 60)])
	}
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes, m.reads, m.calls = 0, 0, nil
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
