package api

import (
	"crypto/tls"
	"net"
	"net/http"
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
)

// NewTransport returns a transport fit for calls of the API: through the
// proxy of the environment, with TLS 1.2 at least, and over HTTP/2 where there
// is. An HTTP/2 connection that says nothing is asked whether it lives: else
// one that a firewall has forgotten would take every call for minutes.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
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
