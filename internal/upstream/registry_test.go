package upstream_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
	"signpost/internal/remoting"
	"signpost/internal/upstream"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/follow"
	"signpost/internal/upstream/held"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a registry over the API, which is called in this process.
type world struct {
	*upstream.Registry
	cloud  *core.Registry
	client *api.Client
	file   string // of what was known last
	stop   func()

	mu      sync.Mutex
	handler http.Handler
	down    bool
	calls   map[string]int // by path
	behind  int            // so many of the next lists are from before everything
}

// run calls f with a world in a time of its own.
func run(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{calls: map[string]int{}}
		w.empty()
		client, err := api.New(api.Options{Endpoint: "http://api", Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			w.mu.Lock()
			w.calls[r.URL.Path]++
			down, handler := w.down, w.handler
			w.mu.Unlock()
			if down {
				return nil, errors.New("the link is cut")
			}
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, r)
			return rec.Result(), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		w.client, w.file = client, filepath.Join(t.TempDir(), "state")
		w.start(t)
		defer client.Close()
		defer func() { w.stop() }()
		f(t, w)
	})
}

// empty gives the API an empty table, and a process that knows nothing else.
func (w *world) empty() {
	cloud := core.New(memory.New(), core.Options{NewID: rand.Text})
	handler := httpapi.New(httpapi.Options{
		Read: cloud, Write: cloud, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Identity: func(r *http.Request) (httpapi.Caller, error) {
			return httpapi.Caller{Clusters: []string{"c"}}, nil
		},
	})
	w.set(func() { w.cloud, w.handler = cloud, handler })
}

