package tlsport

import (
	"context"
	"log/slog"
	"time"
)

// Run looks at the files at each poll interval until ctx is done, and takes
// what has changed into use for new connections. It returns at once if there
// are no files to look at: in mode Disabled and in test mode.
//
// The files are read whole each time, which a few kilobytes allow: neither
// times nor links need be believed, so that it works where files are copied,
// renamed or swapped by link, as Kubernetes does.
func (p *Port) Run(ctx context.Context) {
	if p.opts.Mode == Disabled || p.opts.TestMode {
		return
	}
	ticker := time.NewTicker(p.opts.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if p.poll() {
				p.reloads.Add(1)
			}
		}
	}
}

// poll reads the files and, if they changed, takes into use what of them can
// be used: the certificate with its key, and the roots on their own. What
// cannot, a pair of which one half is not written yet for instance, leaves the
// old in place and is logged once. poll reports whether new connections get
// something new.
func (p *Port) poll() bool {
	changed := false
	cert, key := look("tls.server.certPath", p.opts.CertPath), look("tls.server.keyPath", p.opts.KeyPath)
	if state := [2]digest{cert.digest(), key.digest()}; state != p.pairState {
		p.pairState = state
		if pair, err := parsePair(cert, key, p.opts.KeyPassword); err != nil {
			p.fail("TLS certificate cannot be used", err, p.pair != nil)
		} else {
			p.pair, changed = pair, true
		}
	}
	if p.needsRoots() {
		trust := look("tls.server.trustCertPath", p.opts.TrustCertPath)
		if state := trust.digest(); state != p.trustState {
			p.trustState = state
			if roots, err := parseRoots(trust); err != nil {
				p.fail("TLS trust file cannot be used", err, p.roots != nil)
			} else {
				p.roots, changed = roots, true
			}
		}
	}
	if !changed || p.pair == nil || p.needsRoots() && p.roots == nil {
		return false
	}
	leaf := p.pair.Leaf
	p.config.Store(p.build(p.pair, p.roots))
	p.leaf.Store(leaf)
	level, text := slog.LevelInfo, "TLS certificate loaded"
	if p.opts.Now().After(leaf.NotAfter) {
		level, text = slog.LevelWarn, "TLS certificate loaded that has expired"
	}
	p.log.Log(context.Background(), level, text, "mode", p.opts.Mode.String(),
		"subject", leaf.Subject.String(), "notAfter", leaf.NotAfter,
		"clientAuth", p.opts.ClientAuth.String(), "authClient", p.opts.AuthClient)
	return true
}

// needsRoots reports whether the trust file matters.
func (p *Port) needsRoots() bool {
	return p.opts.ClientAuth != NoClientAuth && p.opts.AuthClient && p.opts.TrustCertPath != ""
}

func (p *Port) fail(what string, err error, hasOld bool) {
	p.failures.Add(1)
	consequence := "secure connections are refused until it can"
	if hasOld {
		consequence = "the one before stays in use"
	}
	p.log.Error(what+": "+consequence, "error", err)
}
