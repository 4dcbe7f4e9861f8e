package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
)

// noted notes which of its methods are called.
type noted struct {
	core.Store
	calls []string
}

func (n *noted) note(call string) { n.calls = append(n.calls, call) }

func (n *noted) Group(ctx context.Context, name string) (core.Group, error) {
	n.note("Group")
	return n.Store.Group(ctx, name)
}

func (n *noted) Groups(ctx context.Context, names []string) ([]core.Group, error) {
	n.note("Groups")
	return n.Store.Groups(ctx, names)
}

func (n *noted) PutGroup(ctx context.Context, g core.Group) (core.Group, error) {
	n.note("PutGroup")
	return n.Store.PutGroup(ctx, g)
}

func (n *noted) Renew(ctx context.Context, now time.Time, r core.Renewal) (core.Group, error) {
	n.note("Renew")
	return n.Store.Renew(ctx, now, r)
}

func (n *noted) Rows(ctx context.Context, topic string) ([]core.Row, error) {
	n.note("Rows")
	return n.Store.Rows(ctx, topic)
}

func (n *noted) TopicSet(ctx context.Context, broker string) ([]core.TopicFlag, error) {
	n.note("TopicSet")
	return n.Store.TopicSet(ctx, broker)
}

func (n *noted) WriteTopics(ctx context.Context, w core.TopicWrite) ([]string, error) {
	n.note("WriteTopics")
	return n.Store.WriteTopics(ctx, w)
}

func (n *noted) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	n.note("Head")
	return n.Store.Head(ctx, since, fresh)
}

func (n *noted) Sessions(ctx context.Context) (core.Sessions, error) {
	n.note("Sessions")
	return n.Store.Sessions(ctx)
}

func (n *noted) Raise(ctx context.Context, c []core.Change) (core.Revision, error) {
	n.note("Raise")
	return n.Store.Raise(ctx, c)
}

func (n *noted) BeatSession(ctx context.Context, id, owner string, now time.Time) error {
	n.note("BeatSession")
	return n.Store.BeatSession(ctx, id, owner, now)
}

func (n *noted) KV(ctx context.Context, namespace string) (map[string]string, error) {
	n.note("KV")
	return n.Store.KV(ctx, namespace)
}

// What brokers and gateways say all the time costs one write each.
func TestSteadyStateIsOneWriteEach(t *testing.T) {
	a := newAPI(t)
	store := &noted{Store: memory.New()}
	a.registry = core.New(store, core.Options{NewID: func() string { return fmt.Sprint("writer-", lastID.Add(1)) }})
	a.options.Read, a.options.Write = a.registry, a.registry
	a = a.again()
	b := broker("a", 0, "orders")
	a.register(b).is(200)
	a.do(openS1, nil).is(200)
	for _, c := range []struct {
		what string
		do   func()
		want []string
	}{
		{"an unchanged registration", func() { a.register(b).is(200) }, []string{"Renew"}},
		{"a light heartbeat", func() { a.beat(beatOf(b)) }, []string{"Renew"}},
		{"a session's heartbeat", func() { a.do("PUT /v1/register/session?id=s1", nil).is(200) }, []string{"BeatSession", "Head"}},
	} {
		a.step(time.Second)
		store.calls = nil
		if c.do(); !slices.Equal(store.calls, c.want) {
			t.Errorf("%s: %v, want %v", c.what, store.calls, c.want)
		}
	}
}

// Over a real connection the answers are as complete as in memory.
func TestOverHTTP(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.CompressFrom = 1 })
	server := httptest.NewServer(a)
	defer server.Close()
	call := func(method, target, body string, headers ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(text)
	}
	body := `{"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"x:1","topicConfigTable":{"a":{"topicName":"%RETRY%g"},"b":{"topicName":"b"}}}`
	if res, text := call("PUT", "/v1/register/broker", body, "Content-Type", "application/json"); res.StatusCode != 200 {
		t.Fatalf("registration: %d %s", res.StatusCode, text)
	}
	res, text := call("GET", "/v1/read/route?topic=%25RETRY%25g", "")
	if res.StatusCode != 200 || !res.Uncompressed || !strings.Contains(text, `"0":"x:1"`) {
		t.Errorf("route: %d %s", res.StatusCode, text)
	}
	for _, c := range []struct {
		method, target string
		headers        []string
		status         int
		body           bool
	}{
		{"GET", "/v1/read/route?topic=%25RETRY%25g", []string{"If-None-Match", res.Header.Get("ETag")}, 304, false},
		{"DELETE", "/v1/admin/kv?namespace=n&key=k", nil, 204, false},
		{"HEAD", "/v1/read/clusters", nil, 405, false},
		{"OPTIONS", "/v1/read/clusters", []string{"Origin", "https://x", "Access-Control-Request-Method", "GET"}, 405, true},
		{"GET", "/v1/read/../read/clusters", nil, 404, true},
		{"PUT", "/v1/register/broker", []string{"Content-Type", "text/plain"}, 415, true},
	} {
		res, text := call(c.method, c.target, "", c.headers...)
		if res.StatusCode != c.status || (text != "") != c.body {
			t.Errorf("%s %s: %d %q", c.method, c.target, res.StatusCode, text)
		}
		if c.status >= 400 && c.body && res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %v", c.method, c.target, res.Header)
		}
	}
}

// Many callers at once, for the race detector; in the end everybody is there.
func TestManyCallersAtOnce(t *testing.T) {
	a := newAPI(t)
	const callers, rounds = 8, 10
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			send := func(method, target, body string) {
				r := httptest.NewRequest(method, target, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if a.ServeHTTP(w, r); w.Code >= 300 {
					t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
				}
			}
			session := fmt.Sprintf("/v1/register/session?open=true&gateway=g&id=s%d", i)
			for round := range rounds {
				send("PUT", session, "")
				for _, s := range []string{"", fmt.Sprintf(`"session":"s%d",`, i)} {
					send("PUT", "/v1/register/broker", fmt.Sprintf(`{%s"clusterName":"c","brokerName":"b%d","brokerId":0,"brokerAddr":"x:%d",`+
						`"dataVersion":{"counter":%d},"topicConfigTable":{"all":{"topicName":"all"},"t":{"topicName":"t%d"}}}`, s, i, i, round, i))
				}
				send("POST", "/v1/register/beats", fmt.Sprintf(`{"beats":[{"clusterName":"c","brokerName":"b%d","brokerAddr":"x:%d","session":"s%d"}]}`, i, i, i))
				send("GET", "/v1/read/route?topic=all", "")
				send("POST", "/v1/read/routes", `{"topics":[{"topic":"all"},{"topic":"t0"},{"topic":"no-such"}]}`)
				send("GET", "/v1/read/clusters", "")
			}
		})
	}
	wg.Wait()
	if got := strings.Fields(a.addrs("all")); len(got) != callers {
		t.Errorf("all is at %v", got)
	}
}
