package main

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/daemon/daemontest"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
	"signpost/internal/remoting"
)

const patience = daemontest.Patience

var (
	fields       = daemontest.Fields
	registration = daemontest.Registration
	routeOf      = daemontest.RouteOf
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cloud is the API over an empty store in memory. While it is down calls of it
// have no answer.
type cloud struct {
	registry *core.Registry
	server   *httptest.Server
	down     atomic.Bool
	calls    atomic.Int64
}

func newCloud(t *testing.T, rules core.Rules) *cloud {
	c := &cloud{}
	c.registry = core.New(memory.New(), core.Options{NewID: rand.Text, Rules: rules})
	handler := httpapi.New(httpapi.Options{
		Read: c.registry, Write: c.registry, Identity: httpapi.Anyone, Now: time.Now, Log: slog.New(slog.DiscardHandler), CompressFrom: 1 << 10,
		Limits: httpapi.Limits{Body: 16 << 20, Inflated: 64 << 20, Topics: 200_000},
	})
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.calls.Add(1)
		if c.down.Load() {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(c.server.Close)
	return c
}

// flags are those of a shim of this cloud with its state in dir.
func (c *cloud) flags(dir string, more ...string) []string {
	return append([]string{"--endpoint", c.server.URL, "--signing", "none", "--stateFile", filepath.Join(dir, "shim.db"), "--beatMillis", "100"}, more...)
}

// launch starts a shim and waits until it serves.
func (c *cloud) launch(t *testing.T, dir string, more ...string) *daemontest.Program {
	t.Helper()
	return daemontest.Launch(t, run, c.flags(dir, more...)...)
}

// eventually waits until it is so.
func eventually(t *testing.T, p *daemontest.Program, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to this: %s; log:\n%s", what, p.Stderr.String())
		}
	}
}

// answer is what a request for a topic's route is answered.
func answer(p *daemontest.Program, topic string) remoting.Code {
	return p.Call(nil, routeOf(topic)).Code
}
