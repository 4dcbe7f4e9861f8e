package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/wire"
)

func TestEveryErrorOfTheModelHasOneAnswer(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		kind   string
		field  string
		retry  bool
	}{
		{core.ErrRefused, 409, "registration-refused", "", false},
		{core.ErrNameConflict, 409, "broker-name-conflict", "", false},
		{core.ErrStale, 409, "stale", "", false},
		{core.ErrBusy, 409, "busy", "", true},
		{core.ErrConflict, 409, "busy", "", true},
		{core.ErrSessionClosed, 410, "session-closed", "", false},
		{core.ErrForbidden, 403, "not-owner", "", false},
		{&core.FieldError{Field: "brokerAddr", Reason: "is odd"}, 400, "invalid-field", "brokerAddr", false},
		{&wire.LimitError{What: "topics", Max: 7}, 413, "too-large", "", false},
		{context.DeadlineExceeded, 503, "timeout", "", true},
		{context.Canceled, 503, "timeout", "", true},
		{errors.New("secret of the store"), 500, "internal", "", false},
		{nil, 500, "internal", "", false}, // a panic
	} {
		a := newAPI(t)
		broken := &failing{Registry: a.registry, err: c.err}
		if c.err != nil {
			broken.err = fmt.Errorf("register a: %w", errors.Join(c.err, errors.New("secret of the store")))
		}
		a.options.Write = broken
		log := &a.log
		a = a.again()
		r := a.register(broker("a", 0)).problem(c.status, c.kind, c.field)
		if (r.header.Get("Retry-After") != "") != c.retry {
			t.Errorf("%v: Retry-After is %q", c.err, r.header.Get("Retry-After"))
		}
		if strings.Contains(string(r.body), "secret") {
			t.Errorf("%v: the caller learns %s", c.err, r.body)
		}
		if logged := strings.Contains(log.String(), "call failed"); logged != (c.status >= 500) {
			t.Errorf("%v: the log says %s", c.err, log)
		}
	}
}

// Every call answers a failing store with what the document has for it.
func TestEveryCallFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind string
	}{{errors.New("broken"), "internal"}, {context.DeadlineExceeded, "timeout"}, {nil, "internal"}} {
		a := newAPI(t)
		broken := &failing{Registry: a.registry, err: c.err}
		a.options.Read, a.options.Write = broken, broken
		a = a.again()
		for _, call := range a.doc.calls() {
			method, path, _ := strings.Cut(call, " ")
			op := a.doc.Paths.Value(path).Operations()[method]
			var body any
			if op.RequestBody != nil {
				for _, e := range op.RequestBody.Value.Content["application/json"].Examples {
					if body = e.Value.Value; !strings.Contains(fmt.Sprint(body), "session") {
						break
					}
				}
			}
			q := query(op)
			if op.OperationID == "deleteTopic" {
				q += "&cluster=c1"
			}
			r := a.do(call+q, body)
			if strings.Contains(fmt.Sprint(body), "session") {
				r.problem(410, "session-closed", "")
			} else {
				r.problem(map[string]int{"internal": 500, "timeout": 503}[c.kind], c.kind, "")
			}
		}
	}
}

func TestNoSuchCall(t *testing.T) {
	a := newAPI(t)
	for _, target := range []string{
		"/", "/v1", "/v1/", "/v1/read", "/v1/read/", "/v1/read/route/", "//v1/read/route", "/v1//read/route", "/v1/read/../read/route",
		"/v1/read/./route", "/v1/READ/route", "/v2/read/route", "/v1/read/route%00", "/v1/read/%2e%2e/read/route", "/v1/read/route/orders",
		"/v1/read%2Froute2", "/favicon.ico", "/v1/read/%25RETRY%25g",
	} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "X"} {
			r := a.do(method+" "+target, nil).is(404)
			if !strings.Contains(string(r.body), "no-such-call") {
				t.Errorf("%s %s: %s", method, target, r.body)
			}
		}
	}
}

func TestMethodNotAllowed(t *testing.T) {
	a := newAPI(t)
	for target, allow := range map[string]string{
		"/v1/read/route":             "GET",
		"/v1/register/broker":        "PUT",
		"/v1/admin/kv":               "DELETE, PUT",
		"/v1/admin/write-permission": "DELETE, PUT",
	} {
		for _, method := range []string{"HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "POST", "LOCK"} {
			r := a.do(method+" "+target, nil).problem(405, "method-not-allowed", "")
			if got := r.header.Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow is %q", method, target, got)
			}
			for h := range r.header {
				if strings.HasPrefix(h, "Access-Control") {
					t.Errorf("%s %s: %s", method, target, h)
				}
			}
		}
	}
}

