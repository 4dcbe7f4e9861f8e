package function

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/smithy-go/logging"

	"signpost/core"
	"signpost/internal/eventbridge"
)

// NewLog returns a log of JSON lines with the keys that Lambda filters and
// shows by (timestamp, level, message), and the request's id.
func NewLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(requestLog{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: lambdacontext.ReplaceAttr})})
}

type requestLog struct{ slog.Handler }

// Handle adds the request's id.
func (h requestLog) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the request's id in what is derived.
func (h requestLog) WithAttrs(a []slog.Attr) slog.Handler { return requestLog{h.Handler.WithAttrs(a)} }

// WithGroup keeps the request's id in what is derived.
func (h requestLog) WithGroup(name string) slog.Handler { return requestLog{h.Handler.WithGroup(name)} }

// sdkLog is where the AWS SDK logs. What it warns of is for who debugs: it does
// so at each conditional write that DynamoDB refuses, an everyday answer.
type sdkLog struct{ log *slog.Logger }

// Logf writes a line.
func (l sdkLog) Logf(c logging.Classification, format string, v ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("AWS SDK", "classification", string(c), "said", fmt.Sprintf(format, v...))
	}
}

// loggedSink writes a line for each state change that another Sink has accepted.
type loggedSink struct {
	core.Sink
	log *slog.Logger
}

func (s loggedSink) Publish(ctx context.Context, events []core.Event) (int, error) {
	n, err := s.Sink.Publish(ctx, events)
	for _, e := range events[:n] {
		s.log.InfoContext(ctx, string(e.Kind), "clusterName", e.Cluster, "brokerName", e.Broker, "brokerId", e.ID,
			"brokerAddr", e.Addr, "revision", e.Revision)
	}
	if err != nil && !errors.Is(err, eventbridge.ErrResting) { // they wait in their outbox
		s.log.WarnContext(ctx, "events wait", "count", len(events)-n, "error", err)
	}
	return n, err
}
