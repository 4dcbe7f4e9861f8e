package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

const gzipType = "application/vnd.signpost.v1+gzip"

// api is the handler over an empty memory store, with a clock that is set by
// hand. Every answer is held against the document.
type api struct {
	*httpapi.Server
	t        testing.TB
	doc      *document
	registry *core.Registry
	elapsed  *atomic.Int64 // nanoseconds since epoch
	log      bytes.Buffer
	options  httpapi.Options
}

var lastID atomic.Int64

func newAPI(t testing.TB, change ...func(*httpapi.Options)) *api {
	a := &api{t: t, doc: loadDocument(t), elapsed: new(atomic.Int64)}
	a.registry = core.New(memory.New(), core.Options{
		NewID: func() string { return fmt.Sprint("writer-", lastID.Add(1)) },
		Rules: core.Rules{OrderMessages: true, ActingMaster: true},
	})
	a.options = httpapi.Options{
		Read: a.registry, Write: a.registry, Identity: identity,
		Now: a.now,
		Log: slog.New(slog.NewTextHandler(&a.log, nil)),
	}
	for _, f := range change {
		f(&a.options)
	}
	a.Server = httpapi.New(a.options)
	return a
}

// identity takes the caller's word: "name" for who may write everything, or
// "name c1,c2" for those clusters.
func identity(r *http.Request) (httpapi.Caller, error) {
	who, clusters, some := strings.Cut(r.Header.Get("X-Caller"), " ")
	if who == "stranger" {
		return httpapi.Caller{}, fmt.Errorf("no such account: %s", who)
	}
	return httpapi.Caller{ID: who, AllClusters: !some, Clusters: strings.Split(clusters, ",")}, nil
}

func (a *api) now() time.Time       { return epoch.Add(time.Duration(a.elapsed.Load())) }
func (a *api) step(d time.Duration) { a.elapsed.Add(int64(d)) }

// header changes a request before it is sent.
type header func(http.Header)

func with(name, value string) header { return func(h http.Header) { h.Set(name, value) } }
func as(caller string) header        { return with("X-Caller", caller) }

// do makes a call; body is nil, a string, bytes, or anything for JSON.
func (a *api) do(call string, body any, headers ...header) *response {
	a.t.Helper()
	method, target, _ := strings.Cut(call, " ")
	var sent []byte
	switch b := body.(type) {
	case nil:
	case string:
		sent = []byte(b)
	case []byte:
		sent = b
	default:
		var err error
		if sent, err = json.Marshal(b); err != nil {
			a.t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, target, bytes.NewReader(sent))
	if sent == nil {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		h(r.Header)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return a.judge(r, sent, w)
}

// judge holds an answer against the document.
func (a *api) judge(r *http.Request, sent []byte, w *httptest.ResponseRecorder) *response {
	a.t.Helper()
	res := &response{t: a.t, call: r.Method + " " + r.URL.String(), status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if w.Header().Get("Content-Encoding") == "gzip" {
		res.body = gunzip(a.t, res.body)
	}
	a.doc.check(a.t, r, sent, res)
	return res
}

// response is an answer that the document allows.
type response struct {
	t      testing.TB
	call   string
	status int
	header http.Header
	body   []byte
}

// is checks the status.
func (r *response) is(status int) *response {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d; %s", r.call, r.status, status, r.body)
	}
	return r
}

// says checks that the answer is this JSON, and nothing else.
func (r *response) says(want string) *response {
	r.t.Helper()
	if got, want := canonical(r.t, r.body), canonical(r.t, []byte(want)); got != want {
		r.t.Fatalf("%s: answered\n%s\nwant\n%s", r.call, got, want)
	}
	return r
}

// problem checks an error answer by the end of its type and its field.
func (r *response) problem(status int, kind, field string) *response {
	r.t.Helper()
	var p struct{ Type, Field, Reason, Detail string }
	r.is(status).into(&p)
	if p.Type != "urn:signpost:problem:"+kind || p.Field != field {
		r.t.Fatalf("%s: got %s, want a %s of field %q", r.call, r.body, kind, field)
	}
	if (field != "") != (p.Reason != "") || p.Detail == "" && kind != "internal" {
		r.t.Fatalf("%s: %s lacks the reason", r.call, r.body)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		r.t.Fatalf("%s: Cache-Control of an error is %q", r.call, got)
	}
	return r
}

func (r *response) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%s: %v in %s", r.call, err, r.body)
	}
}

