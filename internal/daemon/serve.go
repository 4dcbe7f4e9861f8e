package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// serve works until ctx ends or a part of it fails, and then stops in order:
// no new connections, what is in flight is answered, the backend is closed.
func (d *Daemon) serve(ctx context.Context) error {
	// What works beside the fronts goes on until they are drained: what is still
	// answered is still right, and what is taken in still gets its way.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	failed := make(chan error, 3+len(d.backend.Loops))
	var wg, served sync.WaitGroup
	served.Go(func() {
		if err := d.server.Serve(d.listener); err != nil {
			failed <- err
		}
	})
	var web *http.Server
	if d.httpLn != nil {
		web = d.webServer()
		served.Go(func() {
			if err := web.Serve(d.httpLn); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("httpAddr: %w", err)
			}
		})
	}
	for _, loop := range d.loops() {
		wg.Go(func() {
			if err := loop(work); err != nil && work.Err() == nil {
				failed <- err
			}
		})
	}
	d.ready.Store(true)
	d.logServing()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	d.drain(ctx, web)
	cancel()
	wg.Wait()
	served.Wait()
	return errors.Join(err, d.close(context.WithoutCancel(ctx)))
}

// loops are what works beside the fronts.
func (d *Daemon) loops() []func(context.Context) error {
	endless := func(run func(context.Context)) func(context.Context) error {
		return func(ctx context.Context) error { run(ctx); return nil }
	}
	all := append([]func(context.Context) error{endless(d.port.Run), endless(func(ctx context.Context) { saveMemory(ctx, d.Log) })}, d.backend.Loops...)
	if d.accounts != nil {
		all = append(all, endless(d.accounts.Run))
	}
	if d.shown != nil {
		all = append(all, endless(d.shown.Run))
	}
	if d.found != nil {
		all = append(all, func(ctx context.Context) error {
			if err := d.found.Run(ctx); err != nil {
				return fmt.Errorf("discoveryAddr: %w", err)
			}
			return nil
		})
	}
	return all
}

func (d *Daemon) logServing() {
	where := []any{"address", d.listener.Addr().String(), "after", time.Since(d.Started).String()}
	if d.httpLn != nil {
		where = append(where, "httpAddr", d.httpLn.Addr().String())
	}
	if d.found != nil {
		where = append(where, "discoveryAddr", d.found.Addr().String())
	}
	d.Log.Info("the "+d.title+" serves", where...)
	if err := forgetCode(); err != nil {
		d.Log.Debug("the memory of the start is kept", "error", err)
	}
}

// drain ends both fronts.
func (d *Daemon) drain(ctx context.Context, web *http.Server) {
	d.ready.Store(false)
	cfg := d.Live.Current()
	d.Log.Info("the " + d.title + " drains")
	goAway := time.Duration(0)
	if cfg.Shutdown.Graceful {
		goAway = cfg.Shutdown.Wait
	}
	within, stop := context.WithTimeout(context.WithoutCancel(ctx), goAway+cfg.Shutdown.Drain)
	defer stop()
	d.listener.Close()
	d.server.Shutdown(within, goAway)
	if web != nil { // it has answered until here, of health too
		d.stopWeb(ctx, web, cfg.Shutdown.Drain)
	}
}
