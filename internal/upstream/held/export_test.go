package held

import "fmt"

// Dump prints what is known of each replica, for tests that fail.
func (b *Brokers) Dump() (s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = fmt.Sprintf("session %s, %d under way, checking %v, trouble %v until %v, %d queued\n", b.session, b.running, b.checking, b.trouble.down, b.trouble.until, len(b.queue))
	for _, g := range b.groups {
		s += fmt.Sprintf("%s: busy %v queued %v due %v\n", g.name, g.busy, g.queued, g.due)
		for _, r := range g.replicas {
			s += fmt.Sprintf("  %s id %d: held %v gone %v refused %v check %v shown %v session %s leases %v drop %v\n", r.reg.Addr, r.reg.ID, r.held, r.gone, r.refused, r.check, r.shown, r.session, r.leases, r.drop)
			for _, x := range r.bodies {
				s += fmt.Sprintf("    digest %x accepted %v tried %v before %v names %d said %v\n", x.digest, x.accepted, x.tried, x.before, len(x.names), x.said)
			}
		}
	}
	return s
}
