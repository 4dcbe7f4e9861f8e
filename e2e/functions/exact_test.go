//go:build e2e

package functions_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"signpost/e2e/functions/stack"
	"signpost/e2e/gateway"
	"signpost/internal/dynamo"
	signpostbridge "signpost/internal/eventbridge"
	"signpost/internal/function"
)

// clock is one that everybody in a test goes by.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time    { return time.Unix(0, c.nanos.Load()) }
func (c *clock) set(now time.Time) { c.nanos.Store(now.UnixNano()) }

// TestExpiryToTheMillisecond takes the functions' handlers into this process,
// with a clock of the test's own, behind the same gateway and over the same
// table. A direct lease lasts 120 s, that moment included (rule 1).
func TestExpiryToTheMillisecond(t *testing.T) {
	s := start(t, nil) // for its table, its users and its bus
	var c clock
	began := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	c.set(began)
	s.DynamoDB.SetClock(c.now) // else the functions would take the clock for wrong
	instance := func(publishes bool) *function.Function {
		f := &function.Function{
			Settings: function.Settings{Table: s.Table}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Metrics: function.NewMetrics(io.Discard, "test"), Store: dynamo.New(stack.Config(s.DynamoDB.URL()), s.Table, dynamo.WithClock(c.now)),
		}
		if publishes {
			f.Sink = signpostbridge.New(signpostbridge.NewClient(stack.Config(s.Bus.URL()), func(*eventbridge.Options) {}), "signpost")
		}
		return f
	}
	inProcess := func(handler any) gateway.Function {
		h := lambda.NewHandler(handler)
		return gateway.FunctionFunc(func(ctx context.Context, event []byte) ([]byte, error) { return h.Invoke(ctx, event) })
	}
	sweeper := inProcess(instance(true).Sweeper().Handle)
	template, err := gateway.ReadStack(filepath.Join(root, "template.yaml"), map[string]string{"Api": "a1b2c3d4e5", "AWS::Region": stack.Region})
	if err != nil {
		t.Fatal(err)
	}
	g, err := template.Gateway(map[string]gateway.Function{
		stack.Register: inProcess(instance(true).Register().Handle), stack.Route: inProcess(instance(false).Route().Handle),
	}, gateway.Options{Users: s.Users, Region: stack.Region, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g)
	defer server.Close()
	do := func(method, target string, body []byte) *gateway.Reply {
		t.Helper()
		caller := s.As(stack.Master)
		caller.Endpoint, caller.Now = server.URL, c.now
		r, err := caller.Do(t.Context(), method, target, body, "Content-Type", typeJSON)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	sweep := func() {
		t.Helper()
		if _, err := sweeper.Invoke(t.Context(), fmt.Appendf(nil, `{"time":%q}`, c.now().Format(time.RFC3339))); err != nil {
			t.Fatal(err)
		}
	}
	// at looks from every side whether the broker is there.
	at := func(now time.Time, alive bool) {
		t.Helper()
		c.set(now)
		for _, target := range []string{"/v1/read/route?topic=a", "/v1/read/route?topic=a&consistent=true", "/v1/read/clusters", "/v1/read/topics", "/v1/read/group?broker=" + s.broker} {
			r := do("GET", target, nil)
			if r.Status != 200 && r.Status != 404 {
				t.Fatalf("%s: %v", target, r)
			}
			shown := r.Status == 200 && (strings.Contains(string(r.Body), s.broker) || strings.Contains(string(r.Body), `["a"]`))
			if shown != alive {
				t.Errorf("%v after its last beat %s shows it: %v", now.Sub(began), target, shown)
			}
		}
	}
	if r := do("PUT", "/v1/register/broker", s.registration("a").json()); r.Status != 200 {
		t.Fatal(r)
	}
	at(began, true)
	at(began.Add(119_999*time.Millisecond), true)
	at(began.Add(120_000*time.Millisecond), true)
	at(began.Add(120_001*time.Millisecond), false)
	if got := s.announced("BrokerEvicted"); len(got) != 0 {
		t.Errorf("announced though nobody wrote or swept: %v", got)
	}
	if r := do("POST", "/v1/register/beats", object{"beats": []object{s.beat()}}.json()); !strings.Contains(string(r.Body), `"register"`) {
		t.Errorf("a beat one millisecond late: %v", r)
	}
	at(began.Add(120_001*time.Millisecond), false)
	sweep()
	if got := s.announced("BrokerEvicted"); len(got) != 1 {
		t.Errorf("announced as %v", got)
	}

	// It comes back, and a beat at the last millisecond is worth 120 s more.
	if r := do("PUT", "/v1/register/broker", s.registration("a").json()); r.Status != 200 {
		t.Fatal(r)
	}
	began = c.now()
	c.set(began.Add(120 * time.Second))
	if r := do("POST", "/v1/register/beats", object{"beats": []object{s.beat()}}.json()); !strings.Contains(string(r.Body), `"ok"`) {
		t.Errorf("a beat in time: %v", r)
	}
	began = c.now()
	at(began.Add(119_999*time.Millisecond), true)
	at(began.Add(120_000*time.Millisecond), true)
	at(began.Add(120_001*time.Millisecond), false)
}
