package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"signpost/core"
)

// How calls are tried again. The SDK's own values (no limit for an attempt,
// back-off up to 20 s) do not fit callers that give up after 3 s.
const (
	attemptTimeout = time.Second
	maxBackoff     = 200 * time.Millisecond
	maxAttempts    = 5
)

// newClient returns a client for cfg, with the retries of this package and its
// clock in every call.
func newClient(cfg aws.Config, c *clock, optFns []func(*dynamodb.Options)) *dynamodb.Client {
	own := func(o *dynamodb.Options) {
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(attemptTimeout)
		o.RetryMaxAttempts = 0
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = maxAttempts
			r.MaxBackoff = maxBackoff
			r.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return backoff(attempt), nil })
			// The SDK's own limit on retries counts over all callers: one
			// throttled upload would take the retries of every heartbeat.
			r.RateLimiter = ratelimit.None
		})
		failures := failures{o.Retryer}
		o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
			return errors.Join(s.Deserialize.Add(c, middleware.After), s.Initialize.Add(failures, middleware.Before))
		})
	}
	return dynamodb.NewFromConfig(cfg, append([]func(*dynamodb.Options){own}, optFns...)...)
}

// failures tells what DynamoDB refuses from what it cannot do now, by what is
// worth an attempt more: throttling, failures of its own, connections that
// fail, and a context's deadline.
type failures struct{ aws.Retryer }

// ID names it among the SDK's middleware.
func (failures) ID() string { return "signpost/failures" }

// HandleInitialize sees what is left of a call after its last attempt.
func (f failures) HandleInitialize(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleInitialize(ctx, in)
	if err != nil && (errors.Is(err, context.DeadlineExceeded) || f.IsErrorRetryable(err)) {
		err = fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
	return out, metadata, err
}

// backoff is how long to wait after the given attempt, from 1 on: anything
// from half of a bound that doubles up to maxBackoff.
func backoff(attempt int) time.Duration {
	bound := min(maxBackoff, 25*time.Millisecond<<min(max(attempt, 1)-1, 10))
	return bound/2 + time.Duration(random()%uint64(bound/2+1))
}

// pause waits for the back-off after the given attempt, or until ctx ends.
func pause(ctx context.Context, attempt int) error {
	t := time.NewTimer(backoff(attempt))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ended(ctx)
	case <-t.C:
		return nil
	}
}

// ended is the error of a wait that ctx cut short.
func ended(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
	return err
}

// refused returns the item as it is if err says that the condition of a write
// did not hold; the item is empty if there is none.
func refused(err error) (item, bool) {
	var e *types.ConditionalCheckFailedException
	if !errors.As(err, &e) {
		return nil, false
	}
	return e.Item, true
}
