package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"signpost/core"
)

// Source is the Source of every event.
const Source = "signpost"

// What one PutEvents takes (AWS: PutEvents quotas).
const (
	maxEntries = 10
	maxBytes   = 256 << 10
	timeBytes  = 14 // what an entry's Time counts for
)

// rest is for how long no call is made after one that failed. Events wait in
// their outboxes anyway, and a sweep of a thousand groups cannot wait a
// thousand times for a bus that is silent.
const rest = 5 * time.Second

// ErrResting is the error of what comes meanwhile.
var ErrResting = errors.New("not asked again yet after a failure")

// Client is the one call of EventBridge that is made here.
type Client interface {
	PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, optFns ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Sink puts events on one bus. It is safe for concurrent use.
type Sink struct {
	client Client
	bus    string
	now    func() time.Time
	failed atomic.Pointer[time.Time] // when a call failed last
}

var _ core.Sink = (*Sink)(nil)

// New returns a Sink for the bus of that name or ARN. It makes no call.
func New(client Client, bus string) *Sink { return &Sink{client: client, bus: bus, now: time.Now} }

// Publish puts the events on the bus, oldest first, and returns how many of
// them, from the first on, the bus has accepted. What was accepted behind one
// that was not comes again, under the same id.
func (s *Sink) Publish(ctx context.Context, events []core.Event) (accepted int, err error) {
	entries := make([]types.PutEventsRequestEntry, len(events))
	for i, e := range events {
		if entries[i], err = s.entry(e); err != nil {
			return 0, err
		}
	}
	for accepted < len(entries) {
		batch := head(entries[accepted:])
		n, err := s.put(ctx, batch)
		accepted += n
		if err != nil {
			return accepted, fmt.Errorf("put events on %s: %w", s.bus, err)
		}
	}
	return accepted, nil
}

// put makes one call and returns how many entries, from the first on, it took.
func (s *Sink) put(ctx context.Context, batch []types.PutEventsRequestEntry) (int, error) {
	if failed := s.failed.Load(); failed != nil && s.now().Sub(*failed) < rest {
		return 0, ErrResting
	}
	out, err := s.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: batch})
	if err == nil {
		return taken(batch, out)
	}
	if ctx.Err() == nil { // it is the bus that ended it
		now := s.now()
		s.failed.Store(&now)
	}
	return 0, err
}

func (s *Sink) entry(e core.Event) (types.PutEventsRequestEntry, error) {
	d, err := encode(e)
	if err != nil {
		return types.PutEventsRequestEntry{}, err
	}
	return types.PutEventsRequestEntry{
		EventBusName: &s.bus, Source: aws.String(Source), DetailType: aws.String(string(e.Kind)),
		Detail: aws.String(string(d)), Time: moment(e.At),
	}, nil
}

// head returns as many entries as one call takes, one at least.
func head(entries []types.PutEventsRequestEntry) []types.PutEventsRequestEntry {
	size := 0
	for i, e := range entries {
		size += timeBytes + len(*e.Source) + len(*e.DetailType) + len(*e.Detail)
		if i == maxEntries || i > 0 && size > maxBytes {
			return entries[:i]
		}
	}
	return entries
}

// taken returns how many entries, from the first on, an answer accepts. An
// answer of 200 may refuse some.
func taken(batch []types.PutEventsRequestEntry, out *eventbridge.PutEventsOutput) (int, error) {
	if len(out.Entries) != len(batch) {
		return 0, fmt.Errorf("%d entries answered for %d", len(out.Entries), len(batch))
	}
	for i, e := range out.Entries {
		if aws.ToString(e.ErrorCode) != "" || aws.ToString(e.EventId) == "" {
			return i, errors.New("entry refused: " + aws.ToString(e.ErrorCode) + " " + aws.ToString(e.ErrorMessage))
		}
	}
	return len(batch), nil
}