func TestNotAcceptable(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	for _, accept := range []string{"text/html", "application/xml, text/*", "application/json;q=0", "*/*;q=0", "json"} {
		a.route("orders", with("Accept", accept)).problem(406, "not-acceptable", "")
	}
	for _, accept := range []string{"*/*", "application/json", "text/html,application/*;q=0.1", "", "application/json; charset=utf-8"} {
		a.route("orders", with("Accept", accept)).is(200)
	}
}

func TestUnsupportedMediaType(t *testing.T) {
	a := newAPI(t)
	for _, call := range []string{"PUT /v1/register/broker", "POST /v1/register/beats", "PUT /v1/admin/kv?namespace=n&key=k"} {
		for _, contentType := range []string{"", "text/plain", "application/json; charset=latin1", "application/octet-stream", "application/gzip", ";", "application/x-www-form-urlencoded"} {
			a.do(call, `{}`, with("Content-Type", contentType)).problem(415, "unsupported-media-type", "")
		}
		// Would reach a function as damaged text.
		a.do(call, zipped([]byte(`{}`)), with("Content-Encoding", "gzip")).problem(415, "unsupported-media-type", "")
	}
	a.do("POST /v1/register/beats", `{"beats":[]}`, with("Content-Encoding", "identity")).is(200)
	a.do("POST /v1/register/beats", nil, with("Content-Type", "application/json")).problem(400, "invalid-field", "body")
}

func TestLimits(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) {
		o.Limits = httpapi.Limits{Body: 2000, Inflated: 3000, Small: 500, Topics: 2}
	})
	limit := func(r *response, want int) {
		t.Helper()
		var p struct{ Limit int }
		if r.problem(413, "too-large", "").into(&p); p.Limit != want {
			t.Errorf("the limit told is %d, want %d", p.Limit, want)
		}
	}
	padded := func(n int) string {
		b := `{"clusterName":"c1","brokerName":"a","brokerId":0,"brokerAddr":"x:1","topicConfigTable":{"a":{"topicName":"a"},"b":{"topicName":"b"}}}`
		return b + strings.Repeat(" ", n-len(b))
	}
	gz := with("Content-Type", gzipType)
	a.do("PUT /v1/register/broker", padded(2000)).is(200)
	limit(a.do("PUT /v1/register/broker", padded(2001)), 2000)
	a.do("PUT /v1/register/broker", zipped([]byte(padded(3000))), gz).is(200)
	limit(a.do("PUT /v1/register/broker", zipped([]byte(padded(3001))), gz), 3000)
	limit(a.do("PUT /v1/register/broker", zipped(make([]byte, 1<<20)), gz), 3000) // a bomb of 1 KB
	limit(a.register(broker("b", 0, "t1", "t2")), 2)

	pad := func(n int) string { return `{"beats":[]}` + strings.Repeat(" ", n-12) }
	a.do("POST /v1/register/beats", pad(500)).is(200)
	limit(a.do("POST /v1/register/beats", pad(501)), 500)
	a.do("POST /v1/register/beats", zipped([]byte(pad(500))), gz).is(200)
	limit(a.do("POST /v1/register/beats", zipped([]byte(pad(501))), gz), 500)
	limit(a.do("POST /v1/register/beats", zipped(make([]byte, 100_000)), gz), 500)
}

// unread fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("a body that is said to be too large was read")
	return 0, io.EOF
}

func TestStatedLengthIsJudgedBeforeReading(t *testing.T) {
	a := newAPI(t)
	r := httptest.NewRequest("PUT", "/v1/register/broker", unread{t})
	r.ContentLength = 1 << 40
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	a.judge(r, nil, w).problem(413, "too-large", "")
}

// A body without a stated length, or with a false one, is cut off at the limit.
func TestEndlessBody(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.Limits.Body = 1 << 16 })
	endless := &endless{}
	r := httptest.NewRequest("PUT", "/v1/register/broker", endless)
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	a.judge(r, nil, w).problem(413, "too-large", "")
	if endless.read > 1<<18 {
		t.Errorf("%d bytes were read", endless.read)
	}
}

type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	e.read += len(b)
	return len(b), nil
}

