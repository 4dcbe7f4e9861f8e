package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
)

func TestConditionalRoute(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	first := a.route("orders").is(200).validFor(30 * time.Second)
	tag := first.header.Get("ETag")
	if !regexp.MustCompile(`^"[0-9a-f]{16}"$`).MatchString(tag) {
		t.Fatalf("ETag %s is not hex", tag)
	}
	if got := first.header.Get("Cache-Control"); got != "private, max-age=2" {
		t.Errorf("Cache-Control is %q", got)
	}
	for _, match := range []string{tag, "W/" + tag, `"x", ` + tag, `"x",` + tag + `,"y"`, "*"} {
		r := a.route("orders", with("If-None-Match", match)).is(304).validFor(30 * time.Second)
		if len(r.body) > 0 || r.header.Get("ETag") != tag || r.header.Get("Content-Type") != "" || r.revision() != first.revision() {
			t.Errorf("If-None-Match %s: %v %s", match, r.header, r.body)
		}
	}
	for _, match := range []string{`"0123456789abcdef"`, strings.Trim(tag, `"`), "", ","} {
		a.route("orders", with("If-None-Match", match)).is(200)
	}
	a.register(broker("b", 0, "orders")).is(200)
	if r := a.route("orders", with("If-None-Match", tag)).is(200); r.revision() <= first.revision() {
		t.Error("another broker did not raise the revision")
	}
	// The same route again has the same tag: it is the content's.
	a.do("POST /v1/register/unregister", beatOf(broker("b", 0))).is(204)
	a.route("orders", with("If-None-Match", tag)).is(304)
}

func TestRouteHoldsAsLongAsItsFirstLease(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	a.step(time.Minute)
	a.register(broker("b", 0, "orders")).is(200)
	for _, step := range []struct {
		after, valid time.Duration
		age          int
	}{
		{25 * time.Second, 30 * time.Second, 2},
		{15 * time.Second, 20 * time.Second, 2},
		{18*time.Second + 500*time.Millisecond, 1500 * time.Millisecond, 1},
		{time.Second, 500 * time.Millisecond, 0},
		{500 * time.Millisecond, 0, 0},
	} {
		a.step(step.after)
		r := a.route("orders").is(200).validFor(step.valid)
		if got, want := r.header.Get("Cache-Control"), fmt.Sprintf("private, max-age=%d", step.age); got != want {
			t.Errorf("valid for %s: Cache-Control is %q", step.valid, got)
		}
		a.route("orders", with("If-None-Match", r.header.Get("ETag"))).is(304).validFor(step.valid)
	}
	a.step(time.Millisecond) // 120.001 s: a is gone without a sweep
	if got := a.addrs("orders"); got != "b/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q", got)
	}
}

func TestRouteOfNothing(t *testing.T) {
	a := newAPI(t)
	revision := a.register(broker("a", 0, "orders")).is(200).revision()
	r := a.route("no-such").problem(404, "topic-not-found", "").validFor(30 * time.Second)
	if r.revision() != revision {
		t.Errorf("the revision is %d, want %d", r.revision(), revision)
	}
	for _, name := range []string{"%RETRY%g", "a b", "日本語", `"quoted"`, "<script>", "a/../b", "a?b#c", "%", "a&topic=orders", "ORDERS", strings.Repeat("x", 512)} {
		a.route(name).problem(404, "topic-not-found", "")
	}
}

