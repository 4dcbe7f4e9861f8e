package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/internal/acl"
	"signpost/internal/advertise"
	"signpost/internal/config"
	"signpost/internal/discovery"
	"signpost/internal/nameserver"
	"signpost/internal/product"
	"signpost/internal/tlsport"
)

const (
	// handlerTime is longer than any broker or client waits (24 s for a 5.x
	// registration), and shorter than the 30 s for which the token of a group's
	// writer stands.
	handlerTime = 25 * time.Second
	// notifyTime is Java's for request code 905 (RouteInfoManager.notifyMinBrokerIdChanged).
	notifyTime = 300 * time.Millisecond
)

// app is the NameServer with everything it is made of.
type app struct {
	live     *config.Live
	log      *slog.Logger
	storage  storage
	registry *core.Registry
	server   *nameserver.Server
	port     *tlsport.Port
	product  *product.Client   // nil unless clusterTest
	accounts *acl.Guard        // nil unless aclEnable
	shown    *advertise.File   // which network sees which addresses; nil if all see the same
	found    *discovery.Server // nil if off
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
	if err = a.openStorage(ctx, cfg.Storage); err != nil {
		return a, err
	}
	a.metrics = newMetrics(a)
	if a.accounts, err = openAccounts(cfg.ACL, log, a.metrics.Refused); err != nil {
		return a, fmt.Errorf("aclFile: %w", err)
	}
	if a.shown, err = openAddressMap(cfg.Addresses, log); err != nil {
		return a, fmt.Errorf("addressMapFile: %w", err)
	}
	a.registry = core.New(a.storage, core.Options{
		Sink:  eventLog{to: a.storage.bus, log: log, events: a.metrics.event},
		Rules: rules(cfg),
		NewID: rand.Text,
		Guard: cfg.Rules.Guard,
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
		Log:      log, Observer: a.metrics, Now: a.storage.now, Front: a.storage.front,
		Secure:    func(c net.Conn) (net.Conn, error) { return a.port.Accept(c) },
		Authorize: authorizer(a.accounts),
		Advertise: advertiser(a.shown),
		Local:     a.storage.disk != nil,
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
	if a.found, err = openDiscovery(cfg.Addresses, log); err != nil {
		return a, fmt.Errorf("discoveryAddr: %w", err)
	}
	return a, nil
}

// serve works until ctx ends or a part of it fails, and then stops in order:
// no new connections, what is in flight is answered, the state is saved.
func (a *app) serve(ctx context.Context) error {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 3)
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
		web = a.webServer()
		served.Go(func() {
			if err := web.Serve(a.httpLn); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("httpAddr: %w", err)
			}
		})
	}
	background(a.sweep)
	if a.storage.kv != nil {
		background(a.logKVPeriodically)
	}
	background(a.port.Run)
	if a.accounts != nil {
		background(a.accounts.Run)
	}
	if a.shown != nil {
		background(a.shown.Run)
	}
	if a.found != nil {
		background(func(ctx context.Context) {
			if err := a.found.Run(ctx); err != nil {
				failed <- fmt.Errorf("discoveryAddr: %w", err)
			}
		})
	}
	background(trimMemory)
	a.ready.Store(true)
	where := []any{"address", a.listener.Addr().String(), "after", time.Since(a.started).String()}
	if a.httpLn != nil {
		where = append(where, "httpAddr", a.httpLn.Addr().String())
	}
	if a.found != nil {
		where = append(where, "discoveryAddr", a.found.Addr().String())
	}
	a.log.Info("the NameServer serves", where...)
	if err := forgetCode(); err != nil {
		a.log.Debug("the memory of the start is kept", "error", err)
	}

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
	if web != nil { // it has answered until here, of health too
		a.stopWeb(ctx, web, cfg.Shutdown.Drain)
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
	if a.found != nil {
		a.found.Close()
	}
	if a.product != nil {
		a.product.Close()
	}
	return a.storage.close(ctx)
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
		err := a.storage.maySweep()
		if err == nil {
			_, err = a.registry.Sweep(pass, a.storage.now())
		}
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
			logKV(a.log, *a.storage.kv.table.Load())
		}
	}
}
