package held

import (
	"cmp"
	"slices"
	"time"

	"signpost/core"
)

// replica is one broker process: what it has said, against what the cloud knows
// of it. Brokers.mu guards it.
type replica struct {
	reg     core.Registration // the newest word but for its content: not its Digest, Age or Content
	version core.DataVersion
	filters []string

	held  bool      // it is connected here, as far as is known
	heard time.Time // its last sign of life
	said  time.Time // its last registration, changed or not

	bodies  []*body // oldest first
	drop    *drop   // that it left, unless the cloud was told
	session string  // through which the cloud has spoken of it last
	leases  []lease // sessions under which the cloud may hold it, oldest first
	clock   clock   // of what the cloud was told of it

	// gone says that the cloud holds it no more as it was said here, or more of it
	// than was, so that the broker's own next registration is needed; it is not in
	// the local registry.
	gone    bool
	refused bool // the last body; the broker is to say it again
	check   bool // to be confirmed, for something of its group has changed
	shown   bool // the cloud has had it, or it was answered that it is registered
	strange bool // it was never here: somebody said only that it left
}

// drop is how a broker left; both may be.
type drop struct {
	all   time.Time // when it said so itself (104); zero: it did not
	lease time.Time // when its connection closed, or its time was up; zero: neither

	strange bool // the broker was never here

	settled bool
	err     error
	done    chan struct{} // closed when the cloud knows
}

func (d *drop) settle(err error) {
	if !d.settled {
		d.settled, d.err = true, err
		close(d.done)
	}
}

// since is when the broker left first.
func (d *drop) since() time.Time {
	if d.all.IsZero() || !d.lease.IsZero() && d.lease.Before(d.all) {
		return d.lease
	}
	return d.all
}

// lease is a session under which the cloud may hold a replica.
type lease struct {
	session string
	until   time.Time // by when it has run out by itself; zero while the session is the newest
}

// leaseMargin is how much longer than its time a lease is believed in.
const leaseMargin = 30 * time.Second

func (r *replica) timeout() time.Duration {
	if r.reg.Timeout <= 0 {
		return core.DefaultTimeout
	}
	return r.reg.Timeout
}

// deadline is the last moment at which the broker is believed to be there.
func (r *replica) deadline() time.Time { return r.heard.Add(r.timeout()) }

func (r *replica) hear(at time.Time) {
	if at.After(r.heard) {
		r.heard = at
	}
}

// leaseUnder notes that the cloud may hold the replica under the session from now on.
func (r *replica) leaseUnder(session string, now time.Time) {
	r.leases = slices.DeleteFunc(r.leases, func(l lease) bool { return !l.until.IsZero() && now.After(l.until) })
	if n := len(r.leases); n > 0 && r.leases[n-1].session == session {
		return
	}
	r.leases = slices.DeleteFunc(r.leases, func(l lease) bool { return l.session == session })
	for i := range r.leases {
		if r.leases[i].until.IsZero() {
			r.leases[i].until = now.Add(max(r.timeout(), core.SessionTimeout) + leaseMargin)
		}
	}
	r.leases = append(r.leases, lease{session: session})
}

// accepted says whether the cloud holds all that the broker said, under the session.
func (r *replica) accepted(session string) bool {
	return r.session == session && r.unsaid() == nil && r.drop == nil
}

// leave notes that a held broker left: by its own word for all, or else only
// what is held of it here. Bodies that nobody was told of need not be said any
// more.
func (r *replica) leave(at time.Time, all bool) *drop {
	d := &drop{done: make(chan struct{})}
	if r.drop != nil {
		r.drop.settle(nil)
		d.all, d.lease = r.drop.all, r.drop.lease
	}
	if all {
		d.all = at
	} else {
		d.lease = at
	}
	r.drop, r.held, r.gone, r.refused, r.check, r.shown = d, false, false, false, false, false
	r.keep(func(_ int, x *body) bool { return x.tried })
	for _, x := range r.bodies {
		x.before = true
	}
	return d
}

// leftFirst says whether the cloud has to hear that the broker left before it
// hears that it is back: it had topics that it does not name any more.
func (r *replica) leftFirst() bool {
	for _, old := range r.bodies {
		if !old.before {
			continue
		}
		rest := old.names
		for _, x := range r.bodies {
			if !x.before {
				rest, _ = without(rest, x.names)
			}
		}
		if len(rest) > 0 {
			return true
		}
	}
	return false
}

