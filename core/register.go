package core

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxTimeout bounds a broker's own timeout, so that moments can be reckoned with.
const maxTimeout = 365 * 24 * time.Hour

// Register takes a broker's registration (request code 103).
//
// An unchanged one, by Digest, only renews its lease. Errors: *FieldError,
// Content's own, ErrRefused, ErrNameConflict, ErrStale, ErrBusy,
// ErrSessionClosed, ErrForbidden, and the store's.
func (r *Registry) Register(ctx context.Context, now time.Time, reg Registration) (Registered, error) {
	if err := reg.check(); err != nil {
		return Registered{}, err
	}
	rules := r.Rules()
	reg = reg.normal(rules)
	answer, g, renewed, err := r.renew(ctx, now, reg)
	if err == nil && renewed && g.unsettled() {
		err = r.settleNamed(ctx, reg.Broker)
	}
	if renewed || err != nil {
		return answer, err
	}
	unlock, err := r.locks.lock(ctx, reg.Broker)
	if err != nil {
		return Registered{}, err
	}
	defer unlock()
	return r.registerContent(ctx, now, reg, rules)
}

// Renew is the part of Register that needs no content, one write of the store:
// an unchanged registration renews its lease. False says that it has to be
// heard by Register.
func (r *Registry) Renew(ctx context.Context, now time.Time, reg Registration) (Registered, bool, error) {
	if err := reg.check(); err != nil {
		return Registered{}, false, err
	}
	answer, g, renewed, err := r.renew(ctx, now, reg.normal(r.Rules()))
	return answer, renewed && !g.unsettled(), err
}

func (r *Registry) renew(ctx context.Context, now time.Time, reg Registration) (Registered, Group, bool, error) {
	if reg.Digest == 0 || reg.Session != "" {
		return Registered{}, Group{}, false, nil
	}
	g, err := r.store.Renew(ctx, now, Renewal{
		Front: reg.Front, Cluster: reg.Cluster, Broker: reg.Broker, ID: reg.ID, Addr: reg.Addr, Digest: reg.Digest, Said: saidAt(now, reg.Age),
	})
	var heard bool
	if err == nil {
		heard, err = r.heard(ctx, now, g, reg)
	}
	if errors.Is(err, ErrChanged) || err == nil && !heard {
		return Registered{}, Group{}, false, nil
	}
	if err != nil {
		return Registered{}, Group{}, false, fmt.Errorf("renew %s: %w", reg.Broker, err)
	}
	if m, ok := g.Master(); ok && reg.ID != MasterID {
		lives, err := r.lives(ctx, now, m)
		if err != nil || !lives {
			return Registered{}, g, err == nil, err
		}
	}
	return g.registered(reg.ID, 0), g, true, nil
}

func (reg Registration) check() error {
	for _, f := range [...]struct{ name, value string }{
		{"brokerName", reg.Broker}, {"clusterName", reg.Cluster}, {"brokerAddr", reg.Addr},
	} {
		if strings.TrimSpace(f.value) == "" {
			return &FieldError{Field: f.name, Reason: "is missing or blank"}
		}
	}
	return reg.may(reg.Cluster)
}

// may says why the caller may not write a cluster. One without a name is
// nobody's.
func (reg Registration) may(cluster string) error {
	if reg.Clusters == nil || cluster == "" || slices.Contains(reg.Clusters, cluster) {
		return nil
	}
	return &ClusterError{Cluster: cluster}
}

// normal returns the registration with its timeout, and with a digest that is
// another one under rules by which the same body means something else.
func (reg Registration) normal(rules Rules) Registration {
	if reg.Timeout <= 0 {
		reg.Timeout = DefaultTimeout
	}
	reg.Timeout = min(reg.Timeout, maxTimeout)
	if reg.Digest != 0 && rules.DeleteTopicsOnRegistration {
		reg.Digest = max(bits.ReverseBytes64(reg.Digest)^1, 1)
	}
	return reg
}

// saidAt is when something was said that is age old. Nothing is said in the future.
func saidAt(now time.Time, age time.Duration) time.Time { return now.Add(-max(age, 0)) }

// registerContent decides, with the body only if it is needed, and stores.
func (r *Registry) registerContent(ctx context.Context, now time.Time, reg Registration, rules Rules) (_ Registered, err error) {
	decode := sync.OnceValues(reg.Content)
	w := topicWriter{id: r.newID()}
	defer func() {
		if err != nil && w.took {
			w.giveUp(ctx, r, reg.Broker)
		}
	}()
	for range maxAttempts {
		t, err := r.begin(ctx, now, reg.Broker)
		if err != nil {
			return Registered{}, err
		}
		var d registration
		known, err := t.confirm(reg)
		if err == nil && !known {
			var content Content
			var set []TopicFlag
			if content, err = decode(); err == nil {
				set, err = r.overridden(ctx, t)
			}
			if err == nil {
				d, err = t.register(reg, content, set, rules)
			}
		}
		var conflict *nameConflict
		switch {
		case errors.As(err, &conflict):
			return Registered{}, errors.Join(err, r.conflictEvent(ctx, now, t, reg, conflict.holder))
		case err != nil:
			return Registered{}, err
		}
		var rev Revision
		if d.writeTopics {
			rev, err = w.commit(ctx, r, t, TopicWrite{Put: d.topics, Mappings: d.mappings, Replace: d.replace})
		} else {
			rev, err = r.commit(ctx, t)
		}
		switch {
		case errors.Is(err, ErrConflict):
			continue
		case err != nil:
			return Registered{}, err
		case d.ignored:
			return Registered{Revision: rev}, nil
		}
		return t.group.registered(reg.ID, rev), nil // who has lapsed is not in it
	}
	return Registered{}, fmt.Errorf("register %s: %w", reg.Broker, ErrConflict)
}

