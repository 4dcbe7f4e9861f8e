package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"
)

const (
	// webHeader bounds a call's headers, in bytes. API Gateway takes 10,240.
	webHeader = 16 << 10
	// webRead is how long a call may take to arrive, webWrite until it is
	// answered, from its headers on: it arrives, is worked on for httpapi's
	// 25 s, and is taken. A profile of 30 s fits too.
	webRead  = 30 * time.Second
	webWrite = 90 * time.Second
)

func (d *Daemon) webServer() *http.Server {
	return &http.Server{
		Handler: d.webHandler(), MaxHeaderBytes: webHeader,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: webRead, WriteTimeout: webWrite, IdleTimeout: time.Minute,
	}
}

// stopWeb lets the calls in flight be answered within that time.
func (d *Daemon) stopWeb(ctx context.Context, web *http.Server, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		d.Log.Warn("HTTP calls are given up", "error", err)
		web.Close()
	}
}

// webHandler serves the API if there is one, health, metrics and, only when
// asked for, pprof.
func (d *Daemon) webHandler() http.Handler {
	other := d.otherHandler()
	if d.backend.API == nil {
		return other
	}
	api := d.Metrics.countCalls(d.backend.API)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect paths that it finds unclean.
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			api.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

func (d *Daemon) otherHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		remark, err := d.isReady(time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready"+remark)
	})
	mux.Handle("GET /metrics", d.Metrics.handler())
	if d.Live.Current().Listen.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// isReady says why clients should not be sent here, or what is to be said
// although they may come.
func (d *Daemon) isReady(now time.Time) (remark string, err error) {
	switch {
	case d.server.Draining():
		return "", errors.New("draining")
	case !d.ready.Load():
		return "", errors.New("starting")
	case now.Before(d.Switches().ServiceFrom):
		return "", errors.New("waiting for brokers (needWaitForService)")
	case d.backend.Ready == nil:
		return "", nil
	}
	if remark, err = d.backend.Ready(now); remark != "" {
		remark = ", " + remark
	}
	return remark, err
}
