package held

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"signpost/core"
)

const (
	// maxCalls bounds the calls that are under way at a time; while the cloud
	// cannot be reached, one is. As many are as the cloud answers besides the
	// session's beats: half as many when a call or a beat had no answer, for
	// throttling, for slowness or for whatever; one more when so many had one.
	maxCalls = 16
	// firstPause and longestPause bound the time between calls that fail.
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
	// checkPause is the least time from one call that confirms to the next, so
	// that they say much at a time.
	checkPause = time.Second
	// busyPause is about how long a group rests at which another writer is.
	busyPause = 500 * time.Millisecond
	// returnPause is for how long each broker adds to the time over which those
	// are spread that the cloud wants to hear in full, and returnSpread bounds it.
	returnPause  = 10 * time.Millisecond
	returnSpread = 5 * time.Second
)

// trouble is what is known of the way to the cloud.
type trouble struct {
	down  bool          // the last call had no answer
	began chan struct{} // closed while down
	since time.Time     // when that was noticed
	last  time.Time     // when a call had no answer
	until time.Time     // before which no call is made
	fails int           // in a row
}

// pump is the loop that carries to the cloud what it does not know yet.
func (b *Brokers) pump(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-timer.C:
		}
		var next time.Time
		for {
			var t task
			if t, next = b.next(b.o.Now()); t == nil {
				break
			}
			calls.Go(func() { t(ctx) })
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(next.Sub(b.o.Now()))
		}
	}
}

// kick lets the pump look for work.
func (b *Brokers) kick() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// task makes one call and takes in what came of it.
type task func(context.Context)

// next returns what is to be done now; nil if there is nothing, or as much
// under way as may be. Then at is when there will be something, if that is known.
func (b *Brokers) next(now time.Time) (t task, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.calls
	if b.trouble.down {
		limit = 1
	}
	switch {
	case b.running >= limit || len(b.queue) == 0:
		return nil, time.Time{}
	case b.trouble.down && now.Before(b.trouble.until):
		return nil, b.trouble.until
	}
	if t = b.nextCheck(now); t == nil {
		t, at = b.nextStatement(now)
	}
	if t != nil {
		b.running++
	}
	return t, at
}

// nextStatement takes the first group that has something to say. The caller
// holds mu.
func (b *Brokers) nextStatement(now time.Time) (t task, at time.Time) {
	sooner := func(due time.Time) {
		if at.IsZero() || due.Before(at) {
			at = due
		}
	}
	idle := 0
	for i, g := range b.queue {
		switch s := g.next(b.session); {
		case g.busy: // it comes again when its call is done
		case s.none():
			if g.checks(b.session) == 0 {
				g.queued = false
				b.queue[i] = nil
				idle++
			} else if now.Before(g.due) {
				sooner(g.due)
			} else if !b.checking && now.Before(b.checkAt) {
				sooner(b.checkAt)
			}
		case now.Before(g.due):
			sooner(g.due)
		default:
			g.busy = true
			t, at = func(ctx context.Context) { b.say(ctx, g, s) }, time.Time{}
		}
		if t != nil {
			break
		}
	}
	if idle > 0 {
		b.queue = slices.DeleteFunc(b.queue, func(g *group) bool { return g == nil })
	}
	return t, at
}

// nextCheck collects what is to be confirmed, as much as fits one call. The
// caller holds mu.
func (b *Brokers) nextCheck(now time.Time) task {
	if b.checking || b.session == "" || now.Before(b.checkAt) {
		return nil
	}
	var groups []*group
	n := 0
	for _, g := range b.queue {
		if g.busy || now.Before(g.due) || !g.next(b.session).none() {
			continue
		}
		c := g.checks(b.session)
		if c == 0 || n > 0 && n+c > b.batch {
			continue
		}
		n += c
		groups = append(groups, g)
	}
	if n == 0 {
		return nil
	}
	for _, g := range groups {
		g.busy = true
	}
	b.checking = true
	return func(ctx context.Context) { b.confirm(ctx, groups) }
}

// statement is what the cloud is to hear next of a group: that a broker is
// there, or that it is not.
type statement struct {
	r    *replica
	body *body
	drop *drop
	at   time.Time // when it was said first
}

func (s statement) none() bool { return s.r == nil }

// next is the earliest statement about the group that the cloud has not heard.
// Of one who left and is back it need not hear that he left, unless that makes
// a difference.
func (g *group) next(session string) (s statement) {
	for _, r := range g.replicas {
		one := statement{r: r}
		if d := r.drop; d != nil && (!r.held || r.leftFirst()) {
			one.drop, one.at = d, d.since()
		} else if x := r.unsaid(); x != nil && r.held && !r.checks(session) {
			one.body, one.at = x, x.since
		} else {
			continue
		}
		// At one moment the broker that took another's place comes before the
		// one that lost it, so that the place is never empty.
		if s.none() || one.at.Before(s.at) || one.at.Equal(s.at) && one.body != nil && s.body == nil {
			s = one
		}
	}
	return s
}

