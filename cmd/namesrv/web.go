package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/nameserver"
)

// compressFrom is the size in bytes from which answers of the API are
// compressed: less than that fits one packet.
const compressFrom = 1 << 10

// api is the HTTP front over the same registry. Who reaches the port may do
// everything there, as on the TCP port.
func (a *app) api() http.Handler {
	cfg := a.daemon.Live.Current()
	return httpapi.New(httpapi.Options{
		Read: waitingReader{a.registry, a.daemon.Switches}, Write: a.registry,
		Identity: httpapi.Anyone, Now: a.storage.now, Log: a.log,
		Limits: httpapi.Limits{ // what openapi.yaml says, or what is less
			Body: min(cfg.Limits.RegistrationBytes, 16<<20), Inflated: min(cfg.Limits.InflatedBytes, 64<<20),
			Topics: cfg.Limits.TopicsPerRegistration,
		},
		CompressFrom: compressFrom, BrokerTimeout: cfg.Rules.BrokerTimeout,
	})
}

// waitingReader answers no route before needWaitForService allows it, as the
// TCP front does.
type waitingReader struct {
	*core.Registry
	switches func() *nameserver.Switches
}

// Route is the registry's, or core.ErrUnavailable.
func (r waitingReader) Route(ctx context.Context, now time.Time, topic string) (*core.Route, error) {
	if time.Now().Before(r.switches().ServiceFrom) {
		return nil, fmt.Errorf("brokers are waited for (needWaitForService): %w", core.ErrUnavailable)
	}
	return r.Registry.Route(ctx, now, topic)
}
