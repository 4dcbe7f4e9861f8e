package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/daemon"
)

// app is the registry over its store.
type app struct {
	daemon   *daemon.Daemon
	log      *slog.Logger
	storage  storage
	registry *core.Registry
}

// open opens the store and what is made of it.
func open(ctx context.Context, d *daemon.Daemon) (daemon.Backend, error) {
	cfg := d.Live.Current()
	a := &app{daemon: d, log: d.Log}
	if err := a.openStorage(ctx, cfg.Storage); err != nil {
		return daemon.Backend{}, err
	}
	events := newEventCounter()
	a.registry = core.New(a.storage, core.Options{
		Sink:        eventLog{to: a.storage.bus, log: a.log, events: events.count},
		Rules:       daemon.Rules(cfg),
		NewID:       rand.Text,
		Guard:       cfg.Rules.Guard,
		OnMinBroker: d.MinBrokerChanged,
	})
	loops := []func(context.Context) error{a.sweep}
	if a.storage.kv != nil {
		loops = append(loops, a.logKVPeriodically)
	}
	return daemon.Backend{
		Registry: a.registry, Now: a.storage.now, Front: a.storage.front, Local: a.storage.disk != nil,
		API:        a.api(),
		Configured: func(cfg *config.Config) { a.registry.SetRules(daemon.Rules(cfg)) },
		Collector:  collector{a, events},
		Loops:      loops,
		Close:      a.storage.close,
	}, nil
}

// sweep announces what expired. No answer waits for it.
func (a *app) sweep(ctx context.Context) error {
	return every(ctx, a.daemon.Live.Current().Rules.ScanInterval, func() {
		pass, cancel := context.WithTimeout(ctx, daemon.HandlerTime)
		defer cancel()
		err := a.storage.maySweep()
		if err == nil {
			_, err = a.registry.Sweep(pass, a.storage.now())
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("sweep incomplete", "error", err)
		}
	})
}

func (a *app) logKVPeriodically(ctx context.Context) error {
	return every(ctx, kvLogInterval, func() { logKV(a.log, *a.storage.kv.table.Load()) })
}

// every works at each interval until ctx ends.
func every(ctx context.Context, interval time.Duration, work func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			work()
		}
	}
}
