package daemon

import (
	"log/slog"
	"net/netip"

	"signpost/internal/acl"
	"signpost/internal/config"
	"signpost/internal/remoting"
)

// openAccounts reads who may do what on the TCP port; nil if everybody may do
// everything. A file that cannot be read is no reason to go without.
func openAccounts(cfg config.ACL, log *slog.Logger, refused func(reason string)) (*acl.Guard, error) {
	if !cfg.Enable {
		return nil, nil
	}
	return acl.Open(acl.Options{Path: cfg.File, Log: log, Refused: refused})
}

// authorizer is what the TCP front asks, nil if there is nobody to ask.
func authorizer(g *acl.Guard) func(*remoting.Command, netip.Addr) error {
	if g == nil {
		return nil
	}
	return g.Authorize
}
