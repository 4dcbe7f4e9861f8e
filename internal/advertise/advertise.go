// Package advertise shows brokers under the addresses at which the asker's
// network reaches them: brokers behind NAT, or with an address inside and one
// outside. A file says which network sees what; it changes answers only, and
// nothing of what brokers register.
//
// The file has a section for each network, and in it a line for each address:
//
//	# Everybody outside sees what the firewall forwards.
//	[0.0.0.0/0 ::/0]
//	10.1.0.5:10911 = 203.0.113.7:20911     # one address, with its port
//	10.1.0.6       = broker-b.example.com  # a host, at every port
//	10.1.2.0/24    = 198.51.100.0/24       # a network, the rest of the address kept
//	10.1.3.0/24    = 203.0.113.8           # a network behind one host, the port kept
//
//	# Who is inside sees the addresses as they are.
//	[10.0.0.0/8]
//
// A peer belongs to the network with the longest prefix, and only that section
// counts. In it an address with its port goes before a host, and that before a
// network, the longest prefix first. What no line names is shown as it is.
// Nothing is replaced twice.
package advertise

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"signpost/core"
)

// Table is what a file says. It is not changed once it is made.
type Table struct {
	networks prefixes[*Mapping]
	mappings []*Mapping
	kept     *weight
}

// For returns how addresses are shown to that peer, nil if as they are.
func (t *Table) For(peer netip.Addr) *Mapping {
	m, _ := t.networks.find(peer.Unmap().WithZone(""))
	return m
}

// Mapping is how addresses are shown to the peers of some networks. It is for
// concurrent use.
type Mapping struct {
	exact    map[endpoint]endpoint
	hosts    map[string]string
	networks prefixes[target]

	routes sync.Map // topic -> shown
	kept   *weight  // of the routes of all mappings
}

// endpoint is a host, as canonical writes it, and its port.
type endpoint struct {
	host string
	port uint16
}

// target is what a network is shown as: another of its size, or one host.
type target struct {
	network netip.Prefix // if it is valid
	host    string
}

// Addr returns how host:port is shown. What is no host:port stays as it is.
func (m *Mapping) Addr(addr string) string {
	e, ok := parseEndpoint(addr)
	if !ok {
		return addr
	}
	if to, ok := m.exact[e]; ok {
		return to.String()
	}
	if host, ok := m.hosts[e.host]; ok {
		return endpoint{host, e.port}.String()
	}
	ip, err := netip.ParseAddr(e.host)
	if err != nil {
		return addr
	}
	to, ok := m.networks.find(ip)
	if !ok {
		return addr
	}
	return endpoint{to.of(ip), e.port}.String()
}

// of returns the host that stands for ip.
func (t target) of(ip netip.Addr) string {
	if !t.network.IsValid() {
		return t.host
	}
	shown, from := t.network.Addr().AsSlice(), ip.AsSlice()
	for bit := t.network.Bits(); bit < len(shown)*8; bit++ {
		mask := byte(0x80) >> (bit % 8)
		shown[bit/8] |= from[bit/8] & mask
	}
	to, _ := netip.AddrFromSlice(shown)
	return to.String()
}

// Groups returns the groups with the addresses of their replicas as they are
// shown. The groups given are not changed.
func (m *Mapping) Groups(groups []core.Group) []core.Group {
	groups = slices.Clone(groups)
	for i := range groups {
		groups[i].Replicas = slices.Clone(groups[i].Replicas)
		for j := range groups[i].Replicas {
			r := &groups[i].Replicas[j]
			r.Addr, r.HAAddr = m.Addr(r.Addr), m.Addr(r.HAAddr)
		}
	}
	return groups
}

// shown is a route as it is shown to the peers of a network.
type shown struct{ of, as *core.Route }

// Route returns the route as it is shown. For the same route it is the same one,
// as a rule, so that it is encoded once for all who ask.
func (m *Mapping) Route(r *core.Route) *core.Route {
	if known, ok := m.routes.Load(r.Topic); ok && known.(shown).of == r {
		return known.(shown).as
	}
	as := m.route(r)
	m.kept.keep(m, shown{r, as})
	return as
}

func (m *Mapping) route(r *core.Route) *core.Route {
	as := &core.Route{Topic: r.Topic, Rows: r.Rows, OrderConf: r.OrderConf, HasOrderConf: r.HasOrderConf, Revision: r.Revision}
	as.Brokers = slices.Clone(r.Brokers)
	for i := range as.Brokers {
		b := &as.Brokers[i]
		b.Addrs = slices.Clone(b.Addrs)
		for j := range b.Addrs {
			b.Addrs[j].Addr = m.Addr(b.Addrs[j].Addr)
		}
	}
	for _, f := range r.Filters {
		servers := make([]string, len(f.Servers))
		for i, s := range f.Servers {
			servers[i] = m.Addr(s)
		}
		as.Filters = append(as.Filters, core.FilterServers{Addr: m.Addr(f.Addr), Servers: servers})
	}
	// Two brokers may be shown at one address, which is one key.
	slices.SortStableFunc(as.Filters, func(a, b core.FilterServers) int { return cmp.Compare(a.Addr, b.Addr) })
	as.Filters = slices.CompactFunc(as.Filters, func(a, b core.FilterServers) bool { return a.Addr == b.Addr })
	return as
}

// keptBytes bounds the routes that all mappings of a table keep, as the routes
// that they are made of are (core.Options.RouteBytes).
const keptBytes = 8 << 20

// weightOf is about what a kept route takes, in bytes. What it shares with the
// route that it is made of is counted too: that may be gone.
func weightOf(r *core.Route) int64 {
	w := int64(512 + len(r.Topic) + len(r.OrderConf))
	for i := range r.Brokers {
		w += 200 + 70*int64(len(r.Brokers[i].Addrs))
	}
	for i := range r.Filters {
		w += 70 * int64(1+len(r.Filters[i].Servers))
	}
	return w
}

// weight is what is kept, in bytes. When it is too much everything is
// forgotten, and made again for those who ask.
type weight struct {
	mappings []*Mapping

	mu    sync.Mutex // held to keep and forget, not to find
	bytes int64
}

func (w *weight) keep(m *Mapping, s shown) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, ok := m.routes.Swap(s.of.Topic, s)
	if ok {
		w.bytes -= weightOf(before.(shown).as)
	}
	if w.bytes += weightOf(s.as); w.bytes <= keptBytes {
		return
	}
	for _, m := range w.mappings {
		m.routes.Clear()
	}
	w.bytes = 0
}
