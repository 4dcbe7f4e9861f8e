// Package acl says who may do what on the NameServer's TCP port. It verifies
// the signatures that RocketMQ's ACL makes (AclClientRPCHook: clients and
// mqadmin since 4.4, brokers since 5.3 with innerClientAuthenticationCredentials)
// against a file of accounts, which may be changed at any time.
//
// It fails closed: without a readable file [Open] fails, a file that is broken
// later leaves the accounts as they were, and a request that no class of
// permission is known for is refused to everybody.
//
// A signature covers the header's fields and the body. It covers neither the
// request code nor the time, so who can read the wire can send a request again,
// and as another one: keep the wire secret with TLS.
package acl

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"signpost/internal/livefile"
	"signpost/internal/quiet"
	"signpost/internal/remoting"
)

// Options are what a Guard works with.
type Options struct {
	Path string // the file of accounts, see Open
	Log  *slog.Logger

	PollInterval time.Duration       // between two looks at the file; 0 means 500 ms
	Now          func() time.Time    // nil means time.Now
	Refused      func(reason string) // counts refusals; nil does not. It must not block.
}

// Guard lets requests pass, or refuses them. It is for concurrent use, except
// Run, which runs once.
type Guard struct {
	o        Options
	accounts atomic.Pointer[accounts]
	refused  quiet.Lines[netip.Addr]

	reloads, failures atomic.Uint64

	file *livefile.File // for Open and Run
}

// Open reads the file of accounts. The error says everything that is wrong
// with it, and nothing of what it keeps secret.
//
// The file is YAML in the manner of RocketMQ's plain_acl.yml:
//
//	accounts:
//	  - accessKey: brokers
//	    secretKey: some long secret
//	    permissions: [read, register]
//	    whiteRemoteAddress: 10.1.2.*   # from there the accessKey is enough
//	globalWhiteRemoteAddresses:        # from there nothing is asked for
//	  - address: 10.1.3.0/24
//	    permissions: [read]
func Open(o Options) (*Guard, error) {
	if o.PollInterval == 0 {
		o.PollInterval = livefile.Interval
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Refused == nil {
		o.Refused = func(string) {}
	}
	file, text, err := livefile.Open(o.Path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("accounts %s: %w", o.Path, err)
	}
	a, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("accounts %s: %w", o.Path, err)
	}
	g := &Guard{o: o, file: file}
	g.take(a)
	return g, nil
}

// Stats is what a Guard counts.
type Stats struct {
	Accounts int    // in use
	Reloads  uint64 // times that a changed file was taken into use
	Failures uint64 // times that the file changed to what cannot be used
}

// Stats returns the present state.
func (g *Guard) Stats() Stats {
	return Stats{Accounts: len(g.accounts.Load().byKey), Reloads: g.reloads.Load(), Failures: g.failures.Load()}
}

// Authorize says whether a request may be worked on. from is the address of
// the peer's socket, not one that a PROXY header claims. The error is a
// [*Refusal]; it has been counted and, within bounds, logged.
func (g *Guard) Authorize(cmd *remoting.Command, from netip.Addr) error {
	class := ClassOf(cmd.Code)
	a := g.accounts.Load()
	if class != none && a.trusts(from, class) {
		return nil
	}
	refusal := a.judge(cmd, class, from)
	if refusal == nil {
		return nil
	}
	g.o.Refused(refusal.reason)
	if before, say := g.refused.Say(g.o.Now(), from); say {
		key, _ := cmd.ExtFields.Get(fieldAccessKey)
		g.o.Log.Warn("request refused", "peer", from.String(), "code", cmd.Code.String(),
			"accessKey", shorten(key), "reason", refusal.reason, "refusedBefore", before)
	}
	return refusal
}
