package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/daemon"
	"signpost/internal/memory"
	"signpost/internal/upstream"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/follow"
	"signpost/internal/upstream/held"
)

// localRoutes bounds the routes that the local registry keeps, in bytes. They
// are asked for only while the API has yet to hear of something.
const localRoutes = 1 << 20

// app is the registry over the API, and its parts.
type app struct {
	client   *api.Client
	follow   *follow.Follower
	held     *held.Brokers
	registry *upstream.Registry
	gateway  string
}

// open makes the parts. It makes no call: a shim starts without the API.
func open(ctx context.Context, d *daemon.Daemon) (backend daemon.Backend, err error) {
	cfg := d.Live.Current()
	u := cfg.Upstream
	a := &app{}
	defer func() {
		if err != nil {
			a.close(ctx)
		}
	}()
	if err = makeFolder(u.StateFile); err != nil {
		return backend, fmt.Errorf("stateFile: %w", err)
	}
	if a.gateway, err = gatewayID(u); err != nil {
		return backend, err
	}
	m := newMetrics()
	var ready func(context.Context) error
	if a.client, ready, err = newClient(ctx, u, d.Log, m); err != nil {
		return backend, err
	}
	a.follow, err = follow.New(follow.Options{
		Cloud: a.client, Gateway: a.gateway, Interval: u.Beat, File: u.StateFile,
		Log: d.Log, Observer: m, NewID: rand.Text,
	})
	if err != nil {
		return backend, fmt.Errorf("stateFile: %w", err)
	}
	// What is known from before is answered without credentials, and at once.
	if a.follow.State(time.Now()).Routes == 0 {
		if err = ready(ctx); err != nil {
			return backend, err
		}
	}
	local := core.New(memory.New(), core.Options{Rules: daemon.Rules(cfg), NewID: rand.Text, RouteBytes: localRoutes})
	a.held = held.New(held.Options{
		Cloud: a.client, Session: a.follow, Local: local, OnMinBroker: d.MinBrokerChanged, Log: d.Log, Observer: m,
	})
	a.follow.Listen(a.held)
	a.registry = upstream.New(upstream.Options{Cloud: a.client, Held: a.held, Follow: a.follow, Local: local})
	return daemon.Backend{
		Registry: a.registry, Known: a.registry,
		Configured: func(cfg *config.Config) { local.SetRules(daemon.Rules(cfg)) },
		Ready:      a.ready,
		Collector:  collector{a, m},
		Loops:      []func(context.Context) error{a.follow.Run, a.held.Run},
		Close:      a.close,
	}, nil
}

func (a *app) close(context.Context) error {
	var err error
	if a.follow != nil {
		if err = a.follow.Close(); err != nil {
			err = fmt.Errorf("stateFile: %w", err)
		}
	}
	if a.client != nil {
		a.client.Close()
	}
	return err
}

// ready is what /readyz says.
func (a *app) ready(now time.Time) (remark string, err error) {
	s := a.follow.State(now)
	switch {
	case s.Connected:
		return "", nil
	case s.Routes == 0 && a.held.Held() == 0:
		return "", fmt.Errorf("nothing is known, and the API cannot be asked: %s", s.Reason)
	}
	return fmt.Sprintf("degraded: %s; answers are up to %s old", s.Reason, a.registry.OldestAnswer(now).Round(time.Second)), nil
}

// makeFolder makes the folder of a file, if there is to be one. Something else
// that has the file's name is not to be taken for a broken one and set aside.
func makeFolder(file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", file)
	}
	return os.MkdirAll(filepath.Dir(file), 0o755)
}
