package eventbridge

import (
	"context"
	"errors"
	"fmt"

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

// Client is the one call of EventBridge that is made here.
type Client interface {
	PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, optFns ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Sink puts events on one bus. It is safe for concurrent use.
type Sink struct {
	client Client
	bus    string
}

var _ core.Sink = (*Sink)(nil)

// New returns a Sink for the bus of that name or ARN. It makes no call.
func New(client Client, bus string) *Sink { return &Sink{client: client, bus: bus} }

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
		out, err := s.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: batch})
		if err != nil {
			return accepted, fmt.Errorf("put events on %s: %w", s.bus, err)
		}
		n, err := taken(batch, out)
		accepted += n
		if err != nil {
			return accepted, fmt.Errorf("put events on %s: %w", s.bus, err)
		}
	}
	return accepted, nil
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
