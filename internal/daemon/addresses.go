package daemon

import (
	"log/slog"
	"net/netip"

	"signpost/internal/advertise"
	"signpost/internal/config"
	"signpost/internal/discovery"
	"signpost/internal/nameserver"
)

// openAddressMap reads which network sees brokers at which addresses; nil if all
// see them as they are.
func openAddressMap(cfg config.Addresses, log *slog.Logger) (*advertise.File, error) {
	if cfg.MapFile == "" {
		return nil, nil
	}
	return advertise.Open(cfg.MapFile, log)
}

// advertiser is what the TCP front asks, nil if there is nothing to ask.
func advertiser(f *advertise.File) func(netip.Addr) nameserver.Addresses {
	if f == nil {
		return nil
	}
	return func(peer netip.Addr) nameserver.Addresses {
		if m := f.For(peer); m != nil {
			return m
		}
		return nil
	}
}

// openDiscovery opens the address server; nil if it is off.
func openDiscovery(cfg config.Addresses, log *slog.Logger) (*discovery.Server, error) {
	if cfg.Discovery == "" {
		return nil, nil
	}
	return discovery.Listen(cfg.Discovery, discovery.Options{Servers: cfg.Servers, Log: log})
}
