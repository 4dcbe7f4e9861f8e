// Package tlsport is the TLS side of the NameServer's TCP port, where secure
// and plain connections come in together: it finds out which of them a
// connection is, and keeps the certificates, which may be renewed at any time.
//
// It follows Java's TlsHelper, TlsSystemConfig and FileWatchService, but for
// the reload: Java wants certificate and key both changed and so never picks
// up a renewed certificate for the same key, nor files that were not there at
// start. Here any change counts that makes a consistent pair.
package tlsport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// Mode says which connections the port takes: tls.server.mode.
type Mode uint8

// The modes of Java's TlsMode.
const (
	Permissive Mode = iota // both
	Enforcing              // secure ones only
	Disabled               // plain ones only
)

// String returns the word that stands for m in a configuration.
func (m Mode) String() string {
	switch m {
	case Enforcing:
		return "enforcing"
	case Disabled:
		return "disabled"
	default:
		return "permissive"
	}
}

// ParseMode returns the mode that word stands for. Any other word, other case
// included, is Permissive as in Java, and known is false.
func ParseMode(word string) (m Mode, known bool) {
	for _, m := range []Mode{Permissive, Enforcing, Disabled} {
		if word == m.String() {
			return m, true
		}
	}
	return Permissive, false
}

// ClientAuth says what is asked of clients: tls.server.need.client.auth.
type ClientAuth uint8

// The values of netty's ClientAuth.
const (
	NoClientAuth       ClientAuth = iota // clients are not asked for a certificate
	OptionalClientAuth                   // they are asked, and may have none
	RequireClientAuth                    // they must have one
)

// String returns the word that stands for a in a configuration.
func (a ClientAuth) String() string {
	switch a {
	case OptionalClientAuth:
		return "optional"
	case RequireClientAuth:
		return "require"
	default:
		return "none"
	}
}

// ParseClientAuth returns what word stands for, in whatever case. Any other
// word is NoClientAuth as in Java, and known is false.
func ParseClientAuth(word string) (a ClientAuth, known bool) {
	for _, a := range []ClientAuth{NoClientAuth, OptionalClientAuth, RequireClientAuth} {
		if strings.EqualFold(word, a.String()) {
			return a, true
		}
	}
	return NoClientAuth, false
}

// Options are the settings of a Port. Files are PEM; paths that are empty are
// not read.
type Options struct {
	Mode Mode

	// TestMode (tls.test.mode.enable) makes up a certificate, signed by itself,
	// when the first secure connection comes. No file is read, and clients may
	// show any certificate or none.
	TestMode bool

	CertPath    string // tls.server.certPath: the server's certificate, then those up to its root
	KeyPath     string // tls.server.keyPath: its private key, PKCS #8 (encrypted or not), PKCS #1 or SEC 1
	KeyPassword string // tls.server.keyPassword: of an encrypted key

	ClientAuth ClientAuth

	// AuthClient (tls.server.authClient) says that a client's certificate must
	// be valid and lead to one in TrustCertPath (tls.server.trustCertPath), or,
	// if that is empty, to one that the system trusts. Otherwise any will do.
	AuthClient    bool
	TrustCertPath string

	PollInterval     time.Duration    // between two looks at the files; 0 means 500 ms
	IdleTimeout      time.Duration    // until a connection has said what it is; 0 means 120 s
	HandshakeTimeout time.Duration    // for the handshake from there on; 0 means 10 s, as in netty
	Now              func() time.Time // nil means time.Now
}

// ErrNoCertificate says that there is no certificate for a secure connection:
// the files could not be read, or do not fit together.
var ErrNoCertificate = errors.New("no TLS certificate is loaded")

// Port decides about the connections of a TCP port. It is for concurrent use,
// except Run.
type Port struct {
	opts Options
	log  *slog.Logger

	config atomic.Pointer[tls.Config]       // of new connections; nil: no certificate
	leaf   atomic.Pointer[x509.Certificate] // the server's certificate in config

	reloads, failures atomic.Uint64

	// What was read last, and the newest of it that can be used. Only New and
	// Run look at these.
	pairState  [2]digest
	pair       *tls.Certificate
	trustState digest
	roots      *x509.CertPool
}

// New returns a Port. It reads the files once; if that fails it says so to
// log and the port starts as Java's does: without TLS, until Run finds files
// that can be used.
func New(opts Options, log *slog.Logger) *Port {
	if opts.PollInterval == 0 {
		opts.PollInterval = 500 * time.Millisecond
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = 120 * time.Second
	}
	if opts.HandshakeTimeout == 0 {
		opts.HandshakeTimeout = 10 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	p := &Port{opts: opts, log: log}
	switch {
	case opts.Mode == Disabled:
	case opts.TestMode:
		p.config.Store(p.testConfig())
		log.Info("TLS with a certificate made up here: it proves nothing to clients", "mode", opts.Mode.String())
	default:
		p.poll()
	}
	return p
}

// Config returns the configuration of a secure connection that begins now; ask
// for each. The error is ErrNoCertificate.
func (p *Port) Config() (*tls.Config, error) {
	config := p.config.Load()
	if config == nil {
		return nil, ErrNoCertificate
	}
	return config, nil
}

// Stats is what a Port counts.
type Stats struct {
	Loaded   bool      // there is a certificate, or will be when it is asked for
	NotAfter time.Time // end of the certificate's validity; zero if there is none
	Reloads  uint64    // times that changed files were taken into use
	Failures uint64    // times that the files changed to what cannot be used, or were so at start
}

// Stats returns the present state.
func (p *Port) Stats() Stats {
	s := Stats{Loaded: p.config.Load() != nil, Reloads: p.reloads.Load(), Failures: p.failures.Load()}
	if leaf := p.leaf.Load(); leaf != nil {
		s.NotAfter = leaf.NotAfter
	}
	return s
}

// build returns the configuration for pair and roots. The defaults of
// crypto/tls serve Java clients: TLS 1.2 and 1.3 with ECDHE, as of Java 8. Each
// configuration has session tickets of its own, so that no client gets past new
// roots with an old session.
func (p *Port) build(pair *tls.Certificate, roots *x509.CertPool) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{*pair},
		ClientAuth:   clientAuthType(p.opts.ClientAuth, p.opts.AuthClient),
		ClientCAs:    roots,
		Time:         p.opts.Now,
		MinVersion:   tls.VersionTLS12,
	}
}

// clientAuthType translates Java's two settings into the one of crypto/tls.
func clientAuthType(a ClientAuth, verify bool) tls.ClientAuthType {
	switch {
	case a == OptionalClientAuth && verify:
		return tls.VerifyClientCertIfGiven
	case a == OptionalClientAuth:
		return tls.RequestClientCert
	case a == RequireClientAuth && verify:
		return tls.RequireAndVerifyClientCert
	case a == RequireClientAuth:
		return tls.RequireAnyClientCert
	default:
		return tls.NoClientCert
	}
}