func TestHostileNames(t *testing.T) {
	a := newAPI(t)
	names := []string{"%RETRY%g", "%DLQ%add", "%25", "%", "a b", "日本語🙂", `"quoted"`, `back\slash`, "<script>&amp;", "a/../b", "a?b#c", "a&topic=x", "a,b", "{}", "null", strings.Repeat("x", 512)}
	a.register(broker("a", 0, names...).but("clusterName", `c"%,`).but("brokerName", `br"%RETRY%`)).is(200)
	for _, name := range names {
		if got := a.addrs(name); got != `br"%RETRY%/0=10.0.1.1:10911` {
			t.Errorf("%q is at %q", name, got)
		}
	}
	var list struct{ TopicList []string }
	if a.do("GET /v1/read/topics?cluster="+url.QueryEscape(`c"%,`), nil).is(200).into(&list); len(list.TopicList) != len(names)+1 {
		t.Errorf("the list has %d names: %q", len(list.TopicList), list.TopicList)
	}
	a.do("GET /v1/read/group?broker="+url.QueryEscape(`br"%RETRY%`), nil).is(200)
	a.do("DELETE /v1/admin/topic?topic="+url.QueryEscape("%RETRY%g"), nil).is(204)
	if got := a.addrs("%RETRY%g"); got != "" {
		t.Errorf("deleted, and at %q", got)
	}
	for query, field := range map[string]string{
		"topic=":                            "topic",
		"topic=%RETRY%g":                    "query",
		"topic=a%00b":                       "topic",
		"topic=a%0d%0aX:y":                  "topic",
		"topic=%ff":                         "topic",
		"topic=" + strings.Repeat("x", 513): "topic",
		"topic=a&topic=b":                   "topic",
		"topic=a&Topic=b":                   `"Topic"`,
		"topic=a&consistent=1":              "consistent",
		"topic=a&revision=1.5":              "revision",
		"topic=a&zone=%01":                  "zone",
		"topic=a&zone=x&zone=":              "zone",
		"":                                  "topic",
	} {
		a.do("GET /v1/read/route?"+query, nil).problem(400, "invalid-field", field)
	}
}

func TestRouteNearZone(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders").but("zoneName", "z1")).is(200)
	a.register(broker("bb", 0, "orders").but("zoneName", "z2")).is(200)
	everywhere := a.do("GET /v1/read/route?topic=orders&zone=", nil).is(200)
	near := a.do("GET /v1/read/route?topic=orders&zone=z1", nil).is(200)
	if body := string(near.body); !strings.Contains(body, `"a"`) || strings.Contains(body, `"bb"`) {
		t.Errorf("near z1: %s", body)
	}
	if near.header.Get("ETag") == everywhere.header.Get("ETag") {
		t.Error("two bodies have one ETag")
	}
	a.do("GET /v1/read/route?topic=orders&zone=z1", nil, with("If-None-Match", near.header.Get("ETag"))).is(304)
}

// heads notes how the store's state is asked for.
type heads struct {
	*core.Registry
	since []core.Revision
	fresh []bool
}

func (h *heads) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	h.since, h.fresh = append(h.since, since), append(h.fresh, fresh)
	return h.Registry.Head(ctx, since, fresh)
}

// What a caller knows makes this process read again, and is never claimed as
// what the answer was made at.
func TestRouteReadsAgainForWhoKnowsMore(t *testing.T) {
	a := newAPI(t)
	noted := &heads{Registry: a.registry}
	a.options.Read = noted
	a = a.again()
	own := a.register(broker("a", 0, "orders")).is(200).revision()
	const theirs = 9007199254740991
	for i, c := range []struct {
		query string
		since core.Revision
		fresh bool
	}{
		{"", core.Revision(own), false},
		{"&revision=0", core.Revision(own), false},
		{"&revision=9007199254740991", theirs, false},
		{"&consistent=true", core.Revision(own), true},
		{"&consistent=false", core.Revision(own), false},
	} {
		r := a.do("GET /v1/read/route?topic=orders"+c.query, nil).is(200)
		if r.revision() != own {
			t.Errorf("%q: the answer claims revision %d, it is %d", c.query, r.revision(), own)
		}
		if noted.since[i] != c.since || noted.fresh[i] != c.fresh {
			t.Errorf("%q: asked for the state since %d, fresh %t", c.query, noted.since[i], noted.fresh[i])
		}
	}
	a.do("POST /v1/read/routes", object{"topics": []object{}, "revision": theirs, "consistent": true}).is(200)
	if n := len(noted.since) - 1; noted.since[n] != theirs || !noted.fresh[n] {
		t.Error("a batch does not ask for what its asker knows")
	}
}

