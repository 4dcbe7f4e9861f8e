package api_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
	"signpost/internal/upstream/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// hands is a clock that is set by hand.
type hands struct{ elapsed atomic.Int64 }

func (h *hands) now() time.Time       { return epoch.Add(time.Duration(h.elapsed.Load())) }
func (h *hands) step(d time.Duration) { h.elapsed.Add(int64(d)) }

// world is the API over an empty memory store, with a client of it. Both have
// the same clock.
type world struct {
	*api.Client
	t        testing.TB
	clock    hands
	registry *core.Registry
	server   *httptest.Server
	options  api.Options
}

// caller is who a request says to be from, in the header that a client of a
// world with a name adds.
const caller = "X-Caller"

func newWorld(t testing.TB, change ...func(*httpapi.Options)) *world {
	w := &world{t: t}
	var ids atomic.Int64
	w.registry = core.New(memory.New(), core.Options{
		NewID: func() string { return fmt.Sprint("writer-", ids.Add(1)) },
		Rules: core.Rules{ActingMaster: true},
	})
	o := httpapi.Options{
		Read: w.registry, Write: w.registry, Now: w.clock.now, Log: slog.New(slog.DiscardHandler), CompressFrom: 512,
		Identity: func(r *http.Request) (httpapi.Caller, error) {
			who, clusters, some := strings.Cut(r.Header.Get(caller), " ")
			if who == "stranger" {
				return httpapi.Caller{}, fmt.Errorf("no such account: %s", who)
			}
			return httpapi.Caller{ID: who, AllClusters: !some, Clusters: strings.Split(clusters, ",")}, nil
		},
	}
	for _, f := range change {
		f(&o)
	}
	w.server = httptest.NewServer(httpapi.New(o))
	t.Cleanup(w.server.Close)
	w.options = api.Options{Endpoint: w.server.URL, Now: w.clock.now}
	w.Client = w.client(w.options)
	return w
}

// client returns one more client of the world.
func (w *world) client(o api.Options) *api.Client { return newClient(w.t, o) }

func newClient(t testing.TB, o api.Options) *api.Client {
	t.Helper()
	c, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// as returns a client whose calls are another caller's.
func (w *world) as(who string) *api.Client {
	o := w.options
	transport := api.NewTransport()
	w.t.Cleanup(transport.CloseIdleConnections)
	o.Transport = tripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set(caller, who)
		return transport.RoundTrip(r)
	})
	return w.client(o)
}

// tripper is a transport that is one function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// inProcess is a transport to a handler without a connection: a handler that
// panics with http.ErrAbortHandler, or outlives the request, has no answer.
func inProcess(h http.HandlerFunc) http.RoundTripper {
	return tripper(func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		aborted := func() (aborted bool) {
			defer func() { aborted = recover() != nil }()
			h(rec, r)
			return false
		}()
		switch {
		case r.Context().Err() != nil:
			return nil, r.Context().Err()
		case aborted:
			return nil, io.ErrUnexpectedEOF
		}
		return rec.Result(), nil
	})
}

// session opens a session.
func (w *world) session(id string) string {
	w.t.Helper()
	if _, err := w.OpenSession(w.t.Context(), id, "gw-"+id, 0); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// broker is a registration of a broker with some topics, said now.
func (w *world) broker(name string, id int64, topics ...string) api.Registration {
	return api.Registration{
		Registration: core.Registration{
			Cluster: "c1", Broker: name, ID: id, Addr: addrOf(name, id), HAAddr: addrOf(name, id) + "2", Timeout: 2 * time.Minute,
		},
		Said: w.clock.now(), Body: bodyOf(w.t, content(topics...)),
	}
}

func addrOf(name string, id int64) string { return fmt.Sprintf("%s-%d:10911", name, id) }

func content(topics ...string) core.Content {
	c := core.Content{DataVersion: core.DataVersion{Counter: int64(len(topics)), Timestamp: 1_700_000_000_000, StateVersion: 7}, FilterServers: []string{}}
	for _, name := range topics {
		c.Topics = append(c.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 8, Write: 4, Perm: 6}})
	}
	return c
}

func bodyOf(t testing.TB, c core.Content) api.Body {
	t.Helper()
	b, err := api.NewBody(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// register registers a broker through a session, which has to work.
func (w *world) register(session string, r api.Registration) api.Registered {
	w.t.Helper()
	said, err := w.Register(w.t.Context(), session, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return said
}
