package held

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// Deadlines of calls with their repetitions. What has no answer by then is
// said again, with its age; the functions' own deadlines are shorter.
const (
	registerTime = 60 * time.Second
	// probeTime bounds the first registration that is to show whether the cloud
	// can be reached again; it doubles with each that fails.
	probeTime   = 5 * time.Second
	confirmTime = 20 * time.Second
	departTime  = 10 * time.Second
)

// verdict is how a call ended.
type verdict int

const (
	accepted   verdict = iota
	refused            // it was understood and turned down: to say it again is no use
	another            // the session is over, or another writer is at the group: say it again
	unanswered         // whether it was heard is not known
)

// judge takes in how a call ended that began then, and gave what was said as
// made at given: for the way to the cloud, and for the broker if it was about one.
func (b *Brokers) judge(g *group, r *replica, began, said, given time.Time, err error) (v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Now()
	var no *api.UnreachableError
	switch {
	case err == nil:
		v = accepted
	case errors.Is(err, core.ErrSessionClosed), errors.Is(err, core.ErrBusy):
		v = another
	case errors.As(err, &no):
		v = unanswered
		b.unanswered(began, now, no.RetryAfter)
	case errors.Is(err, core.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		v = unanswered
		b.unanswered(began, now, 0)
	default:
		v = refused
	}
	if v != unanswered {
		b.answered()
	}
	if g != nil {
		g.clock.note(said, given, began, now)
		r.clock.note(said, given, began, now)
		g.rest(now, v)
	}
	return v
}

// conclude gives back the place of a call, and lets others follow what it
// brought: a session that is over, or a revision at which the cloud is, perhaps
// by what another gateway has said of the same broker. What was raised g is to
// know as its own, if it is given.
func (b *Brokers) conclude(ctx context.Context, session string, err error, g *group, raised, seen core.Revision) {
	b.mu.Lock()
	b.running--
	if g != nil {
		g.raised(raised)
	}
	b.kick()
	b.mu.Unlock()
	switch {
	case errors.Is(err, core.ErrSessionClosed):
		b.o.Session.Lost(session)
	case err == nil && seen != 0:
		// What is kept of routes is to have what was accepted before it is
		// pending here no more.
		b.o.Session.Seen(ctx, seen)
	}
}

// rest has the group wait after a call that is to be made again.
func (g *group) rest(now time.Time, v verdict) {
	switch v {
	case another:
		g.fails++
		g.due = now.Add(busyPause/2 + rand.N(busyPause))
	case unanswered:
		g.fails++
		g.due = now.Add(pause(g.fails))
	default:
		g.fails, g.due = 0, time.Time{}
	}
}

// open returns the session to speak for. Which one is the newest Opened tells, in
// order; here another may have been opened before this one is returned.
func (b *Brokers) open(ctx context.Context) (string, error) {
	id, err := b.o.Session.ID(ctx)
	if err != nil {
		return "", &api.UnreachableError{Call: "beatSession", Reason: "there is no session: " + err.Error()}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session == "" {
		b.opened(id)
	}
	return id, nil
}

// patience is the deadline of a registration.
func (b *Brokers) patience() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trouble.down {
		return min(registerTime, probeTime<<min(b.trouble.fails-1, 8))
	}
	return registerTime
}

// say makes the call for one statement.
func (b *Brokers) say(ctx context.Context, g *group, s statement) {
	if s.drop != nil {
		b.sayGone(ctx, g, s.r, s.drop)
	} else {
		b.sayHere(ctx, g, s.r, s.body)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish(g)
}

// sayHere registers a broker in full.
func (b *Brokers) sayHere(ctx context.Context, g *group, r *replica, x *body) {
	ctx, cancel := context.WithTimeout(ctx, b.patience())
	defer cancel()
	var reg api.Registration
	var said api.Registered
	var at time.Time
	session, err := b.open(ctx)
	began := b.o.Now()
	if err == nil {
		b.mu.Lock()
		x.tried = true
		r.leaseUnder(session, began)
		at = r.saidAt(x)
		reg = api.Registration{Registration: r.reg, Said: g.after(r, at), Body: x.content}
		reg.Session = session
		b.mu.Unlock()
		said, err = b.o.Cloud.Register(ctx, session, reg)
	}
	v := b.judge(g, r, began, at, reg.Said, err)
	b.conclude(ctx, session, err, g, said.Registered.Revision, max(said.Registered.Revision, said.Meta.Revision))

	b.mu.Lock()
	away := false // it is not there, though it was heard or for what it said
	switch v {
	case accepted:
		lowest, _ := g.told.First()
		b.tell(g, said.Group, max(said.Registered.Revision, said.Meta.Revision))
		if next, ok := g.told.First(); ok && next.Addr != lowest.Addr && next.Addr != reg.Addr {
			g.promote(next)
		}
		r.accept(x)
		r.session, r.refused, r.shown = session, false, r.held
		b.refresh(g) // what is asked after the answer is answered by it
		x.settle(said.Registered, nil)
		if away = said.Group.Name != "" && !contains(said.Group.Group, reg.Addr); away {
			r.keep(func(_ int, o *body) bool { return !o.accepted })
		}
		b.o.Observer.Said("accepted")
	case refused:
		away = true
		x.settle(core.Registered{}, err)
		r.keep(func(_ int, o *body) bool { return o != x })
		r.refused = true
		b.o.Observer.Said("refused")
	}
	b.mu.Unlock()
	if v == refused {
		// Who has not heard it says the same again, and is told then, with a line
		// in the front's log.
		b.o.Log.Debug("broker refused by the cloud", "broker", reg.Broker, "cluster", reg.Cluster, "addr", reg.Addr, "error", err)
	}
	if away {
		b.giveUp(ctx, g, r)
	}
}

// giveUp forgets a broker of which there is nothing that the cloud has
// accepted, or has yet to hear: its own next registration is heard in full.
func (b *Brokers) giveUp(ctx context.Context, g *group, r *replica) {
	defer b.statement(g.name)()
	b.mu.Lock()
	reg, said, now := r.reg, r.said, b.o.Now()
	keep := len(r.bodies) > 0 || !r.held || r.gone
	b.mu.Unlock()
	if keep {
		return
	}
	_, err := b.o.Local.Unregister(ctx, now, core.Departure{
		Cluster: reg.Cluster, Broker: reg.Broker, ID: reg.ID, Addr: reg.Addr, Age: now.Sub(said),
	})
	if err != nil {
		b.o.Log.Error("broker not forgotten", "broker", reg.Broker, "addr", reg.Addr, "error", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r.gone, r.shown, r.check = true, false, false
	if !contains(g.told, reg.Addr) {
		r.leases = nil
	}
	b.o.Observer.Said("gone")
}

// sayGone tells that a broker left: of itself, or the sessions' leases of it
// that end, one after the other.
func (b *Brokers) sayGone(ctx context.Context, g *group, r *replica, d *drop) {
	ctx, cancel := context.WithTimeout(ctx, departTime)
	defer cancel()
	began := b.o.Now()
	var at time.Time
	b.mu.Lock()
	dep := api.Departure{Departure: core.Departure{Cluster: r.reg.Cluster, Broker: g.name, ID: r.reg.ID, Addr: r.reg.Addr}}
	switch {
	case !d.all.IsZero():
		at = d.all
	case len(r.leases) > 0:
		at, dep.LeaseOnly, dep.Session = d.lease, true, r.leases[len(r.leases)-1].session
	default:
		b.dropped(r, d, nil) // nobody was ever told that it was here
		b.mu.Unlock()
		b.release()
		return
	}
	dep.Said = g.after(r, at)
	for _, x := range r.bodies { // whether they are still in force is not known from now on
		x.accepted = false
	}
	b.mu.Unlock()

	meta, err := b.o.Cloud.Unregister(ctx, dep.Session, dep)
	v := b.judge(g, r, began, at, dep.Said, err)
	b.conclude(ctx, dep.Session, err, nil, 0, meta.Revision)
	if v == refused {
		b.o.Log.Warn("departure refused by the cloud", "broker", g.name, "addr", dep.Addr, "error", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch over := errors.Is(err, core.ErrSessionClosed); {
	case v == unanswered && r.strange:
		b.dropped(r, d, err)
		return
	case v == unanswered, v == another && !over:
		return
	case dep.LeaseOnly: // and with a session that is over, its leases are
		r.leases = r.leases[:len(r.leases)-1]
	case r.drop != nil && r.drop.all.Equal(d.all):
		r.drop.all = time.Time{}
	}
	lowest, _ := g.told.First()
	g.left(dep.Addr, dep.Session)
	if next, ok := g.told.First(); ok && next.Addr != lowest.Addr {
		g.promote(next)
	}
	if r.drop == d && d.all.IsZero() && (d.lease.IsZero() || len(r.leases) == 0) {
		if v != refused {
			err = nil // a session that is over is no trouble of the broker's
		}
		b.dropped(r, d, err)
	}
}

// dropped ends a departure that the cloud has heard. The caller holds mu.
func (b *Brokers) dropped(r *replica, d *drop, err error) {
	if r.drop != d {
		return
	}
	r.drop = nil
	r.keep(func(_ int, x *body) bool { return !x.before })
	d.settle(err)
}

// confirm says of all brokers of the groups that are to be confirmed that the
// session holds them, in one call.
func (b *Brokers) confirm(ctx context.Context, groups []*group) {
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	var all []confirmation
	var beats []api.Beat
	var confirmed []api.Confirmed
	var meta api.Meta
	session, err := b.open(ctx)
	began := b.o.Now()
	if err == nil {
		b.mu.Lock()
		all, beats = collect(groups, session, began)
		b.mu.Unlock()
	}
	if len(beats) > 0 {
		confirmed, meta, err = b.o.Cloud.Beats(ctx, session, beats)
	}
	v := accepted
	if len(beats) > 0 || err != nil {
		v = b.judge(nil, nil, began, began, began, err)
	}
	b.conclude(ctx, session, err, nil, 0, meta.Revision)

	b.mu.Lock()
	var away []confirmation
	back := time.Duration(0) // over which those are spread that are to be heard in full
	switch v {
	case accepted:
		b.batch = api.MaxBatch
	case refused: // for one of them, perhaps, and with it for all
		b.batch = max(1, len(all)/2)
	}
	for i, c := range all {
		switch {
		case v == refused && len(groups) == 1:
			c.r.session = session
			c.r.forget(c.said)
			away = append(away, c)
			continue
		case v != accepted || i >= len(confirmed):
			c.r.check = true
			continue
		}
		c.r.clock.note(c.said, c.said, began, b.o.Now())
		c.r.session = session
		b.tell(c.g, confirmed[i].Group, meta.Revision)
		switch answer := confirmed[i].Answer; {
		case answer == core.BeatBusy:
			c.r.check = true
			c.g.due = b.o.Now().Add(busyPause/2 + rand.N(busyPause))
		case answer == core.BeatGone, answer == core.BeatRegister && !c.r.repeats() && contains(confirmed[i].Group.Group, c.r.reg.Addr):
			c.r.forget(c.said)
			away = append(away, c)
		case answer == core.BeatRegister:
			c.r.again()
			back = min(back+returnPause, returnSpread)
			c.g.due = b.o.Now().Add(rand.N(back))
			if len(c.r.bodies) == 0 {
				away = append(away, c)
			}
		}
	}
	for _, g := range groups {
		if v != accepted {
			g.rest(b.o.Now(), v)
		}
	}
	b.checking = false
	b.checkAt = b.o.Now().Add(checkPause)
	if v == refused {
		b.checkAt = b.o.Now().Add(checkPause / 10)
	}
	b.mu.Unlock()
	for _, c := range away {
		b.giveUp(ctx, c.g, c.r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finish(groups...)
}

// confirmation is one beat of a confirming call.
type confirmation struct {
	g    *group
	r    *replica
	said time.Time // what is confirmed
}

// wayTime is how much earlier a confirmation counts as said than it was. The
// cloud stamps it when it arrives, less its age; one that is longer on its way
// than passed until something was taken from the broker, a topic deleted, would
// look newer than that, and the cloud would ask to have it all said again. Too
// early, it asks for the broker's own word at worst.
const wayTime = 2 * time.Second

func collect(groups []*group, session string, now time.Time) (all []confirmation, beats []api.Beat) {
	for _, g := range groups {
		for _, r := range g.replicas {
			if !r.checks(session) || len(beats) == api.MaxBatch {
				continue
			}
			r.check = false
			r.leaseUnder(session, now)
			all = append(all, confirmation{g, r, r.said})
			beats = append(beats, api.Beat{Said: r.said.Add(-wayTime), Beat: core.Beat{
				Cluster: r.reg.Cluster, Broker: g.name, ID: r.reg.ID, HasID: true, Addr: r.reg.Addr, Session: session,
			}})
		}
	}
	return all, beats
}