func TestBodyThatBreaksOff(t *testing.T) {
	a := newAPI(t)
	r := httptest.NewRequest("PUT", "/v1/register/broker", io.MultiReader(strings.NewReader(`{"brok`), brokenReader{}))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	a.judge(r, nil, w).problem(400, "invalid-field", "body")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDamagedGzip(t *testing.T) {
	a := newAPI(t)
	good := zipped([]byte(`{"beats":[]}`))
	wrongSum := bytes.Clone(good)
	wrongSum[len(wrongSum)-5] ^= 1
	for name, body := range map[string][]byte{
		"cut":           good[:len(good)-1],
		"header only":   good[:10],
		"half a header": good[:5],
		"wrong sum":     wrongSum,
		"not gzip":      []byte(`{"beats":[]}`),
		"more behind":   append(bytes.Clone(good), "x"...),
		// What API Gateway makes of a gzipped body that says application/json.
		"as text": []byte(strings.ToValidUTF8(string(good), "\ufffd")),
	} {
		t.Run(name, func(t *testing.T) {
			a.do("POST /v1/register/beats", body, with("Content-Type", gzipType)).problem(400, "invalid-field", "body")
		})
	}
	twice := append(bytes.Clone(good), zipped([]byte("  "))...) // RFC 1952 2.2: members one after the other are one
	a.do("POST /v1/register/beats", twice, with("Content-Type", gzipType)).is(200)
}

// waiting keeps registrations waiting until it is let go.
type waiting struct {
	*core.Registry
	entered chan struct{}
	leave   chan struct{}
}

func (w *waiting) Register(ctx context.Context, now time.Time, r core.Registration) (core.Registered, error) {
	w.entered <- struct{}{}
	<-w.leave
	return w.Registry.Register(ctx, now, r)
}

func TestTooManyRegistrations(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) {
		o.Limits.Registrations, o.Limits.Wait = 1, time.Millisecond
	})
	slow := &waiting{Registry: a.registry, entered: make(chan struct{}), leave: make(chan struct{})}
	a.options.Write = slow
	a = a.again()
	done := make(chan *httptest.ResponseRecorder)
	body := `{"clusterName":"c1","brokerName":"a","brokerId":0,"brokerAddr":"x:1","topicConfigTable":{}}`
	go func() {
		r := httptest.NewRequest("PUT", "/v1/register/broker", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		done <- w
	}()
	<-slow.entered
	if r := a.do("PUT /v1/register/broker", body).problem(429, "too-many-requests", ""); r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if got := a.beat(beatOf(broker("a", 0))); got != "register" { // is not held up
		t.Errorf("a beat is answered %q", got)
	}
	close(slow.leave)
	if w := <-done; w.Code != http.StatusOK {
		t.Errorf("the first registration is answered %d", w.Code)
	}
	go func() { <-slow.entered }()
	a.do("PUT /v1/register/broker", body).is(200) // its turn is free again
}

func TestDeadline(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.Limits.Handler = time.Nanosecond })
	a.do("POST /v1/register/beats", object{"beats": []object{beatOf(broker("a", 0))}}).problem(503, "timeout", "")
	a.do("POST /v1/read/routes", object{"topics": []object{{"topic": "a"}}}).problem(503, "timeout", "")
}

func TestBasePath(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.BasePath = "/prod/" })
	for _, target := range []string{"/prod/v1/read/topics", "/v1/read/topics"} {
		r := httptest.NewRequest("GET", target, nil)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%s is answered %d", target, w.Code)
		}
	}
	a.do("GET /production/v1/read/topics", nil).is(404)
	a.do("GET /prodv1/read/topics", nil).is(404)
	a.do("GET /prod", nil).is(404)
}

// The functions have a part of the API each.
func TestParts(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	a.options.Write = nil
	a = a.again()
	a.route("orders").is(200)
	call := func(target string) int {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodPut, target, nil))
		return w.Code
	}
	if got := call("/v1/admin/kv"); got != http.StatusNotFound {
		t.Errorf("without a Writer admin calls are answered %d", got)
	}
	a.options.Read, a.options.Write = nil, a.registry
	a = a.again()
	if got := call("/v1/read/topics"); got != http.StatusNotFound {
		t.Errorf("without a Reader read calls are answered %d", got)
	}
	if got := call("/v1/register/session?id=s1&open=true&gateway=g"); got != http.StatusOK {
		t.Errorf("a session is answered %d", got)
	}
}
