package function_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"signpost/core"
)

func TestRegisterAndRoute(t *testing.T) {
	i := newInstance(t, nil)
	call(t, i.Register(), register(), 200)
	out := call(t, i.Route(), event("GET", "/v1/read/route", "topic=%25RETRY%25group", ""), 200)
	if !strings.Contains(out.Body, `"10.0.0.1:10911"`) || out.IsBase64Encoded || out.Headers["Content-Type"] != "application/json" {
		t.Errorf("answered %+v", out)
	}
	again := event("GET", "/v1/read/route", "topic=%25RETRY%25group", "")
	again.Headers["if-none-match"] = `"another,one", ` + out.Headers["Etag"]
	if out := call(t, i.Route(), again, 304); out.Body != "" || out.Headers["Content-Type"] != "" {
		t.Errorf("304 with %+v", out)
	}
	if got := i.box.kinds(); !slices.Contains(got, core.BrokerRegistered) || !slices.Contains(got, core.TopicRouteChanged) {
		t.Errorf("published %v", got)
	}
}

// TestClasses: a function has no calls but its own.
func TestClasses(t *testing.T) {
	i := newInstance(t, nil)
	call(t, i.Route(), register(), 404)
	call(t, i.Route(), event("DELETE", "/v1/admin/topic", "topic=t", ""), 404)
	call(t, i.Register(), event("GET", "/v1/read/clusters", "", ""), 404)
}

func TestCompressedBodies(t *testing.T) {
	i := newInstance(t, nil)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, registration)
	z.Close()
	e := register()
	e.Headers["content-type"] = "application/vnd.signpost.v1+gzip"
	e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(b.Bytes()), true
	call(t, i.Register(), e, 200)
}

