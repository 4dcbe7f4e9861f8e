package held

import (
	"time"

	"signpost/core"
)

// fresh is what was accepted of a broker a short time ago: routes that are kept
// may be from before it, if they could not be read again at once.
type fresh struct {
	revision core.Revision // at which the cloud was then
	until    time.Time     // when it is to be in all routes; zero: it is
}

const (
	// freshTime is how long routes are believed to be from before, at most, and
	// followTime how long once it was heard that they have changed.
	freshTime  = time.Minute
	followTime = 5 * time.Second
)

// freshen notes what was accepted at a revision that is perhaps not followed,
// because the cloud was not to be reached a short time ago: else it is by now.
// The caller holds mu.
func (b *Brokers) freshen(r *replica, rev core.Revision) {
	now := b.o.Now()
	if rev == 0 || !r.held || b.trouble.last.IsZero() || now.Sub(b.trouble.last) > freshTime {
		return
	}
	r.fresh = fresh{rev, now.Add(freshTime)}
	if rev <= b.followed {
		r.fresh.until = now.Add(followTime)
	}
}

// follow takes in up to where the changes are known, or that all are. Routes are
// read again in a moment. The caller holds mu.
func (b *Brokers) follow(rev core.Revision, all bool) {
	b.followed = max(b.followed, rev)
	until := b.o.Now().Add(followTime)
	for _, g := range b.groups {
		for _, r := range g.replicas {
			if (all || r.fresh.revision <= rev) && r.fresh.until.After(until) {
				r.fresh.until = until
			}
		}
	}
}

// ripen ends the time of what was fresh.
func (b *Brokers) ripen(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.groups {
		ripe := false
		for _, r := range g.replicas {
			if !r.fresh.until.IsZero() && now.After(r.fresh.until) {
				r.fresh, ripe = fresh{}, true
			}
		}
		if ripe {
			b.refresh(g)
		}
	}
}
