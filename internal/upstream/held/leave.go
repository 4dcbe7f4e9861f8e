package held

import (
	"context"
	"slices"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// Unregister takes a broker out (request code 104), for all who hold it; or
// with LeaseOnly, when its connection closed, what is held of it here. The
// former is answered as a registration is, the latter at once. Of a broker that
// was never here nothing is kept: the cloud has to hear it now, or else the error
// is a core.ErrUnavailable. It returns no revision: what it raises has been seen.
func (b *Brokers) Unregister(ctx context.Context, now time.Time, d core.Departure) (core.Revision, error) {
	gone, err := b.depart(ctx, now, d)
	if err != nil || gone == nil || d.LeaseOnly {
		return 0, err
	}
	switch {
	case b.settled(ctx, gone.done, gone.strange):
		return 0, gone.err
	case gone.strange:
		return 0, errUnheard
	}
	b.o.Observer.Answered()
	return 0, nil
}

// errUnheard tells that the cloud did not hear of a departure.
var errUnheard = &api.UnreachableError{Call: "unregister", Reason: "the API cannot be reached"}

// depart takes the departure; nil if the cloud need not hear of it.
func (b *Brokers) depart(ctx context.Context, now time.Time, d core.Departure) (*drop, error) {
	defer b.statement(d.Broker)()
	if _, err := b.o.Local.Unregister(ctx, now, d); err != nil {
		return nil, err
	}
	lg, err := b.local(ctx, now, d.Broker)
	if err != nil || lg.Name == "" {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	said := now.Add(-max(d.Age, 0))
	g, r := b.find(d.Broker, d.Addr)
	switch {
	case contains(lg, d.Addr): // it was there since, or is another cluster's
		return nil, nil
	case r == nil && d.LeaseOnly:
		return nil, nil
	case b.trouble.down && (r == nil || r.strange):
		return nil, errUnheard
	case r == nil:
		g = b.group(d.Broker)
		r = g.at(strings.Clone(d.Cluster), strings.Clone(d.Addr), d.ID)
		r.strange = true
	case said.Before(r.said), d.Cluster != "" && d.Cluster != r.reg.Cluster && r.held:
		return nil, nil
	case d.LeaseOnly && !r.held:
		return nil, nil
	}
	gone := r.leave(said, !d.LeaseOnly)
	gone.strange = r.strange
	b.reconcile(g, lg, now, said)
	b.changed(g)
	return gone, nil
}

func contains(g core.Group, addr string) bool {
	return slices.ContainsFunc(g.Replicas, func(r core.Replica) bool { return r.Addr == addr })
}

// reconcile takes in who is in the local registry no more: those whose time was
// up, and those whose place another has taken by what was said then. The caller
// holds mu.
func (b *Brokers) reconcile(g *group, lg core.Group, now, said time.Time) {
	for _, r := range g.replicas {
		late := now.After(r.deadline())
		switch {
		case !r.held, r.gone && !late, !r.gone && contains(lg, r.reg.Addr):
		case late:
			r.leave(r.deadline(), false)
		default:
			r.leave(said, false)
		}
	}
}

// sweeps is the loop that looks for brokers that missed their own timeout.
func (b *Brokers) sweeps(ctx context.Context) {
	tick := time.NewTicker(sweepTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.sweep(ctx, b.o.Now())
		}
	}
}

func (b *Brokers) sweep(ctx context.Context, now time.Time) {
	if _, err := b.o.Local.Sweep(ctx, now); err != nil && ctx.Err() == nil {
		b.o.Log.Error("sweep of the held brokers", "error", err)
	}
	for _, name := range b.overdue(now) {
		b.evict(ctx, now, name)
	}
	b.outlook()
	b.renew(now)
}

// overdue are the groups in which a broker seems to have missed its timeout.
func (b *Brokers) overdue(now time.Time) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, g := range b.groups {
		if slices.ContainsFunc(g.replicas, func(r *replica) bool { return r.held && now.After(r.deadline()) }) {
			names = append(names, name)
		}
	}
	return names
}

func (b *Brokers) evict(ctx context.Context, now time.Time, name string) {
	defer b.statement(name)()
	lg, err := b.local(ctx, now, name)
	if err != nil {
		b.o.Log.Error("brokers that missed their timeout not dropped", "broker", name, "error", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.groups[name]; g != nil {
		b.reconcile(g, lg, now, now)
		b.changed(g)
	}
}
