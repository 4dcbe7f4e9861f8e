package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/kvfile"
	"signpost/internal/memory"
	"signpost/internal/nameserver"
	"signpost/internal/product"
	"signpost/internal/tlsport"
)

const (
	// handlerTime is longer than any broker or client waits (24 s for a 5.x
	// registration).
	handlerTime = 30 * time.Second
	// notifyTime is Java's for request code 905 (RouteInfoManager.notifyMinBrokerIdChanged).
	notifyTime = 300 * time.Millisecond
)

// app is the NameServer with everything it is made of.
type app struct {
	live     *config.Live
	log      *slog.Logger
	store    *memory.Store
	kv       *kvFile
	registry *core.Registry
	server   *nameserver.Server
	port     *tlsport.Port
	product  *product.Client // nil unless clusterTest
	metrics  *metrics
	listener net.Listener
	httpLn   net.Listener // nil if off
	started  time.Time
	ready    atomic.Bool
}

// newApp opens the store and the ports. What it opened is closed again if it
// fails.
func newApp(ctx context.Context, live *config.Live, log *slog.Logger) (a *app, err error) {
	cfg := live.Current()
	a = &app{live: live, log: log, started: time.Now()}
	logConfig(log, cfg)
	defer func() {
		if err != nil {
			a.close(ctx)
		}
	}()
	if err = a.openStore(cfg); err != nil {
		return a, err
	}
	a.metrics = newMetrics(a)
	a.registry = core.New(a.store, core.Options{
		Sink:  eventLog{log: log, events: a.metrics.event},
		Rules: rules(cfg),
		NewID: rand.Text,
		OnMinBroker: func(c core.MinBrokerChange) {
			a.server.MinBrokerChanged(c)
		},
	})
	a.port = tlsport.New(tlsOptions(cfg), log)
	o := nameserver.Options{
		Registry: a.registry,
		Config:   liveConfig{a},
		Switches: a.switches,
		Limits:   limits(cfg),
		Log:      log, Observer: a.metrics, Now: time.Now,
		Secure: func(c net.Conn) (net.Conn, error) { return a.port.Accept(c) },
		Local:  true,
	}
	if cfg.Product.ClusterTest {
		a.product = product.New(product.Options{
			Addrs: cfg.Product.NamesrvAddrs, AddressServer: cfg.Product.AddressServer, EnvName: cfg.Product.EnvName, Log: log,
		})
		o.Product = a.product
	}
	a.server = nameserver.New(o)
	if a.listener, err = net.Listen("tcp", cfg.Listen.Address()); err != nil {
		return a, fmt.Errorf("listenPort: %w", err)
	}
	if cfg.Listen.HTTPAddr != "" {
		if a.httpLn, err = net.Listen("tcp", cfg.Listen.HTTPAddr); err != nil {
			return a, fmt.Errorf("httpAddr: %w", err)
		}
	}
	return a, nil
}

// openStore takes over the KV file and opens the store beside it.
func (a *app) openStore(cfg *config.Config) error {
	path := cfg.Storage.KVConfigPath
	table, err := kvfile.Load(path)
	if err != nil {
		return fmt.Errorf("kvConfigPath: %w", err)
	}
	logKV(a.log, table)
	a.kv = &kvFile{path: path}
	a.kv.table.Store(&table)
	kv := memory.WithKV(a.kv, table)
	if cfg.Storage.Store.Path == "" {
		a.log.Warn("nothing is kept on disk: after a restart brokers have to register again")
		a.store = memory.New(kv)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Storage.Store.Path), 0o755); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if a.store, err = memory.Open(cfg.Storage.Store.Path, a.started, kv); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// kvFile is Java's kvConfig.json. The table saved last is kept for the log.
type kvFile struct {
	path  string
	table atomic.Pointer[map[string]map[string]string]
}

// Save replaces the file.
func (f *kvFile) Save(table map[string]map[string]string) error {
	if err := kvfile.Save(f.path, table); err != nil {
		return err
	}
	f.table.Store(&table)
	return nil
}

// serve works until ctx ends or a part of it fails, and then stops in order:
// no new connections, what is in flight is answered, the state is saved.
func (a *app) serve(ctx context.Context) error {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 2)
	var wg sync.WaitGroup
	background := func(f func(context.Context)) { wg.Go(func() { f(work) }) }

	var served sync.WaitGroup
	served.Go(func() {
		if err := a.server.Serve(a.listener); err != nil {
			failed <- err
		}
	})
	var web *http.Server
	if a.httpLn != nil {
		web = &http.Server{Handler: a.webHandler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		served.Go(func() {
			if err := web.Serve(a.httpLn); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("httpAddr: %w", err)
			}
		})
	}
	background(a.sweep)
	background(a.logKVPeriodically)
	background(a.port.Run)
	background(trimMemory)
	a.ready.Store(true)
	where := []any{"address", a.listener.Addr().String(), "after", time.Since(a.started).String()}
	if a.httpLn != nil {
		where = append(where, "httpAddr", a.httpLn.Addr().String())
	}
	a.log.Info("the NameServer serves", where...)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.ready.Store(false)
	cfg := a.live.Current()
	a.log.Info("the NameServer drains")
	goAway := time.Duration(0)
	if cfg.Shutdown.Graceful {
		goAway = cfg.Shutdown.Wait
	}
	drain, stop := context.WithTimeout(context.WithoutCancel(ctx), goAway+cfg.Shutdown.Drain)
	defer stop()
	a.listener.Close()
	a.server.Shutdown(drain, goAway)
	if web != nil {
		web.Close()
	}
	cancel()
	wg.Wait()
	served.Wait()
	return errors.Join(err, a.close(context.WithoutCancel(ctx)))
}

func (a *app) close(ctx context.Context) error {
	for _, l := range []net.Listener{a.listener, a.httpLn} {
		if l != nil {
			l.Close()
		}
	}
	if a.product != nil {
		a.product.Close()
	}
	if a.store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handlerTime)
	defer cancel()
	if err := a.store.Close(ctx); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

// sweep announces what expired. No answer waits for it.
func (a *app) sweep(ctx context.Context) {
	ticker := time.NewTicker(a.live.Current().Rules.ScanInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		pass, cancel := context.WithTimeout(ctx, handlerTime)
		_, err := a.registry.Sweep(pass, time.Now())
		cancel()
		if err != nil && ctx.Err() == nil {
			a.log.Error("sweep incomplete", "error", err)
		}
	}
}

func (a *app) logKVPeriodically(ctx context.Context) {
	ticker := time.NewTicker(kvLogInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			logKV(a.log, *a.kv.table.Load())
		}
	}
}
