// Package discovery is the address server that brokers and clients without a
// list of NameServers ask for one (Java: MixAll.getWSAddr, TopAddressing in
// 4.x, DefaultTopAddressing in 5.x): a plain HTTP GET each two minutes, answered
// with host:port;host:port in one line.
//
// The list is fixed by configuration, or comes from DNS: a name in it stands
// for all its addresses. Who asks hears of IP addresses only, sorted, so that
// the answer changes when the servers do and not otherwise: a client of Java
// takes any other answer for a change and connects anew.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	// resolveEvery is how often names are resolved anew: often enough for
	// brokers, which ask each two minutes.
	resolveEvery = 15 * time.Second
	// resolveTime is for one name to be resolved.
	resolveTime = 5 * time.Second
	// graceTime is how long after the start nothing is answered while a name has
	// never been resolved: a broker that takes a part of the list for the whole
	// leaves the other servers.
	graceTime = 30 * time.Second

	// maxAddresses bounds what one name may stand for, against a name that
	// stands for everything.
	maxAddresses = 64

	// A request is a line and a few headers, and nobody asks twice on one
	// connection: 1,000 of them at a time are many more than two minutes of a
	// large fleet.
	maxConns    = 1000
	maxHeader   = 8 << 10 // bytes
	requestTime = 5 * time.Second
	answerTime  = 5 * time.Second
)

// MaxServers is how many servers may be listed.
const MaxServers = 64

// Resolver is what is used of [net.Resolver].
type Resolver interface {
	// LookupNetIP returns the addresses of a host; network is "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say what is listed.
type Options struct {
	// Servers are host:port each, at most MaxServers. A host that is no IP
	// address is resolved, again and again; each of its addresses is listed.
	Servers  []string
	Resolver Resolver // nil means net.DefaultResolver
	Log      *slog.Logger
}

// Server is the address server.
type Server struct {
	listener net.Listener
	list     *list
	http     *http.Server
}

// Listen opens the port; nothing is answered before Run.
func Listen(addr string, o Options) (*Server, error) {
	list, err := newList(o)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{listener: newBounded(l, maxConns), list: list}
	s.http = &http.Server{
		Handler: handler(list), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: requestTime, ReadTimeout: requestTime, WriteTimeout: answerTime,
		// What strangers do to an open port is not worth a line.
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	s.http.SetKeepAlivesEnabled(false)
	return s, nil
}

// Stats is the present state of a Server.
type Stats struct {
	Listed     int // addresses that are answered; 0 is no answer yet
	Unresolved int // names that could not be resolved the last time
}

// Stats returns the present state.
func (s *Server) Stats() Stats {
	return Stats{Listed: int(s.list.listed.Load()), Unresolved: int(s.list.unresolved.Load())}
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run answers until ctx ends, or the port fails. It is called once.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	resolved := make(chan struct{})
	go func() {
		defer close(resolved)
		s.list.run(ctx)
	}()
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	err := s.http.Serve(s.listener)
	stop()
	cancel()
	<-resolved
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// Close closes the port, for a Server that is not run.
func (s *Server) Close() error { return s.listener.Close() }
