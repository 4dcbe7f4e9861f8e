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
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var errCrashed = errors.New("the process is dead")

// fault is what happens to one call of a process.
type fault int

const (
	none fault = iota
	dies       // once the call was carried out
	diesBefore
	unavailable // each of its attempts is throttled
	failsLate   // each of its attempts is carried out, and each answer lost
	losesAnswer // that of its first attempt, which was carried out
	stumbles    // its first attempts are throttled, fail and are refused a connection
	halfDone    // if it is a batch, half of it is left undone
)

func (f fault) String() string {
	return [...]string{"nothing", "dies", "dies before", "is unavailable", "fails late", "loses the answer", "does the half"}[f]
}

// saboteur stands between one process's store and DynamoDB. Its zero value
// lets everything pass.
type saboteur struct {
	at      int // the call that the fault happens to, from 1 on
	fault   fault
	between func(call int) // runs after each call
	rate    float64        // how many attempts fail at random, and batches are left half done

	mu    sync.Mutex
	calls int
	did   []string // their operations
	dead  bool
}

func (f *saboteur) install(o *awsdynamodb.Options) {
	o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, time.Millisecond)
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		if err := s.Initialize.Add(middleware.InitializeMiddlewareFunc("saboteur", f.call), middleware.Before); err != nil {
			return err
		}
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("saboteur", f.attempt), "Retry", middleware.After)
	})
}

// sabotage says what happens to all attempts of a call.
type sabotage struct {
	fault    fault
	attempts int
}

type sabotageKey struct{}

func (f *saboteur) call(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	f.mu.Lock()
	f.calls++
	n, what := f.calls, none
	if n == f.at {
		what = f.fault
	}
	f.did = append(f.did, awsmiddleware.GetOperationName(ctx))
	f.dead = f.dead || what == diesBefore
	dead := f.dead
	f.mu.Unlock()
	if dead {
		return out, metadata, errCrashed
	}
	ctx = context.WithValue(ctx, sabotageKey{}, &sabotage{fault: what})
	if what == halfDone || rand.Float64() < f.rate {
		out, metadata, err = halve(ctx, in, next)
	} else {
		out, metadata, err = next.HandleInitialize(ctx, in)
	}
	f.mu.Lock()
	f.dead = f.dead || what == dies
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

// halve leaves a part of a batch undone, as DynamoDB does when it throttles.
func halve(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
	switch p := in.Parameters.(type) {
	case *awsdynamodb.BatchWriteItemInput:
		for table, writes := range p.RequestItems {
			done := (len(writes) + 1) / 2
			in.Parameters = &awsdynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes[:done]}}
			out, metadata, err = next.HandleInitialize(ctx, in)
			if err == nil && done < len(writes) {
				out.Result.(*awsdynamodb.BatchWriteItemOutput).UnprocessedItems = map[string][]types.WriteRequest{table: writes[done:]}
			}
			return out, metadata, err
		}
	case *awsdynamodb.BatchGetItemInput:
		for table, ask := range p.RequestItems {
			done := (len(ask.Keys) + 1) / 2
			first, rest := ask, ask
			first.Keys, rest.Keys = ask.Keys[:done], ask.Keys[done:]
			in.Parameters = &awsdynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: first}}
			out, metadata, err = next.HandleInitialize(ctx, in)
			if err == nil && len(rest.Keys) > 0 {
				out.Result.(*awsdynamodb.BatchGetItemOutput).UnprocessedKeys = map[string]types.KeysAndAttributes{table: rest}
			}
			return out, metadata, err
		}
	}
	return next.HandleInitialize(ctx, in)
}

var (
	errThrottled = &smithy.GenericAPIError{Code: "ThrottlingException", Message: "injected"}
	errInternal  = &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusInternalServerError}},
		Err:      &smithy.GenericAPIError{Code: "InternalServerError", Message: "injected", Fault: smithy.FaultServer},
	}
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

// attempt lets single attempts fail: refused before anything happened, or
// carried out with the answer lost.
func (f *saboteur) attempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, metadata middleware.Metadata, err error) {
	s := ctx.Value(sabotageKey{}).(*sabotage)
	s.attempts++
	lost, failure := false, error(nil)
	switch {
	case s.fault == unavailable:
		failure = errThrottled
	case s.fault == failsLate, s.fault == losesAnswer && s.attempts == 1:
		lost = true
	case rand.Float64() < f.rate:
		n := rand.IntN(3)
		lost, failure = n == 2, []error{errThrottled, errInternal, nil}[n]
	}
	if failure != nil {
		return out, metadata, failure
	}
	out, metadata, err = next.HandleFinalize(ctx, in)
	if lost {
		return middleware.FinalizeOutput{}, metadata, errReset
	}
	return out, metadata, err
}
