package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Register takes a broker's registration (request code 103).
//
// An unchanged one, by Digest, only renews its lease. Errors: *FieldError,
// Content's own, ErrRefused, ErrNameConflict, ErrStale, ErrBusy,
// ErrSessionClosed, and the store's.
func (r *Registry) Register(ctx context.Context, now time.Time, reg Registration) (Registered, error) {
	if err := reg.check(); err != nil {
		return Registered{}, err
	}
	if reg.Timeout <= 0 {
		reg.Timeout = DefaultTimeout
	}
	if reg.Digest != 0 && reg.Session == "" {
		g, err := r.store.Renew(ctx, now, Renewal{
			Cluster: reg.Cluster, Broker: reg.Broker, ID: reg.ID, Addr: reg.Addr, Digest: reg.Digest, Said: now.Add(-reg.Age),
		})
		if err == nil && len(g.Outbox) > 0 {
			err = r.flush(ctx, g)
		}
		if err == nil {
			return r.registered(ctx, now, g, reg.ID, 0)
		}
		if !errors.Is(err, ErrChanged) {
			return Registered{}, fmt.Errorf("renew %s: %w", reg.Broker, err)
		}
	}
	content, err := reg.Content()
	if err != nil {
		return Registered{}, err
	}
	unlock, err := r.locks.lock(ctx, reg.Broker)
	if err != nil {
		return Registered{}, err
	}
	defer unlock()
	return r.registerContent(ctx, now, reg, content)
}

func (reg Registration) check() error {
	for _, f := range [...]struct{ name, value string }{
		{"brokerName", reg.Broker}, {"clusterName", reg.Cluster}, {"brokerAddr", reg.Addr},
	} {
		if strings.TrimSpace(f.value) == "" {
			return &FieldError{Field: f.name, Reason: "is missing or blank"}
		}
	}
	return nil
}

// registerContent decides, stores the topics under the writer's token, and
// then the group, which so appears last (rule 7).
func (r *Registry) registerContent(ctx context.Context, now time.Time, reg Registration, content Content) (Registered, error) {
	rules := r.Rules()
	writer := r.newID()
	var changed topicNames
	for range maxAttempts {
		t, err := r.begin(ctx, now, reg.Broker)
		if err != nil {
			return Registered{}, err
		}
		d, err := t.register(reg, content, rules)
		switch {
		case errors.Is(err, ErrNameConflict):
			return Registered{}, errors.Join(err, r.conflictEvent(ctx, now, t, reg))
		case err != nil:
			return Registered{}, err
		}
		if d.writeTopics {
			w := TopicWrite{Broker: reg.Broker, Writer: writer, Put: d.topics, Mappings: d.mappings, Replace: d.replace}
			names, err := r.writeTopics(ctx, t, w)
			changed = changed.add(names)
			if errors.Is(err, ErrConflict) {
				continue
			}
			if err != nil {
				return Registered{}, err
			}
			t.topicsChanged(changed)
		}
		rev, err := r.commit(ctx, t, changed)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return Registered{}, err
		}
		return r.registered(ctx, now, t.group, reg.ID, rev)
	}
	return Registered{}, fmt.Errorf("register %s: %w", reg.Broker, ErrConflict)
}

// registered tells a slave where its master is.
func (r *Registry) registered(ctx context.Context, now time.Time, g Group, id int64, rev Revision) (Registered, error) {
	answer := Registered{Revision: rev}
	if id == MasterID {
		return answer, nil
	}
	if m, ok := g.Master(); ok {
		head, err := r.store.Head(ctx, rev)
		if err != nil {
			return Registered{}, fmt.Errorf("read sessions: %w", err)
		}
		if m.Alive(head.Sessions, now) {
			answer.MasterAddr, answer.HAAddr = m.Addr, m.HAAddr
		}
	}
	return answer, nil
}

// registration is what a transition asks to be done with the topics.
type registration struct {
	writeTopics bool
	topics      []Topic
	mappings    []*Mapping
	replace     bool
}