func (r *response) revision() uint64 {
	r.t.Helper()
	n, err := strconv.ParseUint(r.header.Get("Signpost-Revision"), 10, 64)
	if err != nil {
		r.t.Fatalf("%s: %v", r.call, err)
	}
	return n
}

// validFor checks how long the answer may be kept.
func (r *response) validFor(want time.Duration) *response {
	r.t.Helper()
	if got := r.header.Get("Signpost-Valid-For"); got != strconv.FormatInt(want.Milliseconds(), 10) {
		r.t.Fatalf("%s: valid for %s ms, want %d", r.call, got, want.Milliseconds())
	}
	return r
}

func canonical(t testing.TB, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	out, _ := json.MarshalIndent(v, "", " ")
	return string(out)
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// object is a JSON object that tests make and change.
type object map[string]any

// but returns the object with a member changed; nil takes it away.
func (o object) but(name string, value any) object {
	next := object{}
	for k, v := range o {
		next[k] = v
	}
	if next[name] = value; value == nil {
		delete(next, name)
	}
	return next
}

func topicConfig(name string, queues int) object {
	return object{"topicName": name, "readQueueNums": queues, "writeQueueNums": queues, "perm": 6, "topicSysFlag": 0}
}

// broker is a registration in cluster c1. Its first topic is its own, so that
// it has two: one alone is refused of a broker that is not known.
func broker(name string, id int64, topics ...string) object {
	table := object{name + "-own": topicConfig(name+"-own", 1)}
	for _, t := range topics {
		table[t] = topicConfig(t, 8)
	}
	if len(topics) == 0 {
		table[name+"-own-2"] = topicConfig(name+"-own-2", 1)
	}
	return object{
		"clusterName": "c1", "brokerName": name, "brokerId": id,
		"brokerAddr":       fmt.Sprintf("10.0.%d.%d:10911", len(name), id+1),
		"haServerAddr":     fmt.Sprintf("10.0.%d.%d:10912", len(name), id+1),
		"dataVersion":      object{"counter": 1, "stateVersion": 0, "timestamp": 1700000000000},
		"topicConfigTable": table,
	}
}

func (a *api) register(b object, headers ...header) *response {
	a.t.Helper()
	return a.do("PUT /v1/register/broker", b, headers...)
}

// beatOf is the light heartbeat of a broker.
func beatOf(b object) object {
	return object{"clusterName": b["clusterName"], "brokerName": b["brokerName"], "brokerId": b["brokerId"], "brokerAddr": b["brokerAddr"]}
}

// beat sends heartbeats and returns their answers, joined.
func (a *api) beat(beats ...object) string {
	a.t.Helper()
	var reply struct{ Answers []string }
	a.do("POST /v1/register/beats", object{"beats": append([]object{}, beats...)}).is(200).validFor(0).into(&reply)
	return strings.Join(reply.Answers, " ")
}

// route asks for a topic.
func (a *api) route(topic string, headers ...header) *response {
	a.t.Helper()
	return a.do("GET /v1/read/route?topic="+url.QueryEscape(topic), nil, headers...)
}

// addrs asks where a topic is, "" for nowhere.
func (a *api) addrs(topic string) string {
	a.t.Helper()
	r := a.route(topic)
	if r.status == 404 {
		return ""
	}
	var route struct {
		BrokerDatas []struct {
			BrokerName  string
			BrokerAddrs map[string]string
		}
	}
	r.is(200).into(&route)
	var all []string
	for _, b := range route.BrokerDatas {
		for id := range 10 {
			if addr, ok := b.BrokerAddrs[strconv.Itoa(id)]; ok {
				all = append(all, fmt.Sprintf("%s/%d=%s", b.BrokerName, id, addr))
			}
		}
	}
	return strings.Join(all, " ")
}