// checks is how many of the group's brokers are to be confirmed.
func (g *group) checks(session string) (n int) {
	for _, r := range g.replicas {
		if r.checks(session) {
			n++
		}
	}
	return n
}

// checks says whether the broker is to be confirmed: the session does not hold
// it yet, as far as the cloud has accepted it; or something of its group has
// changed, and all that it said is told.
func (r *replica) checks(session string) bool {
	if !r.held || session == "" {
		return false
	}
	moves := r.session != session && (r.gone && len(r.leases) > 0 || r.heardOf())
	return moves || r.check && !r.gone && r.unsaid() == nil
}

// changed takes in that the group is not what it was. The caller holds mu.
func (b *Brokers) changed(g *group) {
	for _, r := range g.replicas {
		if r.drop != nil && r.held && !r.leftFirst() && !g.busy {
			// It is back as it was, and nobody was told; or it is said anew.
			r.drop.settle(nil)
			r.drop = nil
		}
	}
	b.refresh(g)
	b.tidy(g)
	b.enqueue(g)
}

// enqueue has the pump look at the group. The caller holds mu.
func (b *Brokers) enqueue(g *group) {
	if !g.queued && len(g.replicas) > 0 {
		g.queued = true
		b.queue = append(b.queue, g)
	}
	b.kick()
}

// release gives the place of a call back that was not made.
func (b *Brokers) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	b.kick()
}

// finish ends the work on groups. The caller holds mu.
func (b *Brokers) finish(groups ...*group) {
	for _, g := range groups {
		g.busy = false
		if slices.ContainsFunc(g.log, g.foreign) {
			b.check(g)
		}
		g.log = nil
		b.changed(g)
	}
}

// answered takes in that the cloud answered. The caller holds mu.
func (b *Brokers) answered() {
	if b.good++; b.good >= b.calls {
		b.calls, b.good = min(b.calls+1, maxCalls), 0
	}
	b.trouble.fails = 0
	if !b.trouble.down {
		return
	}
	b.trouble.down, b.trouble.began = false, make(chan struct{})
	b.refreshAll()
	b.kick()
}

// unanswered takes in that it did not answer a call that began then. The caller
// holds mu.
func (b *Brokers) unanswered(began, now time.Time, retryAfter time.Duration) {
	b.halve(began, now)
	t := &b.trouble
	t.last = now
	switch {
	case !t.down:
		t.down, t.since = true, now
		close(t.began)
		b.refreshAll()
	case began.Before(t.since):
		return // one of many that failed together
	}
	t.fails++
	t.until = now.Add(max(pause(t.fails), min(retryAfter, longestPause)))
	b.kick()
}

// halve takes in that calls may have been too many, by one that began then. The
// caller holds mu.
func (b *Brokers) halve(began, now time.Time) {
	if began.After(b.halved) { // else it was under way with another that told so
		b.calls, b.good, b.halved = max(1, b.calls/2), 0, now
	}
}

// pause is how long to wait after so many failures in a row: any time up to a
// bound that doubles, so that many who failed together do not come together.
func pause(fails int) time.Duration {
	most := min(longestPause, firstPause<<min(fails, 8))
	return firstPause/4 + rand.N(most)
}

// Missed takes in that a beat of the session that began then had no answer:
// perhaps it waited behind the calls that are made here.
func (b *Brokers) Missed(_ context.Context, now, began time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halve(began, now)
}

// Opened takes in a new session: what is held is to be confirmed through it.
func (b *Brokers) Opened(_ context.Context, _ time.Time, session string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble.until = time.Time{} // somebody has just reached the cloud
	b.opened(session)
}

func (b *Brokers) opened(session string) {
	if session == b.session {
		b.kick()
		return
	}
	b.session = session
	b.refreshAll()
	for _, g := range b.groups {
		b.enqueue(g)
	}
}

// Changed takes in what changed in the cloud: those held here that it may
// concern are to be confirmed. What was changed from here is known.
func (b *Brokers) Changed(_ context.Context, _ time.Time, changes []core.Change, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble.until = time.Time{}
	if all {
		for _, g := range b.groups {
			b.check(g)
		}
	}
	for _, c := range changes {
		switch g := b.groups[c.Broker]; {
		case g == nil || !g.foreign(c.Revision):
		case g.busy && len(g.log) < len(g.own):
			g.log = append(g.log, c.Revision)
		default:
			b.check(g)
		}
	}
	b.kick()
}

// foreign says whether another has raised that revision.
func (g *group) foreign(rev core.Revision) bool { return !slices.Contains(g.own[:], rev) }

// check has the group confirmed. The caller holds mu.
func (b *Brokers) check(g *group) {
	for _, r := range g.replicas {
		r.check = true
	}
	b.enqueue(g)
}
