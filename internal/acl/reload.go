package acl

import (
	"context"
	"crypto/sha256"
	"time"
)

// digest is the state of the file: of its text, or of why it cannot be read.
type digest [sha256.Size]byte

func digestOf(text []byte, err error) digest {
	if err != nil {
		return sha256.Sum256([]byte("unreadable: " + err.Error()))
	}
	return sha256.Sum256(append([]byte("text: "), text...))
}

// Run looks at the file at each poll interval until ctx is done, and takes
// what has changed into use for the requests from then on.
//
// The file is read whole each time: neither times nor links need be believed,
// so that it works where files are written, renamed or swapped by link. What
// has changed counts when the next look finds it the same, for half of a list
// of accounts may be well formed.
func (g *Guard) Run(ctx context.Context) {
	ticker := time.NewTicker(g.o.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.poll()
		}
	}
}

func (g *Guard) poll() {
	text, err := readFile(g.o.Path)
	state, before := digestOf(text, err), g.seen
	g.seen = state
	if state != before || state == g.judged {
		return
	}
	g.judged = state
	var a *accounts
	if err == nil {
		a, err = parse(text)
	}
	if err != nil {
		g.failures.Add(1)
		g.o.Log.Error("accounts cannot be used: those before stay in use", "file", g.o.Path, "error", err)
		return
	}
	g.reloads.Add(1)
	g.take(a)
}

// take makes a the accounts in use.
func (g *Guard) take(a *accounts) {
	g.accounts.Store(a)
	g.o.Log.Info("accounts loaded", "file", g.o.Path, "accounts", len(a.byKey), "globalWhiteRemoteAddresses", len(a.white))
}
