package api

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of the connections to the API. An attempt's own deadline covers all
// of these; they are for what goes on after it.
const (
	dialTimeout  = 5 * time.Second
	keepAlive    = 15 * time.Second
	idleTimeout  = 60 * time.Second // the gateway keeps them a little longer
	maxIdle      = 16
	maxConns     = 64
	maxHeader    = 64 << 10 // bytes of an answer's header
	pingAfter    = 5 * time.Second
	pingPatience = 3 * time.Second
	silence      = time.Second // without an answer, for a connection to be left
)

// NewTransport returns a transport fit for calls of the API: through the
// proxy of the environment, with TLS 1.2 at least, and over HTTP/2 where there
// is. An HTTP/2 connection that says nothing is asked whether it lives: else
// one that a firewall has forgotten would take every call for minutes.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingPatience},
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		MaxConnsPerHost:        maxConns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // answers are inflated here, under a limit
	}
}

// link is the connections that calls go over. One that fell silent may take
// calls for minutes, for HTTP/2 has one for all, on which perhaps a long call
// waits as well. So they are left when a call is not answered in time.
type link struct {
	mu      sync.Mutex
	current *http.Client
	left    *http.Client // before it; nil if none was
}

func overTransport(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: t,
		// A signature is for one address, and so is trust.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (l *link) get() *http.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// judge looks at a call that failed after so long: if its time was over, all
// calls to come go over new connections. What waits on those that were used
// goes on, and they end when they have been idle.
func (l *link) judge(ctx context.Context, used *http.Client, after time.Duration) {
	t, ok := used.Transport.(*http.Transport)
	if !ok || ctx.Err() != context.DeadlineExceeded || after < silence {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != used { // somebody else did
		return
	}
	if l.left != nil {
		l.left.CloseIdleConnections()
	}
	l.current, l.left = overTransport(t.Clone()), used
	used.CloseIdleConnections()
}

// close closes what is idle.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current.CloseIdleConnections()
	if l.left != nil {
		l.left.CloseIdleConnections()
	}
}