func TestCompressedAnswer(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.CompressFrom = 300 })
	a.register(broker("a", 0, "orders").but("clusterName", strings.Repeat("c", 300))).is(200)
	plain := a.route("orders").is(200)
	for _, accept := range []string{"gzip", "deflate, gzip;q=0.5", "br,GZIP"} {
		r := a.route("orders", with("Accept-Encoding", accept)).is(200)
		if r.header.Get("Content-Encoding") != "gzip" || string(r.body) != string(plain.body) || r.header.Get("ETag") != "W/"+plain.header.Get("ETag") {
			t.Errorf("Accept-Encoding %s: %v", accept, r.header)
		}
		a.route("orders", with("Accept-Encoding", accept), with("If-None-Match", r.header.Get("ETag"))).is(304)
	}
	for _, accept := range []string{"gzip;q=0", "identity", "xgzip", "gzip; q=0.0"} {
		if r := a.route("orders", with("Accept-Encoding", accept)).is(200); r.header.Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %s was answered with gzip", accept)
		}
	}
	a.options.CompressFrom = 0
	if r := a.again().route("orders", with("Accept-Encoding", "gzip")).is(200); r.header.Get("Content-Encoding") != "" {
		t.Error("compressed, and it is off")
	}
}

type routesReply struct {
	Revision uint64
	Routes   []struct {
		Topic, Status, ETag string
		ValidForMillis      int
		Route               json.RawMessage
	}
}

func TestRoutes(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders", "bills").but("heartbeatTimeoutMillis", 20000)).is(200)
	a.register(broker("b", 0, "%RETRY%g")).is(200)
	ask := func(topics ...object) (reply routesReply) {
		t.Helper()
		a.do("POST /v1/read/routes", object{"revision": 0, "topics": topics}).is(200).into(&reply)
		return reply
	}
	reply := ask(object{"topic": "orders"}, object{"topic": "no-such"}, object{"topic": "%RETRY%g", "etag": "00"}, object{"topic": "orders"})
	var got []string
	for _, r := range reply.Routes {
		got = append(got, fmt.Sprintf("%s %s %d", r.Topic, r.Status, r.ValidForMillis))
	}
	if want := "orders changed 20000, no-such absent 30000, %RETRY%g changed 30000, orders changed 20000"; strings.Join(got, ", ") != want {
		t.Fatalf("got %s", strings.Join(got, ", "))
	}
	single := a.route("orders").is(200)
	if reply.Routes[0].ETag != strings.Trim(single.header.Get("ETag"), `"`) || canonical(t, reply.Routes[0].Route) != canonical(t, single.body) {
		t.Error("the batch answers another route than the call for one")
	}
	reply = ask(object{"topic": "orders", "etag": reply.Routes[0].ETag}, object{"topic": "%RETRY%g", "etag": reply.Routes[2].ETag})
	for _, r := range reply.Routes {
		if r.Status != "unchanged" || r.Route != nil || r.ValidForMillis < 20000 {
			t.Errorf("%s is %s with %s for %d", r.Topic, r.Status, r.Route, r.ValidForMillis)
		}
	}
	r := a.do("POST /v1/read/routes", object{"topics": []object{{"topic": "orders"}, {"topic": "%RETRY%g"}}, "zone": "z", "consistent": true}).is(200)
	r.validFor(20 * time.Second)
	a.do("POST /v1/read/routes", object{"topics": []object{}}).is(200).validFor(30 * time.Second)
}

func TestRoutesLeavesTheRestForLater(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.Limits.Answer = 500 })
	a.register(broker("a", 0, "t1", "t2", "t3").but("heartbeatTimeoutMillis", 20000)).is(200)
	a.register(broker("b", 0, "t4").but("heartbeatTimeoutMillis", 1000)).is(200)
	var reply routesReply
	topics := []object{{"topic": "no-such"}, {"topic": "t1"}, {"topic": "t2"}, {"topic": "t3"}, {"topic": "t4"}}
	a.do("POST /v1/read/routes", object{"topics": topics}).is(200).validFor(20 * time.Second).into(&reply)
	var got []string
	for _, r := range reply.Routes {
		got = append(got, r.Status)
	}
	if want := "absent changed changed later later"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	a.options.Limits.Answer = 1 // one is always sent, or nobody would get on
	a.again().do("POST /v1/read/routes", object{"topics": topics[3:]}).is(200).into(&reply)
	if reply.Routes[0].Status != "changed" || reply.Routes[1].Status != "later" {
		t.Errorf("got %+v", reply.Routes)
	}
}

