package held

import (
	"context"
	"math/rand/v2"
	"time"

	"signpost/core"
)

// reconciles is the loop that compares what is leased to this session with what
// is held (rule 12).
func (b *Brokers) reconciles(ctx context.Context) {
	for {
		// At some time of their own, for gateways that started together.
		timer := time.NewTimer(reconcileTime*3/4 + rand.N(reconcileTime/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if err := b.compare(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.Warn("leases not compared with what is held", "error", err)
		}
	}
}

// compare has leases dropped that stand for no broker here, and brokers
// confirmed that have none.
func (b *Brokers) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	session, err := b.o.Session.ID(ctx)
	if err != nil {
		return err
	}
	asked := b.o.Now()
	held, err := b.o.Cloud.Leases(ctx, session)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	type key struct{ broker, addr string }
	leased := make(map[key]struct{}, len(held))
	for _, h := range held {
		leased[key{h.Broker, h.Addr}] = struct{}{}
		if _, r := b.find(h.Broker, h.Addr); r == nil {
			b.dropLease(h, session, asked)
		}
	}
	for name, g := range b.groups {
		for _, r := range g.replicas {
			if _, ok := leased[key{name, r.reg.Addr}]; !ok && r.held && r.accepted(session) {
				r.check = true
				b.enqueue(g)
			}
		}
	}
	return nil
}

// dropLease has a lease of our session dropped that nobody here needs.
func (b *Brokers) dropLease(h core.Held, session string, asked time.Time) {
	g := b.group(h.Broker)
	r := g.at(h.Cluster, h.Addr, h.ID)
	r.said = asked
	r.leaseUnder(session, asked)
	r.leave(asked, false)
	b.changed(g)
}
