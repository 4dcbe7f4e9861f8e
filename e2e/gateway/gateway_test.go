package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"signpost/e2e/gateway"
)

// capture is a function that keeps its event and gives a set answer.
type capture struct {
	event  map[string]any
	raw    []byte
	answer string
	err    error
}

func (c *capture) Invoke(_ context.Context, event []byte) ([]byte, error) {
	c.raw, c.event = event, nil
	if err := json.Unmarshal(event, &c.event); err != nil {
		return nil, err
	}
	if c.answer == "" {
		c.answer = `{"statusCode":200,"body":"{}"}`
	}
	return []byte(c.answer), c.err
}

func (c *capture) headers() map[string]any { return c.event["headers"].(map[string]any) }

// open returns a gateway with one route to everything, changed by change.
func open(t *testing.T, f gateway.Function, change func(*gateway.Options)) *gateway.Gateway {
	t.Helper()
	o := gateway.Options{Routes: []gateway.Route{{Key: "$default", Auth: gateway.NoAuth, Function: f}}}
	if change != nil {
		change(&o)
	}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// call makes one call over a real connection.
func call(t *testing.T, g http.Handler, r *http.Request) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(g)
	defer server.Close()
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", strings.TrimPrefix(server.URL, "http://"), ""
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func request(method, target string, body []byte, headers ...string) *http.Request {
	r, err := http.NewRequest(method, "http://x"+target, bytes.NewReader(body))
	if err != nil {
		panic(err) // targets are constants
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.Bytes()
}

func TestPathsArriveDecodedAndQueriesDoNot(t *testing.T) {
	var f capture
	call(t, open(t, &f, nil), request("GET", "/v1/topics/%25RETRY%25g%2F1?topic=%25RETRY%25g&zone=a&zone=b%2Cc&empty", nil))
	if got := f.event["rawPath"]; got != "/v1/topics/%RETRY%g/1" {
		t.Errorf("rawPath is %q", got)
	}
	if got := f.event["rawQueryString"]; got != "topic=%25RETRY%25g&zone=a&zone=b%2Cc&empty" {
		t.Errorf("rawQueryString is %q", got)
	}
	query := f.event["queryStringParameters"].(map[string]any)
	if want := map[string]any{"topic": "%RETRY%g", "zone": "a,b,c", "empty": ""}; !maps.Equal(query, want) {
		t.Errorf("queryStringParameters are %v, not %v", query, want)
	}
}

func TestHeadersArriveInLowerCaseAndJoined(t *testing.T) {
	var f capture
	call(t, open(t, &f, nil), request("GET", "/", nil,
		"If-None-Match", `"a,b"`, "If-None-Match", `"c"`, "X-Thing", "1", "Cookie", "a=1; b=2", "Connection", "close"))
	h := f.headers()
	if h["if-none-match"] != `"a,b","c"` || h["x-thing"] != "1" {
		t.Errorf("headers are %v", h)
	}
	for name := range h {
		if name != strings.ToLower(name) {
			t.Errorf("header %s is not in lower case", name)
		}
	}
	if h["cookie"] != nil || h["connection"] != nil {
		t.Errorf("headers have a cookie or a connection: %v", h)
	}
	if c, _ := json.Marshal(f.event["cookies"]); string(c) != `["a=1","b=2"]` {
		t.Errorf("cookies are %s", c)
	}
}

// Whether a body arrives whole is decided by its type alone.
func TestBodiesByContentType(t *testing.T) {
	gz := zipped(`{"brokerName":"broker-a","topics":["one","two","three"]}`)
	for _, c := range []struct {
		contentType string
		base64      bool
	}{
		{"application/json", false}, {"Application/JSON; charset=utf-8", false}, {"text/plain", false}, {"text/anything", false},
		{"application/xml", false}, {"application/javascript", false},
		{"application/vnd.signpost.v1+gzip", true}, {"application/octet-stream", true}, {"application/problem+json", true}, {"", true}, {"/", true},
	} {
		var f capture
		r := request("POST", "/", gz, "Content-Encoding", "gzip")
		if c.contentType != "" {
			r.Header.Set("Content-Type", c.contentType)
		}
		call(t, open(t, &f, nil), r)
		if f.event["isBase64Encoded"] != c.base64 {
			t.Errorf("%q: isBase64Encoded is %v", c.contentType, f.event["isBase64Encoded"])
		}
		body := f.event["body"].(string)
		arrived := []byte(body)
		if c.base64 {
			arrived, _ = base64.StdEncoding.DecodeString(body)
		} else if !strings.ContainsRune(body, utf8.RuneError) {
			t.Errorf("%q: the bytes of gzip arrived as text undamaged", c.contentType)
		}
		if bytes.Equal(arrived, gz) != c.base64 {
			t.Errorf("%q: body arrived as %q", c.contentType, arrived)
		}
	}
}

func TestNoBodyIsNoMember(t *testing.T) {
	var f capture
	call(t, open(t, &f, nil), request("GET", "/", nil))
	if b, ok := f.event["body"]; ok || f.event["isBase64Encoded"] != false {
		t.Errorf("body is %v, base64 %v", b, f.event["isBase64Encoded"])
	}
}

// Every member of an event stands in the samples that come with aws-lambda-go,
// in the same form.
func TestEventsHaveTheShapeOfAWSSamples(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	var f capture
	user := gateway.User{ARN: "arn:aws:iam::123456789012:user/u", Secret: "s", Policies: []gateway.Policy{{{Actions: []string{"*"}, Resources: []string{"*"}}}}}
	g := open(t, &f, func(o *gateway.Options) {
		o.Routes = []gateway.Route{{Key: "ANY /my/{proxy+}", Auth: gateway.IAM, Function: &f}}
		o.Users = map[string]gateway.User{"AKID": user}
	})
	r := request("POST", "/my/path?a=1", []byte("{}"), "Cookie", "a=1", "Content-Type", "application/json")
	signed(t, r, "AKID", user, []byte("{}"), time.Now())
	call(t, g, r)
	sample, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "events/testdata/apigw-v2-request-iam.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(sample, &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "stageVariables")                                    // there are none
	delete(want["requestContext"].(map[string]any), "authentication") // of mTLS
	alike(t, "", want, f.event, []string{"headers", "queryStringParameters", "cognitoIdentity", "principalOrgId"})
}

// alike compares names and kinds, but for the content of free.
func alike(t *testing.T, at string, want, got map[string]any, free []string) {
	t.Helper()
	if w, g := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)); !slices.Equal(w, g) {
		t.Errorf("%s has %v, the sample %v", at, g, w)
	}
	for name, w := range want {
		if slices.Contains(free, name) {
			continue
		}
		switch w := w.(type) {
		case map[string]any:
			g, _ := got[name].(map[string]any)
			alike(t, at+"/"+name, w, g, free)
		default:
			if kind(w) != kind(got[name]) {
				t.Errorf("%s/%s is %v, in the sample %v", at, name, got[name], w)
			}
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "list"
	}
	return "other"
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		err          error
		status       int
		body, kind   string
	}{
		{name: "text", answer: `{"statusCode":201,"headers":{"content-type":"text/plain","x-n":7},"body":"hi"}`, status: 201, body: "hi", kind: "text/plain"},
		{name: "base64", answer: `{"statusCode":200,"body":"aGk=","isBase64Encoded":true}`, status: 200, body: "hi", kind: "application/json"},
		{name: "not modified", answer: `{"statusCode":304,"body":"gone"}`, status: 304},
		{name: "no content", answer: `{"statusCode":204,"body":""}`, status: 204, kind: "application/json"},
		{name: "inferred", answer: `{"a":1}`, status: 200, body: `{"a":1}`, kind: "application/json"},
		{name: "inferred string", answer: `"a"`, status: 200, body: `"a"`, kind: "application/json"},
		{name: "no JSON", answer: `{`, status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "status as text", answer: `{"statusCode":"x"}`, status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "no status", answer: `{"statusCode":42}`, status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "header as list", answer: `{"statusCode":200,"headers":{"a":["b"]}}`, status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "damaged base64", answer: `{"statusCode":200,"body":"?","isBase64Encoded":true}`, status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "too long", answer: `"` + strings.Repeat("a", 6<<20) + `"`, status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "failed", err: errors.New("exit status 2"), status: 500, body: `{"message":"Internal Server Error"}`, kind: "application/json"},
		{name: "throttled", err: gateway.ErrThrottled, status: 429, body: `{"message":"Too Many Requests"}`, kind: "application/json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := call(t, open(t, &capture{answer: c.answer, err: c.err}, nil), request("GET", "/", nil))
			if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Content-Type") != c.kind {
				t.Errorf("%d %q %.100q, want %d %q %q", resp.StatusCode, resp.Header.Get("Content-Type"), body, c.status, c.kind, c.body)
			}
			if resp.Header.Get("Apigw-Requestid") == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestAFunctionThatTakesTooLong(t *testing.T) {
	f := gateway.FunctionFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	g := open(t, f, func(o *gateway.Options) { o.Timeout = time.Millisecond })
	if resp, body := call(t, g, request("GET", "/", nil)); resp.StatusCode != 503 || body != `{"message":"Service Unavailable"}` {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestSizes(t *testing.T) {
	text := func(n int) []byte { return bytes.Repeat([]byte("a"), n) }
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
	}{
		{"headers that fit", request("GET", "/", nil, "X-Long", strings.Repeat("a", 10_000)), 200},
		{"headers", request("GET", "/", nil, "X-Long", strings.Repeat("a", 10_240)), 431},
		{"a long query", request("GET", "/?q="+strings.Repeat("a", 10_240), nil), 431},
		{"text that fits", request("POST", "/", text(6_000_000), "Content-Type", "text/plain"), 200},
		{"text above Lambda's limit", request("POST", "/", text(6<<20), "Content-Type", "text/plain"), 413},
		{"binary that fits", request("POST", "/", text(4_500_000)), 200},
		{"binary above Lambda's limit as base64", request("POST", "/", text(4_800_000)), 413},
		{"above the gateway's limit", request("POST", "/", text(10<<20+1)), 413},
	} {
		if resp, body := call(t, open(t, &capture{}, nil), c.r); resp.StatusCode != c.status {
			t.Errorf("%s: %d %.80s, want %d", c.name, resp.StatusCode, body, c.status)
		}
	}
}

func TestTheStageIsThrottled(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := open(t, &capture{}, func(o *gateway.Options) {
		o.Rate, o.Burst, o.Now = 2, 3, func() time.Time { return now }
	})
	var got []int
	for range 5 {
		resp, _ := call(t, g, request("GET", "/", nil))
		got = append(got, resp.StatusCode)
	}
	now = now.Add(time.Second)
	for range 3 {
		resp, _ := call(t, g, request("GET", "/", nil))
		got = append(got, resp.StatusCode)
	}
	if want := []int{200, 200, 200, 429, 429, 200, 200, 429}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRoutes(t *testing.T) {
	keys := []string{"ANY /v1/{proxy+}", "GET /v1/read/route", "GET /v1/read/{proxy+}", "POST /v1/read/{proxy+}", "ANY /v1/read/any"}
	for _, c := range []struct{ method, path, key string }{
		{"GET", "/v1/read/route", "GET /v1/read/route"},
		{"POST", "/v1/read/route", "POST /v1/read/{proxy+}"},
		{"GET", "/v1/read/a/b", "GET /v1/read/{proxy+}"},
		{"PUT", "/v1/read/route", "ANY /v1/{proxy+}"},
		{"GET", "/v1/read/any", "ANY /v1/read/any"},
		{"GET", "/v1", ""}, {"GET", "/v1/", ""}, {"GET", "/V1/read/route", ""}, {"GET", "/", ""},
	} {
		var f capture
		g := open(t, &f, func(o *gateway.Options) {
			o.Routes = nil
			for _, k := range keys {
				o.Routes = append(o.Routes, gateway.Route{Key: k, Auth: gateway.NoAuth, Function: &f})
			}
		})
		resp, body := call(t, g, request(c.method, c.path, nil))
		if c.key == "" {
			if resp.StatusCode != 404 || body != `{"message":"Not Found"}` {
				t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, body)
			}
			continue
		}
		if f.event["routeKey"] != c.key {
			t.Errorf("%s %s: taken by %v, want %s", c.method, c.path, f.event["routeKey"], c.key)
		}
	}
	if _, err := gateway.New(gateway.Options{Routes: []gateway.Route{{Key: "/v1", Auth: gateway.NoAuth, Function: &capture{}}}}); err == nil {
		t.Error("a key without a method was taken")
	}
}

func TestANamedStageStandsInThePath(t *testing.T) {
	var f capture
	g := open(t, &f, func(o *gateway.Options) {
		o.Stage = "prod"
		o.Routes = []gateway.Route{{Key: "GET /v1/read/route", Auth: gateway.NoAuth, Function: &f}}
	})
	if resp, _ := call(t, g, request("GET", "/prod/v1/read/route", nil)); resp.StatusCode != 200 || f.event["rawPath"] != "/prod/v1/read/route" {
		t.Errorf("%d, rawPath %v", resp.StatusCode, f.event["rawPath"])
	}
	for _, path := range []string{"/v1/read/route", "/production/v1/read/route"} {
		if resp, _ := call(t, g, request("GET", path, nil)); resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}
