package nameserver

import (
	"net/netip"

	"signpost/core"
)

// Addresses are the addresses of brokers as the peers of one network see them.
// Answers are made of what it returns; what brokers say is not touched.
type Addresses interface {
	// Addr returns what is shown for host:port.
	Addr(addr string) string
	// Route returns the route as it is shown, for the same route the same one, as
	// a rule: that is what its encodings are kept with.
	Route(r *core.Route) *core.Route
	// Groups returns the groups as they are shown.
	Groups(groups []core.Group) []core.Group
}

// asIs shows every address as it was registered.
type asIs struct{}

func (asIs) Addr(addr string) string                 { return addr }
func (asIs) Route(r *core.Route) *core.Route         { return r }
func (asIs) Groups(groups []core.Group) []core.Group { return groups }

// addresses are those that this peer sees.
func (c *conn) addresses() Addresses {
	if c.s.o.Advertise != nil {
		if a := c.s.o.Advertise(c.network); a != nil {
			return a
		}
	}
	return asIs{}
}

// proxied is a connection that a proxy may have told the source of.
type proxied interface {
	// ProxySource is the zero AddrPort if none was told.
	ProxySource() netip.AddrPort
}

// networkOf is where the peer is that a connection comes from: what a proxy told
// of it, or its socket's address. Anybody may claim to be anywhere, so this only
// decides which addresses are shown.
func networkOf(c any, socket netip.Addr) netip.Addr {
	if p, ok := c.(proxied); ok && p.ProxySource().IsValid() {
		return p.ProxySource().Addr().Unmap().WithZone("")
	}
	return socket
}
