package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Beat takes a light heartbeat. A direct one renews in one conditional write;
// it revives nothing that ran out (rule 4) and the answer BeatRegister then
// tells the sender to register in full. With a Session it confirms that a
// gateway holds the broker.
func (r *Registry) Beat(ctx context.Context, now time.Time, b Beat) (BeatAnswer, error) {
	if b.Session == "" && b.HasID {
		_, err := r.store.Renew(ctx, now, Renewal{
			Cluster: b.Cluster, Broker: b.Broker, ID: b.ID, Addr: b.Addr, DataVersion: b.DataVersion, Said: now.Add(-b.Age),
		})
		if err == nil {
			return BeatOK, nil
		}
		if !errors.Is(err, ErrChanged) {
			return 0, fmt.Errorf("renew %s: %w", b.Broker, err)
		}
	}
	answer := BeatRegister
	_, err := r.update(ctx, now, b.Broker, func(t *transition) (bool, error) {
		var store bool
		var err error
		answer, store, err = t.beat(b)
		return store, err
	})
	if errors.Is(err, ErrBusy) {
		return BeatBusy, nil
	}
	return answer, err
}

func (t *transition) beat(b Beat) (answer BeatAnswer, store bool, err error) {
	said := t.now.Add(-b.Age)
	if b.Session != "" {
		if s, ok := t.sessions.Find(b.Session); !ok || !s.Alive(t.now) {
			return 0, false, fmt.Errorf("session %s: %w", b.Session, ErrSessionClosed)
		}
	}
	i := t.group.indexOfAddr(b.Addr)
	if i < 0 || b.HasID && t.group.Replicas[i].ID != b.ID || t.group.Cluster != b.Cluster {
		taken := b.HasID && t.group.indexOf(b.ID) >= 0
		if taken || !said.After(t.group.Said) {
			return BeatGone, t.changed(), nil
		}
		return BeatRegister, t.changed(), nil
	}
	replica := &t.group.Replicas[i]
	answer = BeatOK
	if replica.Digest == 0 || b.DataVersion != nil && *b.DataVersion != replica.DataVersion {
		answer = BeatRegister
	}
	if b.Session != "" || replica.hasDirect() {
		replica.Leases = withLease(t.holding(*replica), Lease{Session: b.Session, Said: said})
	}
	if said.After(replica.Said) {
		replica.Said = said
	}
	return answer, true, nil
}

func (r Replica) hasDirect() bool { return len(r.Leases) > 0 && r.Leases[0].Session == "" }

// DataVersion returns the version that the living broker at that address has
// registered (request code 322). ErrNotFound if it is not here.
func (r *Registry) DataVersion(ctx context.Context, now time.Time, cluster, broker, addr string) (DataVersion, error) {
	g, err := r.Group(ctx, now, broker)
	if err != nil {
		return DataVersion{}, err
	}
	if i := g.indexOfAddr(addr); i >= 0 && g.Cluster == cluster {
		return g.Replicas[i].DataVersion, nil
	}
	return DataVersion{}, fmt.Errorf("broker %s at %s: %w", broker, addr, ErrNotFound)
}
