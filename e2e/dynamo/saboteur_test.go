//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"signpost/internal/dynamo"
)

var errCrashed = errors.New("the process is dead")

// saboteur stands between one process's store and DynamoDB. Its zero value
// lets everything pass.
type saboteur struct {
	crash   int            // at which call the process dies; 0 is never
	late    bool           // only once that call was carried out
	between func(call int) // runs after each call
	rate    float64        // how many attempts fail, and batches are left half done

	mu    sync.Mutex
	calls int
	dead  bool
}

func (f *saboteur) install(o *awsdynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		if err := s.Initialize.Add(middleware.InitializeMiddlewareFunc("saboteur", f.call), middleware.Before); err != nil {
			return err
		}
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("saboteur", f.attempt), "Retry", middleware.After)
	})
}

func (f *saboteur) call(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	f.mu.Lock()
	f.calls++
	n := f.calls
	f.dead = f.dead || n == f.crash && !f.late
	dead := f.dead
	f.mu.Unlock()
	if dead {
		return out, metadata, errCrashed
	}
	out, metadata, err = f.batch(ctx, in, next)
	f.mu.Lock()
	f.dead = f.dead || n == f.crash
	dead = f.dead
	f.mu.Unlock()
	if dead {
		return middleware.InitializeOutput{}, metadata, errCrashed
	}
	if f.between != nil {
		f.between(n)
	}
	return out, metadata, err
}

// batch leaves parts of batches undone, as DynamoDB does when it throttles.
func (f *saboteur) batch(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if rand.Float64() >= f.rate {
		return next.HandleInitialize(ctx, in)
	}
	switch p := in.Parameters.(type) {
	case *awsdynamodb.BatchWriteItemInput:
		for table, writes := range p.RequestItems {
			done := rand.IntN(len(writes)) + 1
			in.Parameters = &awsdynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes[:done]}}
			out, metadata, err := next.HandleInitialize(ctx, in)
			if err == nil && done < len(writes) {
				out.Result.(*awsdynamodb.BatchWriteItemOutput).UnprocessedItems = map[string][]types.WriteRequest{table: writes[done:]}
			}
			return out, metadata, err
		}
	case *awsdynamodb.BatchGetItemInput:
		for table, ask := range p.RequestItems {
			done := rand.IntN(len(ask.Keys)) + 1
			first, rest := ask, ask
			first.Keys, rest.Keys = ask.Keys[:done], ask.Keys[done:]
			in.Parameters = &awsdynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: first}}
			out, metadata, err := next.HandleInitialize(ctx, in)
			if err == nil && len(rest.Keys) > 0 {
				out.Result.(*awsdynamodb.BatchGetItemOutput).UnprocessedKeys = map[string]types.KeysAndAttributes{table: rest}
			}
			return out, metadata, err
		}
	}
	return next.HandleInitialize(ctx, in)
}

// attempt lets single attempts fail: refused before anything happened, or
// carried out with the answer lost.
func (f *saboteur) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	if rand.Float64() >= f.rate {
		return next.HandleFinalize(ctx, in)
	}
	switch rand.IntN(3) {
	case 0:
		return out, metadata, &smithy.GenericAPIError{Code: "ThrottlingException", Message: "injected"}
	case 1:
		return out, metadata, &smithy.GenericAPIError{Code: "InternalServerError", Message: "injected", Fault: smithy.FaultServer}
	default:
		_, metadata, _ = next.HandleFinalize(ctx, in)
		return out, metadata, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
}

// timeless takes the Date off answers: it is not of the test's clock.
type timeless struct{ awsdynamodb.HTTPClient }

func (c timeless) Do(r *http.Request) (*http.Response, error) {
	res, err := c.HTTPClient.Do(r)
	if res != nil {
		res.Header.Del("Date")
	}
	return res, err
}

// world is one table, used by processes that share a clock.
type world struct {
	table string
	mu    sync.Mutex
	now   time.Time
}

func newWorld(t *testing.T) *world { return &world{table: newTable(t), now: began} }

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass until that moment.
func (w *world) pass(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.now) {
		w.now = until
	}
}

// process returns the store of another process.
func (w *world) process(f *saboteur) *dynamo.Store {
	return dynamo.New(config, w.table, dynamo.WithClock(w.time), dynamo.WithClient(f.install), dynamo.WithClient(func(o *awsdynamodb.Options) {
		o.HTTPClient = timeless{o.HTTPClient}
	}))
}
