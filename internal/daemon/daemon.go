// Package daemon is what the NameServers of this project share as processes:
// configuration and log, the TCP front with TLS, access control and addresses,
// health and metrics over HTTP, the order in which all of it starts and stops.
// A [Program] adds what answers.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	// HandlerTime bounds the work on one request. It is longer than any broker or
	// client waits (24 s for a 5.x registration), and shorter than the 30 s for
	// which the token of a group's writer stands.
	HandlerTime = 25 * time.Second
	// notifyTime is Java's for request code 905 (RouteInfoManager.notifyMinBrokerIdChanged).
	notifyTime = 300 * time.Millisecond
)

// Program is one of the NameServers.
type Program struct {
	Config config.Program
	Title  string // what the log calls it
	// Open makes what answers. If it fails it has closed what it opened.
	Open func(ctx context.Context, d *Daemon) (Backend, error)
}

// Backend is what a NameServer answers from. Only Registry is required.
type Backend struct {
	Registry nameserver.Registry
	Now      func() time.Time // by which statements are stamped; nil is time.Now
	Front    string           // see nameserver.Options
	Local    bool             // see nameserver.Options
	Known    nameserver.Known // see nameserver.Options

	// API answers paths below /v1/ on httpAddr; nil is nothing.
	API http.Handler
	// Configured is told when request code 318 changed something.
	Configured func(*config.Config)
	// Ready says what /readyz shows beside "ready", or why clients should not be
	// sent here.
	Ready func(now time.Time) (remark string, err error)
	// Collector has metrics of its own.
	Collector prometheus.Collector
	// Loops work until their context ends. The program stops if one fails.
	Loops []func(ctx context.Context) error
	// Close ends what is left, when nobody asks any more.
	Close func(ctx context.Context) error
}

// Daemon is one running NameServer.
type Daemon struct {
	Live    *config.Live
	Log     *slog.Logger
	Started time.Time
	Metrics *Metrics

	title    string
	backend  Backend
	server   *nameserver.Server
	port     *tlsport.Port
	product  *product.Client   // nil unless clusterTest
	accounts *acl.Guard        // nil unless aclEnable
	shown    *advertise.File   // which network sees which addresses; nil if all see the same
	found    *discovery.Server // nil if off
	listener net.Listener
	httpLn   net.Listener // nil if off
	ready    atomic.Bool
	switches atomic.Pointer[switches] // as last asked for
}

// stopMemProfile is of the process, in which tests run many programs.
var stopMemProfile = sync.OnceFunc(func() { runtime.MemProfileRate = 0 })

// Run is a program without its process. It returns when ctx ends and everything
// is in place for the next start; config.ExitCode knows what to exit with.
func Run(ctx context.Context, p Program, args, environ []string, stdout, stderr io.Writer) error {
	cfg, err := config.Load(p.Config, args, environ, config.HomeDir())
	switch {
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(stdout, config.Help(p.Config))
		return err
	case errors.Is(err, config.ErrVersion):
		version, goVersion, revision := build()
		fmt.Fprintf(stdout, "%s %s, revision %s, %s\n", p.Config, version, revision, goVersion)
		return err
	case err != nil:
		fmt.Fprintln(stderr, err)
		return err
	case cfg.PrintOnly:
		fmt.Fprint(stdout, cfg.List())
		return nil
	}
	if cfg.File != "" {
		fmt.Fprintf(stdout, "load config properties file OK, %s\n", cfg.File)
	}
	if !cfg.Listen.Pprof {
		stopMemProfile() // nobody can look at it
	}
	live := config.NewLive(cfg)
	log := newLogger(stderr, cfg, live)
	d, err := open(ctx, p, live, log)
	if err == nil {
		// As Java words it: scripts wait for it.
		fmt.Fprintf(stdout, "The Name Server boot success. serializeType=JSON, address %s\n", d.listener.Addr())
		err = d.serve(ctx)
	}
	if err != nil {
		log.Error("the "+p.Title+" stops", "error", err)
	}
	return err
}

// open opens the backend and the ports. What it opened is closed again if it
// fails.
func open(ctx context.Context, p Program, live *config.Live, log *slog.Logger) (d *Daemon, err error) {
	cfg := live.Current()
	d = &Daemon{Live: live, Log: log, Started: time.Now(), title: p.Title}
	logConfig(log, cfg)
	d.Metrics = newMetrics()
	defer func() {
		if err != nil {
			d.close(ctx)
		}
	}()
	if d.backend, err = p.Open(ctx, d); err != nil {
		return d, err
	}
	if d.accounts, err = openAccounts(cfg.ACL, log, d.Metrics.Refused); err != nil {
		return d, fmt.Errorf("aclFile: %w", err)
	}
	if d.shown, err = openAddressMap(cfg.Addresses, log); err != nil {
		return d, fmt.Errorf("addressMapFile: %w", err)
	}
	d.port = tlsport.New(tlsOptions(cfg), log)
	if cfg.Product.ClusterTest {
		d.product = product.New(product.Options{
			Addrs: cfg.Product.NamesrvAddrs, AddressServer: cfg.Product.AddressServer, EnvName: cfg.Product.EnvName, Log: log,
		})
	}
	d.server = nameserver.New(d.serverOptions(cfg))
	d.Metrics.registry.MustRegister(state{d})
	if c := d.backend.Collector; c != nil {
		d.Metrics.registry.MustRegister(c)
	}
	if d.listener, err = net.Listen("tcp", cfg.Listen.Address()); err != nil {
		return d, fmt.Errorf("listenPort: %w", err)
	}
	if cfg.Listen.HTTPAddr != "" {
		if d.httpLn, err = net.Listen("tcp", cfg.Listen.HTTPAddr); err != nil {
			return d, fmt.Errorf("httpAddr: %w", err)
		}
	}
	if d.found, err = openDiscovery(cfg.Addresses, log); err != nil {
		return d, fmt.Errorf("discoveryAddr: %w", err)
	}
	return d, nil
}

// MinBrokerChanged tells the brokers of a group that are connected here.
func (d *Daemon) MinBrokerChanged(c core.MinBrokerChange) { d.server.MinBrokerChanged(c) }

func (d *Daemon) serverOptions(cfg *config.Config) nameserver.Options {
	o := nameserver.Options{
		Registry: d.backend.Registry,
		Config:   liveConfig{d},
		Switches: d.Switches,
		Limits:   limits(cfg),
		Log:      d.Log, Observer: d.Metrics, Now: d.backend.Now, Front: d.backend.Front,
		Secure:    func(c net.Conn) (net.Conn, error) { return d.port.Accept(c) },
		Authorize: authorizer(d.accounts),
		Advertise: advertiser(d.shown),
		Local:     d.backend.Local,
		Known:     d.backend.Known,
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if d.product != nil {
		o.Product = d.product
	}
	return o
}

func (d *Daemon) close(ctx context.Context) error {
	for _, l := range []net.Listener{d.listener, d.httpLn} {
		if l != nil {
			l.Close()
		}
	}
	if d.found != nil {
		d.found.Close()
	}
	if d.product != nil {
		d.product.Close()
	}
	if d.backend.Close != nil {
		return d.backend.Close(ctx)
	}
	return nil
}
