package function_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"signpost/core"
	"signpost/internal/function"
	"signpost/internal/memory"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// table is a store in memory with a clock that is set by hand.
type table struct {
	*memory.Store
	mu    sync.Mutex
	time  time.Time
	skew  error
	units float64
}

func (s *table) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time
}

func (s *table) step(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = s.time.Add(d)
}

func (s *table) CheckClock() error       { return s.skew }
func (s *table) PartitionUnits() float64 { return s.units }

// box is a Sink that keeps what it accepts.
type box struct {
	mu     sync.Mutex
	events []core.Event
	err    error
}

func (b *box) Publish(_ context.Context, events []core.Event) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	b.events = append(b.events, events...)
	return len(events), nil
}

func (b *box) kinds() (kinds []core.EventKind) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// instance is a function over a table in memory, with what it writes.
type instance struct {
	*function.Function
	table *table
	box   *box
	out   *bytes.Buffer
}

func newInstance(t *testing.T, env map[string]string) *instance {
	t.Helper()
	s, err := function.ReadSettings(func(name string) string {
		if v, ok := env[name]; ok {
			return v
		}
		return map[string]string{"TABLE_NAME": "t", "EVENT_BUS_NAME": "b", "STACK_NAME": "the-stack"}[name]
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{table: &table{Store: memory.New(), time: epoch}, box: &box{}, out: &bytes.Buffer{}}
	i.Function = &function.Function{
		Settings: s, Store: i.table, Sink: i.box, Log: function.NewLog(i.out, slog.LevelInfo), Metrics: function.NewMetrics(i.out, s.Stack),
	}
	return i
}

// lines returns what was written so far, and forgets it.
func (i *instance) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	for b := range bytes.Lines(i.out.Bytes()) {
		var line map[string]any
		if err := json.Unmarshal(b, &line); err != nil {
			t.Fatalf("%q is no JSON: %v", b, err)
		}
		lines = append(lines, line)
	}
	i.out.Reset()
	return lines
}

const roleSession = "arn:aws:sts::111122223333:assumed-role/shims/shim-1"

// event is a call as API Gateway hands it over, signed by a role's session.
func event(method, path, query, body string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: path, RawQueryString: query, Body: body, Headers: map[string]string{"content-type": "application/json"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: "abc.execute-api.eu-central-1.amazonaws.com", HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path},
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
				IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: roleSession},
			},
		},
	}
}

const registration = `{"clusterName":"c","brokerName":"broker-a","brokerId":0,"brokerAddr":"10.0.0.1:10911",
	"dataVersion":{"stateVersion":0,"timestamp":1,"counter":1},
	"topicConfigTable":{"%RETRY%group":{"topicName":"%RETRY%group","readQueueNums":1,"writeQueueNums":1,"perm":6}}}`

func register() events.APIGatewayV2HTTPRequest {
	return event("PUT", "/v1/register/broker", "", registration)
}

type handler interface {
	Handle(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)
}

// call hands an event to a function and wants that status.
func call(t *testing.T, h handler, e events.APIGatewayV2HTTPRequest, status int) events.APIGatewayV2HTTPResponse {
	t.Helper()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	out, err := h.Handle(ctx, e)
	if err != nil {
		t.Fatalf("%s %s: %v", e.RequestContext.HTTP.Method, e.RawPath, err)
	}
	if out.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", e.RequestContext.HTTP.Method, e.RawPath, out.StatusCode, out.Body, status)
	}
	return out
}
