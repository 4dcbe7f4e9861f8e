package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// clock is this machine's, corrected by what DynamoDB's answers prove of it:
// leases are stamped and judged by many functions, and no two of them may
// disagree by much.
//
// The Date of an answer has whole seconds only. So it proves no more than that
// the offset is in a range: the answer was made between sending and receiving,
// and Date is that moment cut to the second. The offset stays what it was while
// it is in the range, and moves to the range's nearer end otherwise. A clock
// that is right is never touched, and ranges of many answers leave little more
// than the time of a round trip.
type clock struct {
	now func() time.Time

	mu     sync.Mutex
	offset time.Duration
}

// Skew is how far DynamoDB's clock is known to be ahead of this machine's, or
// behind it if negative.
func (c *clock) Skew() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// Now is the corrected time, to the millisecond that is stored.
func (c *clock) Now() time.Time { return c.now().Add(c.Skew()).Truncate(time.Millisecond) }

// maxSkew bounds what an answer may correct. A date beyond it is not DynamoDB's.
const maxSkew = 365 * 24 * time.Hour

// learn takes in the Date of an answer to a request of between sent and received.
func (c *clock) learn(sent, received, date time.Time) {
	low, high := date.Sub(received), date.Add(time.Second).Sub(sent)
	if received.Before(sent) || low.Abs() > maxSkew || high.Abs() > maxSkew {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = min(max(c.offset, low), high)
}

// MaxSkew is how wrong this machine's clock may be for a sweep (rule 11): what
// it evicts is gone for everybody, on the word of one clock.
const MaxSkew = 2 * time.Second

// ErrSkew says that this machine's clock is wrong by more than MaxSkew.
var ErrSkew = errors.New("this machine's clock is wrong")

// CheckClock returns ErrSkew if what DynamoDB's answers so far prove of this
// machine's clock forbids to sweep. Make a call first, Ping for one.
func (s *Store) CheckClock() error {
	if skew := s.Skew(); skew.Abs() > MaxSkew {
		return fmt.Errorf("%w by %v", ErrSkew, -skew)
	}
	return nil
}

// ID names the clock among the SDK's middleware.
func (c *clock) ID() string { return "signpost/clock" }

// HandleDeserialize sees every attempt's answer.
func (c *clock) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	sent := c.now()
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if res, ok := out.RawResponse.(*smithyhttp.Response); ok && res != nil && res.Response != nil {
		if date, bad := http.ParseTime(res.Header.Get("Date")); bad == nil {
			c.learn(sent, c.now(), date)
		}
	}
	return out, metadata, err
}
