package acl

import "context"

// Run looks at the file at each poll interval until ctx is done, and takes
// what has changed into use for the requests from then on; see livefile.
func (g *Guard) Run(ctx context.Context) { g.file.Run(ctx, g.o.PollInterval, g.changed) }

func (g *Guard) changed(text []byte, err error) {
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