func TestRoutesFields(t *testing.T) {
	a := newAPI(t)
	for body, field := range map[string]string{
		`{}`:                           "topics",
		`{"topics":"orders"}`:          "topics",
		`{"topics":["orders"]}`:        "topics[0]",
		`{"topics":[{}]}`:              "topics[0].topic",
		`{"topics":[{"topic":""}]}`:    "topics[0].topic",
		`{"topics":[{"topic":"a\n"}]}`: "topics[0].topic",
		`{"topics":[{"topic":"a"},{"topic":"a","etag":"\"00\""}]}`: "topics[1].etag",
		`{"topics":[{"topic":"a","etag":"0G"}]}`:                   "topics[0].etag",
		`{"topics":[],"revision":-1}`:                              "revision",
		`{"topics":[],"consistent":"true"}`:                        "consistent",
		`{"topics":[],"zone":1}`:                                   "zone",
	} {
		a.do("POST /v1/read/routes", body).problem(400, "invalid-field", field)
	}
	many := `{"topics":[` + strings.Repeat(`{"topic":"a"},`, 1000) + `{"topic":"a"}]}`
	a.do("POST /v1/read/routes", many).problem(413, "too-large", "")
}

func TestActingMasterInRoute(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders").but("enableActingMaster", true)).is(200)
	a.register(broker("a", 1, "orders").but("enableActingMaster", true)).is(200)
	a.do("POST /v1/register/unregister", beatOf(broker("a", 0))).is(204)
	body := string(a.route("orders").is(http.StatusOK).body)
	if !strings.Contains(body, `"0":"10.0.1.2:10911"`) || !strings.Contains(body, `"perm":4`) {
		t.Errorf("the slave does not act as master: %s", body)
	}
}

// Who hears of the sessions keeps what living ones hold, and is told which
// brokers would change it by coming back.
func TestRoutesForWhoFollowsTheSessions(t *testing.T) {
	a := newAPI(t)
	a.do(openS1, nil).is(200)
	a.register(broker("a", 0, "orders").but("session", "s1")).is(200)
	a.register(broker("b", 0, "orders")).is(200)
	a.do("POST /v1/register/unregister", beatOf(broker("b", 0))).is(204)
	type routes struct {
		Routes []struct {
			Topic, Status  string
			ValidForMillis int64
			Silent         []string
		}
	}
	ask := func(sessions bool) (got routes) {
		t.Helper()
		a.do("POST /v1/read/routes", object{"sessions": sessions, "topics": []object{{"topic": "orders"}, {"topic": "none"}}}).is(200).into(&got)
		if r := got.Routes[0]; r.Status != "absent" && (len(r.Silent) != 1 || r.Silent[0] != "b") {
			t.Errorf("silent: %v", r.Silent)
		}
		return got
	}
	if got := ask(false); got.Routes[0].ValidForMillis != 30_000 {
		t.Errorf("who does not follow keeps it for %d ms", got.Routes[0].ValidForMillis)
	}
	if got := ask(true); got.Routes[0].ValidForMillis != 3_600_000 || got.Routes[1].ValidForMillis != 3_600_000 {
		t.Errorf("who follows keeps them for %+v", got)
	}
	a.step(core.FollowTime + time.Millisecond)
	if got := ask(true); got.Routes[0].ValidForMillis != 99_999 {
		t.Errorf("of a session that may have stopped it is kept for %d ms", got.Routes[0].ValidForMillis)
	}
	a.step(100 * time.Second) // all have lapsed, and nobody has evicted them
	if got := ask(true); got.Routes[0].Status != "absent" || got.Routes[0].ValidForMillis != 1000 {
		t.Errorf("what may come back is %+v", got.Routes[0])
	}
}
