package main

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"
)

// webHandler serves health, metrics and, only when asked for, pprof.
func (a *app) webHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := a.notReady(time.Now()); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", a.metrics.handler())
	if a.live.Current().Listen.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// notReady says why clients should not be sent here; "" if they may come.
func (a *app) notReady(now time.Time) string {
	switch {
	case a.server.Draining():
		return "draining"
	case !a.ready.Load():
		return "starting"
	case now.Before(a.switches().ServiceFrom):
		return "waiting for brokers (needWaitForService)"
	}
	return ""
}