// start starts a process of it; stop ends that.
func (w *world) start(t *testing.T) {
	follower, err := follow.New(follow.Options{Cloud: w.client, Gateway: "g", NewID: rand.Text, File: w.file})
	if err != nil {
		t.Fatal(err)
	}
	local := core.New(memory.New(), core.Options{NewID: rand.Text})
	brokers := held.New(held.Options{Cloud: w.client, Session: follower, Local: local})
	follower.Listen(brokers)
	w.Registry = upstream.New(upstream.Options{Cloud: lagging{w.client, w}, Held: brokers, Follow: follower, Local: local})
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	loops.Go(func() { follower.Run(ctx) })
	loops.Go(func() { brokers.Run(ctx) })
	synctest.Wait()
	w.stop = func() {
		cancel()
		loops.Wait()
		if err := follower.Close(); err != nil {
			t.Error(err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// lagging answers some lists from before everything, as a function does that has
// not heard yet.
type lagging struct {
	*api.Client
	w *world
}

func (l lagging) Topics(ctx context.Context, kind core.TopicKind, cluster string) ([]string, api.Meta, error) {
	names, meta, err := l.Client.Topics(ctx, kind, cluster)
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if err == nil && l.w.behind > 0 {
		l.w.behind--
		return []string{"from before"}, api.Meta{Revision: 0, ValidFor: meta.ValidFor}, nil
	}
	return names, meta, err
}

func (w *world) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[path]
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// register registers a master of cluster c, as a broker connected here.
func (w *world) register(t *testing.T, name, addr string, topics ...string) {
	t.Helper()
	if _, err := w.Register(t.Context(), time.Now(), registration("c", name, addr, topics...)); err != nil {
		t.Fatalf("register %s: %v", name, err)
	}
}

func registration(cluster, name, addr string, topics ...string) core.Registration {
	content := core.Content{DataVersion: core.DataVersion{Counter: 1}}
	for _, topic := range topics {
		content.Topics = append(content.Topics, core.Topic{Name: topic, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	return core.Registration{
		Cluster: cluster, Broker: name, Addr: addr, Timeout: core.DefaultTimeout, Front: "tcp", Digest: uint64(len(name) + len(addr) + len(topics)),
		Content: func() (core.Content, error) { return content, nil },
	}
}

func (w *world) wantTopics(t *testing.T, want ...string) {
	t.Helper()
	if got, _, err := w.Topics(t.Context(), time.Now(), core.AllTopics, ""); err != nil || !slices.Equal(got, want) {
		t.Errorf("topics %q, %v; want %q", got, err, want)
	}
}

func TestAListIsAskedForOnceWhileItHolds(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		const path = "/v1/read/topics"
		for range 5 {
			w.wantTopics(t, "t1", "t2")
			time.Sleep(time.Second)
		}
		if n := w.count(path); n != 1 {
			t.Errorf("%d calls for five lists", n)
		}
		w.register(t, "b2", "10.0.0.2:1", "t2", "t3")
		w.wantTopics(t, "t1", "t2", "t3")
		if n := w.count(path); n != 2 {
			t.Errorf("%d calls after a change", n)
		}
		// Made elsewhere, it is seen after a beat.
		if _, err := w.cloud.Register(t.Context(), time.Now(), registration("c", "b3", "10.0.0.3:1", "t4", "t5")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		w.wantTopics(t, "t1", "t2", "t3", "t4", "t5")
		time.Sleep(time.Minute)
		calls := w.count(path)
		w.wantTopics(t, "t1", "t2", "t3", "t4", "t5")
		if n := w.count(path); n != calls+1 {
			t.Errorf("%d calls when its time was over", n-calls)
		}
	})
}

func TestAListFromBeforeAChangeIsNotTaken(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		w.set(func() { w.behind = 3 })
		w.wantTopics(t, "t1", "t2")
		// One that stays behind is better than none, and not kept.
		w.register(t, "b2", "10.0.0.2:1", "t3", "t4")
		w.set(func() { w.behind = 5 })
		w.wantTopics(t, "from before")
		w.wantTopics(t, "t1", "t2", "t3", "t4")
	})
}

func TestTheSameListsShareACall(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		w.set(func() { w.behind = 1 }) // so that the first waits
		var askers sync.WaitGroup
		for range 20 {
			askers.Go(func() { w.wantTopics(t, "t1", "t2") })
		}
		askers.Wait()
		if n := w.count("/v1/read/topics"); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestListsInAnOutage(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		w.wantTopics(t, "t1", "t2")
		if _, err := w.Route(t.Context(), time.Now(), "t1"); err != nil {
			t.Fatal(err)
		}
		names := func() string {
			groups, err := w.Groups(t.Context(), time.Now())
			text := fmt.Sprint(err)
			for _, g := range groups {
				text += " " + g.Name
			}
			return text
		}
		if got := names(); got != "<nil> b1" {
			t.Errorf("groups: %s", got)
		}
		w.set(func() { w.down = true })
		time.Sleep(time.Minute)
		w.register(t, "b2", "10.0.0.2:1", "t2", "t3")
		w.wantTopics(t, "t1", "t2", "t3")
		if got := names(); got != "<nil> b1 b2" {
			t.Errorf("groups with one that came: %s", got)
		}
		if g, err := w.Group(t.Context(), time.Now(), "b2"); err != nil || len(g.Replicas) != 1 {
			t.Errorf("who came: %+v, %v", g, err)
		}
		if _, err := w.Unregister(t.Context(), time.Now(), core.Departure{Cluster: "c", Broker: "b1", Addr: "10.0.0.1:1", Front: "tcp"}); err != nil {
			t.Error(err)
		}
		if got := names(); got != "<nil> b2" {
			t.Errorf("groups without who left: %s", got)
		}
		if _, err := w.Group(t.Context(), time.Now(), "b1"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("who left: %v", err)
		}
		if _, err := w.Route(t.Context(), time.Now(), "t1"); !errors.Is(err, core.ErrNoTopic) {
			t.Errorf("its topic: %v", err)
		}
		wantTold(t, remoting.SystemError, func() error { _, err := w.Group(t.Context(), time.Now(), "b3"); return err })
		wantTold(t, remoting.SystemError, func() error { _, err := w.Route(t.Context(), time.Now(), "unknown"); return err })
		wantTold(t, remoting.SystemError, func() error { _, err := w.PutKV(t.Context(), "n", "k", "v"); return err })
		wantTold(t, remoting.SystemError, func() error { _, err := w.KV(t.Context(), "n"); return err })
		w.set(func() { w.down = false })
		time.Sleep(time.Minute)
		w.wantTopics(t, "t2", "t3")
	})
}

// wantTold wants an error for the peer, with a text that tells why.
func wantTold(t *testing.T, code remoting.Code, call func() error) {
	t.Helper()
	err := call()
	var told interface{ Code() remoting.Code }
	if !errors.As(err, &told) || told.Code() != code || err.Error() == "" {
		t.Errorf("%v is no answer of code %v", err, code)
	}
}

func TestWhatTheAPIForbidsIsSaidSo(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		_, err := w.Register(t.Context(), time.Now(), registration("another", "b1", "10.0.0.1:1", "t1", "t2"))
		wantTold(t, remoting.NoPermission, func() error { return err })
	})
}

func TestNamesOfNothing(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		ctx, now := t.Context(), time.Now()
		before := w.count("/v1/read/kv") + w.count("/v1/read/group")
		for _, name := range []string{"", "a\x00b", "\xff"} {
			if _, err := w.KV(ctx, name); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("KV %q: %v", name, err)
			}
			if _, err := w.Group(ctx, now, name); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("group %q: %v", name, err)
			}
			if n, _, err := w.WipeWrite(ctx, now, name); n != 0 || err != nil {
				t.Errorf("wipe %q: %d, %v", name, n, err)
			}
			if n, _, err := w.AddWrite(ctx, now, name); n != 0 || err != nil {
				t.Errorf("add %q: %d, %v", name, n, err)
			}
			if _, err := w.DeleteTopic(ctx, now, name, ""); err != nil {
				t.Errorf("delete %q: %v", name, err)
			}
			if _, err := w.DeleteKV(ctx, "n", name); err != nil {
				t.Errorf("delete key %q: %v", name, err)
			}
			if _, err := w.Unregister(ctx, now, core.Departure{Cluster: "c", Broker: name, Addr: "10.0.0.1:1"}); err != nil {
				t.Errorf("unregister %q: %v", name, err)
			}
		}
		if got, _, err := w.Topics(ctx, now, core.AllTopics, "a\x00b"); len(got) != 0 || err != nil {
			t.Errorf("topics of no cluster: %q, %v", got, err)
		}
		if n := w.count("/v1/read/kv") + w.count("/v1/read/group") - before; n != 0 {
			t.Errorf("%d calls for nothing", n)
		}
	})
}

func TestKnownIsWhatIsSeen(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		if _, err, ok := w.KnownRoute(time.Now(), "t1"); ok {
			t.Errorf("known before it was asked for: %v", err)
		}
		route, err := w.Route(t.Context(), time.Now(), "t1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err, ok := w.KnownRoute(time.Now(), "t1"); !ok || err != nil || got != route {
			t.Errorf("%v, %v, %v", got, err, ok)
		}
		w.set(func() { w.down = true })
		time.Sleep(time.Minute)
		if _, err := w.Unregister(t.Context(), time.Now(), core.Departure{Cluster: "c", Broker: "b1", Addr: "10.0.0.1:1", Front: "tcp"}); err != nil {
			t.Error(err)
		}
		if got, err, ok := w.KnownRoute(time.Now(), "t1"); !ok || !errors.Is(err, core.ErrNoTopic) {
			t.Errorf("after its last broker left: %v, %v, %v", got, err, ok)
		}
	})
}
