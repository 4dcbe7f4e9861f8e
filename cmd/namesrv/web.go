package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/nameserver"
)

const (
	// webHeader bounds a call's headers, in bytes. API Gateway takes 10,240.
	webHeader = 16 << 10
	// webRead is how long a call may take to arrive, webWrite until it is
	// answered, from its headers on: it arrives, is worked on for httpapi's
	// 25 s, and is taken. A profile of 30 s fits too.
	webRead  = 30 * time.Second
	webWrite = 90 * time.Second
	// compressFrom is the size in bytes from which answers of the API are
	// compressed: less than that fits one packet.
	compressFrom = 1 << 10
)

func (a *app) webServer() *http.Server {
	return &http.Server{
		Handler: a.webHandler(), MaxHeaderBytes: webHeader,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: webRead, WriteTimeout: webWrite, IdleTimeout: time.Minute,
	}
}

// stopWeb lets the calls in flight be answered within that time.
func (a *app) stopWeb(ctx context.Context, web *http.Server, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		a.log.Warn("HTTP calls are given up", "error", err)
		web.Close()
	}
}

// webHandler serves the API, health, metrics and, only when asked for, pprof.
func (a *app) webHandler() http.Handler {
	api := a.metrics.countCalls(a.api())
	other := a.otherHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect paths that it finds unclean.
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			api.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// api is the HTTP front over the same registry. Who reaches the port may do
// everything there, as on the TCP port.
func (a *app) api() http.Handler {
	cfg := a.live.Current()
	return httpapi.New(httpapi.Options{
		Read: waitingReader{a.registry, a.switches}, Write: a.registry,
		Identity: httpapi.Anyone, Now: a.storage.now, Log: a.log,
		Limits: httpapi.Limits{ // what openapi.yaml says, or what is less
			Body: min(cfg.Limits.RegistrationBytes, 16<<20), Inflated: min(cfg.Limits.InflatedBytes, 64<<20),
			Topics: cfg.Limits.TopicsPerRegistration,
		},
		CompressFrom: compressFrom, BrokerTimeout: cfg.Rules.BrokerTimeout,
	})
}

// waitingReader answers no route before needWaitForService allows it, as the
// TCP front does.
type waitingReader struct {
	*core.Registry
	switches func() nameserver.Switches
}

// Route is the registry's, or core.ErrUnavailable.
func (r waitingReader) Route(ctx context.Context, now time.Time, topic string) (*core.Route, error) {
	if time.Now().Before(r.switches().ServiceFrom) {
		return nil, fmt.Errorf("brokers are waited for (needWaitForService): %w", core.ErrUnavailable)
	}
	return r.Registry.Route(ctx, now, topic)
}

func (a *app) otherHandler() http.Handler {
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
