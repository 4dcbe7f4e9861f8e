//go:build e2e

package dynamo_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signpost/infra/cost"
	"signpost/internal/httpapi"
)

// TestBudgetsOfCalls measures what the calls of the HTTP API consume that come
// all the time.
func TestBudgetsOfCalls(t *testing.T) {
	m := newMetered(t)
	r := newRegistry(m)
	api := httpapi.New(httpapi.Options{Read: r, Write: r, Identity: httpapi.Anyone, Now: m.time, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	call := func(method, target, body string, want int) func() error {
		return func() error {
			req := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			if body == "" {
				req.Body, req.ContentLength = http.NoBody, 0
				req.Header.Del("Content-Type")
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, req)
			if w.Code != want {
				return fmt.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
			}
			return nil
		}
	}
	broker := `"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"10.0.0.1:10911"`
	queues := `{"readQueueNums":8,"writeQueueNums":8,"perm":6,"topicSysFlag":0`
	register := `{` + broker + `,"haServerAddr":"10.0.0.1:10912","dataVersion":{"counter":1,"stateVersion":0,"timestamp":1},` +
		`"topicConfigTable":{"t":` + queues + `,"topicName":"t"},"u":` + queues + `,"topicName":"u"}}}`
	pass := func(d time.Duration) { m.pass(m.time().Add(d)) }
	must(t, call("PUT", "/v1/register/broker", register, 200)())
	pass(time.Second)
	m.measure(t, cost.UnchangedBody, call("PUT", "/v1/register/broker", register, 200))
	pass(time.Second)
	m.measure(t, cost.DirectBeat, call("POST", "/v1/register/beats", `{"beats":[{`+broker+`}]}`, 200))
	m.measure(t, cost.OpenSession, call("PUT", "/v1/register/session?id=s1&open=true&gateway=g", "", 200))
	pass(5 * time.Second)
	must(t, call("PUT", "/v1/register/session?id=s1&revision=1", "", 200)())
	pass(5 * time.Second)
	m.measure(t, cost.SessionBeat, call("PUT", "/v1/register/session?id=s1&revision=1", "", 200))
	pass(time.Second)
	m.measure(t, cost.NewSession, call("POST", "/v1/register/beats", `{"beats":[{`+broker+`,"session":"s1"}]}`, 200))
	must(t, call("GET", "/v1/read/route?topic=t", "", 200)())
	pass(2 * time.Second)
	m.measure(t, cost.RouteUnchanged, call("GET", "/v1/read/route?topic=t", "", 200))
	pass(time.Second)
	m.measureUnits(t, "the same within two seconds", cost.Units{}, call("GET", "/v1/read/route?topic=t", "", 200))
}
