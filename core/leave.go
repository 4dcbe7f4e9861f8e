package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Unregister takes a broker out (request code 104), or ends one of its leases.
// It goes by address, as Java 5.x does, so that a replaced master's late
// goodbye leaves its successor alone. What is not there, or was said again
// later, is left as it is. It returns the revision that it raised; 0 if nothing
// changed.
func (r *Registry) Unregister(ctx context.Context, now time.Time, d Departure) (Revision, error) {
	return r.update(ctx, now, d.Broker, func(t *transition) (bool, error) {
		if err := t.owns(d.Session, d.Owner); err != nil {
			return false, err
		}
		return t.leave(d), nil
	})
}

func (t *transition) leave(d Departure) bool {
	said := saidAt(t.now, d.Age)
	i := t.group.indexOfAddr(d.Addr)
	if d.Cluster != "" && d.Cluster != t.group.Cluster || i < 0 && (d.LeaseOnly || t.group.Version == 0) {
		return t.changed()
	}
	if i < 0 {
		return t.gone(said) || t.changed()
	}
	replica := t.group.Replicas[i]
	if d.LeaseOnly {
		at := slices.IndexFunc(replica.Leases, func(l Lease) bool { return l.held(d.Session, d.Front) })
		if at < 0 || said.Before(replica.Leases[at].Said) {
			return t.changed()
		}
		replica.Leases = slices.Delete(slices.Clone(replica.Leases), at, at+1)
		if replica.Alive(t.sessions, t.now) {
			t.group.Replicas[i] = replica
			return true
		}
	} else if said.Before(replica.Said) {
		return t.changed()
	}
	t.remove(replica, BrokerUnregistered)
	t.gone(said)
	return true
}

// gone remembers that a replica left, so that no registration that was on its
// way brings it back. It says whether that is news.
func (t *transition) gone(said time.Time) bool {
	news := said.After(t.group.Said)
	t.group.Said = later(t.group.Said, said)
	return news
}

// Leases returns the replicas that the session holds, sorted, so that its gateway can
// drop what it holds no more (rule 12).
func (r *Registry) Leases(ctx context.Context, session string) ([]Held, error) {
	groups, err := r.store.Groups(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read groups: %w", err)
	}
	var held []Held
	for _, g := range groups {
		for _, replica := range g.Replicas {
			if slices.ContainsFunc(replica.Leases, func(l Lease) bool { return l.Session == session }) {
				held = append(held, Held{Cluster: g.Cluster, Broker: g.Name, ID: replica.ID, Addr: replica.Addr})
			}
		}
	}
	return held, nil // sorted, as groups and their replicas are
}

// Held names a replica that a session keeps.
type Held struct {
	Cluster string
	Broker  string
	ID      int64
	Addr    string
}