// again has everything said again that the cloud had accepted: it has lost it.
func (r *replica) again() {
	for _, x := range r.bodies {
		x.accepted = false
	}
}

// forget drops what was said by then, since it is not to be said again.
func (r *replica) forget(by time.Time) {
	r.keep(func(_ int, x *body) bool { return x.said.After(by) })
	r.again()
}

// empty says whether there is nothing to know about the replica.
func (r *replica) empty() bool { return !r.held && r.drop == nil }

// group is one brokerName with its replicas that are, or were, connected here.
type group struct {
	name     string
	replicas []*replica // sorted by address

	told  core.Group       // by the cloud's last word
	asOf  core.Revision    // at which that was its word
	until time.Time        // for which that holds; zero: it never spoke
	own   [4]core.Revision // raised by calls from here, the last ones
	log   []core.Revision  // of changes heard of during a call, which may be what that raises
	clock clock            // of what the cloud was told of the group

	busy   bool // a call is under way
	queued bool
	due    time.Time // before which no call is made
	fails  int       // in a row

	merged  core.Group // told, with what is pending here
	visible bool       // merged is not told
	some    bool       // something is known of merged
}

func (g *group) search(addr string) (int, bool) {
	return slices.BinarySearchFunc(g.replicas, addr, func(r *replica, addr string) int { return cmp.Compare(r.reg.Addr, addr) })
}

func (g *group) find(addr string) *replica {
	if i, ok := g.search(addr); ok {
		return g.replicas[i]
	}
	return nil
}

// at returns the replica at that address, which is made if there is none.
func (g *group) at(cluster, addr string, id int64) *replica {
	i, ok := g.search(addr)
	if !ok {
		r := &replica{reg: core.Registration{Cluster: cluster, Broker: g.name, Addr: addr, ID: id}}
		g.replicas = slices.Insert(g.replicas, i, r)
	}
	return g.replicas[i]
}

// left takes one who left out of what was told of the group: if the cloud was
// told of a session only, not while another holds it.
func (g *group) left(addr, session string) {
	told := g.told.Clone()
	told.Replicas = slices.DeleteFunc(told.Replicas, func(r core.Replica) bool { return r.Addr == addr && session == "" })
	for i := range told.Replicas {
		if r := &told.Replicas[i]; r.Addr == addr {
			r.Leases = slices.DeleteFunc(r.Leases, func(l core.Lease) bool { return l.Session == session })
		}
	}
	told.Replicas = slices.DeleteFunc(told.Replicas, func(r core.Replica) bool { return r.Addr == addr && len(r.Leases) == 0 })
	g.told = told
}

// promote has a slave that is the lowest of its group now heard in full, if it is
// connected here and of 5.x: its topics did not count before.
func (g *group) promote(lowest core.Replica) {
	r := g.find(lowest.Addr)
	if r != nil && r.held && r.repeats() && lowest.ID != core.MasterID && r.reg.ActingMaster != core.ActingMasterUnknown {
		r.again()
	}
}

// raised notes a revision that a call about the group has raised.
func (g *group) raised(rev core.Revision) {
	if rev != 0 {
		copy(g.own[1:], g.own[:len(g.own)-1])
		g.own[0] = rev
	}
}

// group returns the group of that name, which is made if there is none. The
// caller holds mu.
func (b *Brokers) group(name string) *group {
	g := b.groups[name]
	if g == nil {
		g = &group{name: name}
		b.groups[name] = g
	}
	return g
}

// tidy forgets the replicas of which there is nothing to know, and the group
// with the last. The caller holds mu.
func (b *Brokers) tidy(g *group) {
	if g.busy {
		return // it is done when the call is
	}
	g.replicas = slices.DeleteFunc(g.replicas, (*replica).empty)
	if len(g.replicas) == 0 {
		b.refresh(g)
		if b.groups[g.name] == g {
			delete(b.groups, g.name)
		}
	}
}

// find returns the replica, if anything is known of it. The caller holds mu.
func (b *Brokers) find(name, addr string) (*group, *replica) {
	g := b.groups[name]
	if g == nil {
		return nil, nil
	}
	return g, g.find(addr)
}