// heard says whether a registration that says nothing new has been taken in as
// what it is now: not if it is the slave that has become the lowest because
// those before it have lapsed, and nobody has noticed yet.
func (r *Registry) heard(ctx context.Context, now time.Time, g Group, reg Registration) (bool, error) {
	first, ok := g.First()
	if !ok || first.ID >= reg.ID || reg.ID == MasterID || reg.ActingMaster == ActingMasterUnknown {
		return true, nil
	}
	if lives, err := r.lives(ctx, now, first); lives || err != nil {
		return lives, err
	}
	sessions, err := r.sessions(ctx, now)
	if err != nil {
		return false, err
	}
	lowest, ok := g.Live(sessions, now).First()
	return !ok || lowest.ID != reg.ID, nil
}

// lives says whether a replica is alive, and asks for the sessions only if it
// is not by itself: a heartbeat of a slave beside it costs no read then.
func (r *Registry) lives(ctx context.Context, now time.Time, x Replica) (bool, error) {
	if x.Alive(nil, now) {
		return true, nil
	}
	sessions, err := r.sessions(ctx, now)
	return x.Alive(sessions, now), err
}

// registered tells a slave where its master is, in a group of the living.
func (g Group) registered(id int64, rev Revision) Registered {
	answer := Registered{Revision: rev}
	if m, ok := g.Master(); ok && id != MasterID {
		answer.MasterAddr, answer.HAAddr = m.Addr, m.HAAddr
	}
	return answer
}

// confirm judges a registration without its body: whether it may be heard at
// all, and whether it says nothing new. Then, or if something newer was said
// since, it may do no more than add a lease (rule 2), and is done.
func (t *transition) confirm(reg Registration) (done bool, err error) {
	said := saidAt(t.now, reg.Age)
	lease := leaseOf(reg.Session, reg.Front, said)
	if err := t.vouches(reg.Session, reg.Owner); err != nil {
		return false, err
	}
	if reg.Session == "" && t.now.After(lease.deadline(reg.Timeout, nil, t.now)) {
		return false, fmt.Errorf("register %s: %w: said longer ago than its own timeout", reg.Addr, ErrStale)
	}
	for i := range t.group.Replicas {
		known := &t.group.Replicas[i]
		same := known.ID == reg.ID && known.Addr == reg.Addr && t.group.Cluster == reg.Cluster
		switch {
		case known.ID != reg.ID && known.Addr != reg.Addr:
		case !same && said.Before(known.Said):
			return false, fmt.Errorf("register %s id %d of %s: it is %s id %d of %s since: %w",
				reg.Addr, reg.ID, reg.Cluster, known.Addr, known.ID, t.group.Cluster, ErrStale)
		case same && said.Before(known.Registered): // a heartbeat since does not take its content back
			known.Leases = withLease(t.holding(*known), lease)
			return true, nil
		case same && reg.Digest != 0 && reg.Digest == known.Digest:
			known.Registered, known.Said = said, later(known.Said, said)
			known.Leases = withLease(t.holding(*known), lease)
			return true, nil
		}
	}
	if t.group.indexOf(reg.ID) < 0 && said.Before(t.group.Said) {
		return false, fmt.Errorf("register %s: left at %s: %w", reg.Addr, t.group.Said.Format(time.RFC3339Nano), ErrStale)
	}
	return false, nil
}

// registration is what a transition asks to be done with the topics.
type registration struct {
	ignored     bool // quietly not registered
	writeTopics bool
	topics      []Topic
	mappings    []*Mapping
	replace     bool
}

