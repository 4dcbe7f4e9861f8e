package eventbridge

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// How calls are tried again. An event that is not accepted waits in its outbox
// for the next writer or the sweeper, so a caller waits for little of it.
const (
	attemptTimeout = time.Second
	maxBackoff     = 200 * time.Millisecond
	maxAttempts    = 2
)

// NewClient returns a client whose calls end soon. It makes no call.
func NewClient(cfg aws.Config, optFns ...func(*eventbridge.Options)) *eventbridge.Client {
	own := func(o *eventbridge.Options) {
		o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(attemptTimeout)
		o.RetryMaxAttempts = 0
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = maxAttempts
			r.MaxBackoff = maxBackoff
			r.RateLimiter = ratelimit.None
		})
	}
	return eventbridge.NewFromConfig(cfg, append([]func(*eventbridge.Options){own}, optFns...)...)
}