// register applies one registration; the steps are those of Java's
// RouteInfoManager.registerBroker (5.x).
func (t *transition) register(reg Registration, content Content, rules Rules) (registration, error) {
	said := t.now.Add(-reg.Age)
	if reg.Session != "" {
		s, ok := t.sessions.Find(reg.Session)
		if !ok || !s.Alive(t.now) {
			return registration{}, fmt.Errorf("session %s: %w", reg.Session, ErrSessionClosed)
		}
	}
	if err := t.moveCluster(reg); err != nil {
		return registration{}, err
	}
	returning := len(t.live.Replicas) == 0
	lowest, hadLowest := t.live.First()

	// The same ip:port under another id: a slave became master or the other way round.
	for _, other := range slices.Clone(t.group.Replicas) {
		if other.Addr == reg.Addr && other.ID != reg.ID {
			if said.Before(other.Said) {
				return registration{}, fmt.Errorf("register %s id %d: %w", reg.Addr, reg.ID, ErrStale)
			}
			t.group.Replicas = slices.Delete(t.group.Replicas, t.group.indexOf(other.ID), t.group.indexOf(other.ID)+1)
			t.replicas = true
		}
	}

	replica := Replica{
		ID: reg.ID, Addr: reg.Addr, HAAddr: reg.HAAddr, Zone: reg.Zone, Timeout: reg.Timeout, ActingMaster: reg.ActingMaster,
		DataVersion: content.DataVersion, FilterServers: content.FilterServers, Digest: reg.Digest, Said: said,
	}
	first := true
	sameVersion := false
	if i := t.group.indexOf(reg.ID); i >= 0 {
		was := t.group.Replicas[i]
		if said.Before(was.Said) {
			return registration{}, t.addLease(i, reg, said)
		}
		if was.Addr != reg.Addr && was.DataVersion.StateVersion > content.DataVersion.StateVersion {
			// A controller gave the id to somebody newer: quietly not registered.
			return registration{}, nil
		}
		first = false
		if was.Addr == reg.Addr {
			sameVersion = was.DataVersion == content.DataVersion
			replica.Leases = was.Leases
			if content.FilterServers == nil {
				replica.FilterServers = was.FilterServers
			}
		}
		t.replicas = t.replicas || !was.reads(replica)
		if was.Addr != reg.Addr {
			t.event(BrokerRegistered, replica)
			t.events[len(t.events)-1].OldAddr = was.Addr
		}
	} else {
		if said.Before(t.group.Said) {
			return registration{}, fmt.Errorf("register %s: left at %s: %w", reg.Addr, t.group.Said.Format(time.RFC3339Nano), ErrStale)
		}
		if len(content.Topics) == 1 {
			// One topic of a broker not known yet would make its full table look unchanged.
			return registration{}, fmt.Errorf("%w: %s is not registered and sends one topic only", ErrRefused, reg.Addr)
		}
		t.replicas = true
		t.event(BrokerRegistered, replica)
	}
	if len(replica.FilterServers) == 0 {
		replica.FilterServers = nil
	}
	replica.Leases = withLease(t.holding(replica), Lease{Session: reg.Session, Said: said})
	t.put(replica)
	if hadLowest && reg.ID < lowest.ID || !hadLowest && reg.ID < MasterID {
		t.tellMin("", reg.HAAddr)
	}

	lowest, _ = t.group.First()
	contributes := reg.ID == MasterID || reg.ActingMaster != ActingMasterUnknown && reg.ID == lowest.ID
	d := registration{writeTopics: contributes || returning, replace: returning}
	if contributes {
		d.topics, d.mappings = content.Topics, content.Mappings
		d.replace = d.replace || rules.DeleteTopicsOnRegistration && len(content.Mappings) == 0
		if (first || !sameVersion) && t.group.Override != NoOverride && !said.Before(t.group.Said) {
			t.group.Override = NoOverride
			t.replicas = true
		}
	}
	return d, nil
}

// moveCluster lets a broker take its name along to another cluster, if nobody
// else lives under that name in the old one.
func (t *transition) moveCluster(reg Registration) error {
	if t.group.Cluster == reg.Cluster {
		return nil
	}
	for _, r := range t.live.Replicas {
		if r.Addr != reg.Addr {
			return fmt.Errorf("%w: %s is alive in cluster %s at %s; %s of cluster %s is refused",
				ErrNameConflict, reg.Broker, t.group.Cluster, r.Addr, reg.Addr, reg.Cluster)
		}
	}
	t.group.Cluster = reg.Cluster
	t.replicas = t.replicas || len(t.live.Replicas) > 0
	return nil
}

// addLease lets an old statement confirm what is there, and nothing more.
func (t *transition) addLease(i int, reg Registration, said time.Time) error {
	r := &t.group.Replicas[i]
	if r.Addr != reg.Addr {
		return fmt.Errorf("register %s: replaced by %s since: %w", reg.Addr, r.Addr, ErrStale)
	}
	r.Leases = withLease(r.Leases, Lease{Session: reg.Session, Said: said})
	return nil
}

// reads says whether readers see the two alike.
func (r Replica) reads(o Replica) bool {
	return r.ID == o.ID && r.Addr == o.Addr && r.Zone == o.Zone && r.ActingMaster == o.ActingMaster &&
		slices.Equal(r.FilterServers, o.FilterServers)
}

// withLease returns a copy of the leases with l in it, the later statement of
// the same session winning.
func withLease(leases []Lease, l Lease) []Lease {
	out := slices.Clone(leases)
	i, found := slices.BinarySearchFunc(out, l.Session, func(x Lease, s string) int { return strings.Compare(x.Session, s) })
	if !found {
		return slices.Insert(out, i, l)
	}
	if l.Said.After(out[i].Said) {
		out[i] = l
	}
	return out
}