func TestLargeAnswersAreCompressed(t *testing.T) {
	i := newInstance(t, nil)
	topics := map[string]any{}
	for n := range 2000 {
		name := "a-topic-with-a-longer-name-" + strings.Repeat("x", n%50) + string(rune('a'+n%26)) + strings.Repeat("y", n/50)
		topics[name] = map[string]any{"topicName": name, "readQueueNums": 1, "writeQueueNums": 1, "perm": 6}
	}
	body, err := json.Marshal(map[string]any{"clusterName": "c", "brokerName": "b", "brokerId": 0, "brokerAddr": "10.0.0.1:1", "topicConfigTable": topics,
		"dataVersion": map[string]any{"timestamp": 1, "counter": 1}})
	if err != nil {
		t.Fatal(err)
	}
	call(t, i.Register(), event("PUT", "/v1/register/broker", "", string(body)), 200)
	e := event("GET", "/v1/read/topics", "", "")
	plain := call(t, i.Route(), e, 200)
	e.Headers["accept-encoding"] = "br, gzip"
	out := call(t, i.Route(), e, 200)
	if !out.IsBase64Encoded || out.Headers["Content-Encoding"] != "gzip" || plain.IsBase64Encoded {
		t.Fatalf("answered %v", out.Headers)
	}
	raw, err := base64.StdEncoding.DecodeString(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(z); err != nil || string(all) != plain.Body {
		t.Errorf("%d bytes, %v; want %d", len(all), err, len(plain.Body))
	}
}

// hostile are events that break adapters: paths and queries that are no part of
// a URL, names of hosts and methods that are none, bodies that are not what
// they say.
func hostile() map[string]events.APIGatewayV2HTTPRequest {
	all := map[string]events.APIGatewayV2HTTPRequest{"empty": {}}
	for _, path := range []string{
		"", "/", "v1/read/route", "/v1/topics/%RETRY%group/route", "/v1/read/route%", "/%", "/%zz", "/?", "/#", "/a b", "/\x00\x7f", "//v1//read",
		"/../v1/read/route", "/v1/read/route/", "/v1/read/\xff\xfe", "/é", "/v1/read/route;a=b", strings.Repeat("/x", 5000), "http://other/v1/read/route",
	} {
		all["path "+path[:min(30, len(path))]] = event("GET", path, "topic=t", "")
	}
	for _, query := range []string{
		"%", "%zz", "topic=%RETRY%group", "topic=a b", "topic=\x00", "topic=\r\nX: y", "#", "topic=#", "?", "&&&", "=", "topic", ";", "topic=t;x=y", "topic=\xff", "topic=é",
		strings.Repeat("a=b&", 3000),
	} {
		all["query "+query[:min(30, len(query))]] = event("GET", "/v1/read/route", query, "")
	}
	for _, method := range []string{"", " ", "G T", "GET\r\n", "get", "CONNECT", "OPTIONS", "HEAD", "é", "TRACE", "PRI"} {
		all["method "+method] = event(method, "/v1/read/route", "topic=t", "")
	}
	e := event("PUT", "/v1/register/broker", "", "!!!")
	e.IsBase64Encoded = true
	all["no base64"] = e
	e = event("GET", "/v1/read/route", "topic=t", "")
	e.RequestContext.DomainName = "a b:%zz\x00"
	all["host"] = e
	e.RequestContext.DomainName = ""
	all["no host"] = e
	e = event("GET", "/v1/read/route", "topic=t", "")
	e.Headers = map[string]string{"": "x", "a b": "c", "host": "x\r\ny", "content-length": "-1", "transfer-encoding": "chunked", "if-none-match": `"a,b", W/"`, "accept": ",,,"}
	all["headers"] = e
	e.Headers, e.Cookies = nil, []string{"a=b", "\x00"}
	all["cookies"] = e
	e = event("GET", "/v1/read/route", "", "")
	e.QueryStringParameters = map[string]string{"topic": "a,b"}
	all["joined query only"] = e
	for _, body := range []string{"\xff\xfe", "{", "[]", "null", `{"brokerName":1}`, strings.Repeat("[", 100_000), "\x1f\x8b\x08garbage"} {
		all["body "+body[:min(10, len(body))]] = event("PUT", "/v1/register/broker", "", body)
	}
	return all
}

// TestHostileEvents: whatever is asked, the answer is a problem that says what
// is wrong with it, and not the adapter's or the runtime's.
func TestHostileEvents(t *testing.T) {
	for name, e := range hostile() {
		for class, h := range map[string]handler{"route": newInstance(t, nil).Route(), "register": newInstance(t, nil).Register()} {
			out, err := h.Handle(t.Context(), e)
			if err != nil {
				t.Errorf("%s %q: %v", class, name, err)
				continue
			}
			if out.StatusCode >= 500 || out.StatusCode < 400 {
				t.Errorf("%s %q: %d %s", class, name, out.StatusCode, out.Body)
			}
			var p struct {
				Type   string
				Status int
			}
			if err := json.Unmarshal([]byte(out.Body), &p); err != nil || !strings.HasPrefix(p.Type, "urn:signpost:problem:") || p.Status != out.StatusCode {
				t.Errorf("%s %q: %d %q is no problem", class, name, out.StatusCode, out.Body)
			}
			if h := out.Headers; h["Content-Type"] != "application/problem+json" || h["Signpost-Revision"] == "" || h["Signpost-Valid-For"] == "" || h["Signpost-Guarded"] == "" {
				t.Errorf("%s %q: the problem comes with %v", class, name, h)
			}
		}
	}
}

// TestTheQueryIsTakenAsItCame: what is escaped in it is not escaped again.
func TestTheQueryIsTakenAsItCame(t *testing.T) {
	i := newInstance(t, nil)
	out := call(t, i.Route(), event("GET", "/v1/read/route", "topic=%25RETRY%25gr%C3%B6%C3%9Fe+1", ""), 404)
	if !strings.Contains(out.Body, "%RETRY%größe 1") {
		t.Errorf("it asked for %s", out.Body)
	}
}

// TestRecordedEvents: events in the shapes of API Gateway are understood.
func TestRecordedEvents(t *testing.T) {
	files, err := filepath.Glob("../../functions/*/events/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		i := newInstance(t, nil)
		call(t, i.Register(), register(), 200)
		if strings.Contains(file, "sweeper") {
			continue // see sweeper_test.go
		}
		var e events.APIGatewayV2HTTPRequest
		d := json.NewDecoder(bytes.NewReader(b))
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		h := handler(i.Route())
		if strings.Contains(file, "register") {
			h = i.Register()
		}
		call(t, h, e, 200)
	}
}

// TestNamedStage: any stage but the default one stands at the beginning of the path.
func TestNamedStage(t *testing.T) {
	i := newInstance(t, map[string]string{"BASE_PATH": "/nameserver"})
	for path, status := range map[string]int{
		"/prod/v1/read/clusters": 200, "/prod/nameserver/v1/read/clusters": 200, "/v1/read/clusters": 200,
		"/production/v1/read/clusters": 404, "/prod": 404, "/prod/prod/v1/read/clusters": 404,
	} {
		e := event("GET", path, "", "")
		e.RequestContext.Stage = "prod"
		call(t, i.Route(), e, status)
	}
	e := event("GET", "/$default/v1/read/clusters", "", "")
	e.RequestContext.Stage = "$default"
	call(t, i.Route(), e, 404)
}

// TestAnswersBeyondLambda: what an invocation cannot hand over is said to be
// so; compressed it can. What counts is the answer's JSON, with the body as a
// string in it.
func TestAnswersBeyondLambda(t *testing.T) {
	const limit = 6 << 20 // AWS Lambda: invocation payload
	i := newInstance(t, nil)
	body := `{"value":"` + strings.Repeat(`\"`, 64<<10) + `"}`
	list := event("GET", "/v1/read/kv", "namespace=n", "")
	for n := range 24 { // each of 4 bytes in the answer for one of the value
		call(t, i.Register(), event("PUT", "/v1/admin/kv", fmt.Sprintf("namespace=n&key=%d", n), body), 204)
		if n < 22 {
			continue
		}
		out := call(t, i.Route(), list, map[int]int{22: 200, 23: 406}[n])
		if b, err := json.Marshal(out); err != nil || len(b) > limit {
			t.Errorf("%d bytes answered for %d values, %v", len(b), n+1, err)
		}
	}
	list.Headers["accept-encoding"] = "gzip"
	call(t, i.Route(), list, 200)
}

func TestBasePath(t *testing.T) {
	i := newInstance(t, map[string]string{"BASE_PATH": "/nameserver"})
	call(t, i.Register(), event("PUT", "/nameserver/v1/register/broker", "", registration), 200)
	call(t, i.Register(), register(), 200)
}