// register applies one registration that confirm lets pass; the steps are
// those of Java's RouteInfoManager.registerBroker (5.x). set is the group's, if
// there is an override.
func (t *transition) register(reg Registration, content Content, set []TopicFlag, rules Rules) (registration, error) {
	said := saidAt(t.now, reg.Age)
	if err := t.moveCluster(reg); err != nil {
		return registration{}, err
	}
	returning := len(t.live.Replicas) == 0
	lowest, hadLowest := t.live.First()

	// The same ip:port under another id: a slave became master or the other way round.
	prior, here := Replica{}, false
	if i := t.group.indexOfAddr(reg.Addr); i >= 0 {
		prior, here = t.group.Replicas[i], true
		if prior.ID != reg.ID {
			t.cut(i)
		}
	}
	holder := t.group.indexOf(reg.ID)
	switch {
	case holder >= 0 && t.group.Replicas[holder].Addr != reg.Addr &&
		t.group.Replicas[holder].DataVersion.StateVersion > content.DataVersion.StateVersion:
		// A controller gave the id to somebody newer.
		return registration{ignored: true}, nil
	case holder < 0 && len(content.Topics) == 1 && !content.Whole:
		// One topic of a broker not known yet would make its full table look unchanged.
		return registration{}, fmt.Errorf("%w: %s is not registered and sends one topic only", ErrRefused, reg.Addr)
	}

	replica := Replica{
		ID: reg.ID, Addr: reg.Addr, HAAddr: reg.HAAddr, Zone: reg.Zone, Timeout: reg.Timeout, ActingMaster: reg.ActingMaster,
		DataVersion: content.DataVersion, FilterServers: content.FilterServers, Digest: reg.Digest, Registered: said, Said: said,
	}
	if here {
		replica.Said = later(prior.Said, said)
		replica.Leases = t.holding(prior)
		if content.FilterServers == nil {
			replica.FilterServers = prior.FilterServers
		}
	}
	if len(replica.FilterServers) == 0 {
		replica.FilterServers = nil
	}
	replica.Leases = withLease(replica.Leases, leaseOf(reg.Session, reg.Front, said))

	changed := holder < 0 || !here || prior.DataVersion != content.DataVersion
	t.replicas = t.replicas || holder < 0 || !t.group.Replicas[holder].reads(replica)
	if holder < 0 || t.group.Replicas[holder].Addr != reg.Addr {
		t.group.Refused = ""
		t.event(BrokerRegistered, replica)
		if holder >= 0 {
			t.events[len(t.events)-1].OldAddr = t.group.Replicas[holder].Addr
		}
	}
	t.put(replica)
	if hadLowest && reg.ID < lowest.ID || !hadLowest && reg.ID < MasterID {
		t.newcomer = &reg.HAAddr
	}

	first, _ := t.group.First()
	contributes := reg.ID == MasterID || reg.ActingMaster != ActingMasterUnknown && reg.ID == first.ID
	d := registration{writeTopics: contributes || returning, replace: returning}
	if !contributes {
		return d, nil
	}
	d.topics, d.mappings = content.Topics, content.Mappings
	d.replace = returning || content.Whole || rules.DeleteTopicsOnRegistration && len(content.Mappings) == 0
	if changed && !said.Before(t.group.Overridden) && (d.replace || content.namesAll(set)) {
		t.replicas = t.replicas || t.group.Override != NoOverride
		t.group.Override = NoOverride
	}
	if said.Before(t.group.Deleted) {
		// It may name a topic that was deleted since, and nobody knows which:
		// the next one is heard in full.
		if returning {
			return registration{}, fmt.Errorf("register %s: topics were deleted since: %w", reg.Addr, ErrStale)
		}
		t.group.Replicas[t.group.indexOf(reg.ID)].Digest = 0
		return registration{}, nil
	}
	return d, nil
}

// nameConflict is an ErrNameConflict.
type nameConflict struct {
	reg     Registration
	cluster string
	holder  Replica
}

func (e *nameConflict) Error() string {
	return fmt.Sprintf("%v: %s is alive in cluster %s at %s; %s of cluster %s is refused",
		ErrNameConflict, e.reg.Broker, e.cluster, e.holder.Addr, e.reg.Addr, e.reg.Cluster)
}

func (e *nameConflict) Unwrap() error { return ErrNameConflict }

// moveCluster lets a broker take its name along to another cluster, if nobody
// else lives under that name in the old one.
func (t *transition) moveCluster(reg Registration) error {
	if t.group.Cluster == reg.Cluster {
		return nil
	}
	if err := reg.may(t.group.Cluster); err != nil {
		return err // were nobody alive there: it is remembered for those who return
	}
	for _, r := range t.live.Replicas {
		if r.Addr != reg.Addr {
			return &nameConflict{reg: reg, cluster: t.group.Cluster, holder: r}
		}
	}
	t.group.Cluster, t.group.Refused = reg.Cluster, ""
	t.replicas = t.replicas || len(t.live.Replicas) > 0
	return nil
}

// reads says whether readers see the two alike.
func (r Replica) reads(o Replica) bool {
	return r.ID == o.ID && r.Addr == o.Addr && r.Zone == o.Zone && r.ActingMaster == o.ActingMaster &&
		slices.Equal(r.FilterServers, o.FilterServers)
}

// leaseOf is the session's lease, or the front's direct one if there is none.
func leaseOf(session, front string, said time.Time) Lease {
	if session != "" {
		front = ""
	}
	return Lease{Session: session, Front: front, Said: said}
}

// withLease returns a copy of the leases with l in it, the later statement of
// the same holder winning.
func withLease(leases []Lease, l Lease) []Lease {
	out := slices.Clone(leases)
	i, found := slices.BinarySearchFunc(out, l, Lease.compare)
	if !found {
		return slices.Insert(out, i, l)
	}
	out[i].Said = later(out[i].Said, l.Said)
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
