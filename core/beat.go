package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Beat takes a light heartbeat. A direct one renews in one conditional write;
// it revives nothing that ran out (rule 4) and the answer BeatRegister then
// tells the sender to register in full. With a Session it confirms that a
// gateway holds the broker.
func (r *Registry) Beat(ctx context.Context, now time.Time, b Beat) (BeatAnswer, error) {
	if b.Session == "" && b.HasID {
		g, err := r.store.Renew(ctx, now, Renewal{
			Front: b.Front, Cluster: b.Cluster, Broker: b.Broker, ID: b.ID, Addr: b.Addr, DataVersion: b.DataVersion, Said: saidAt(now, b.Age),
		})
		if err == nil && g.unsettled() {
			err = r.settleNamed(ctx, b.Broker)
		}
		if err == nil {
			return g.heard(g.indexOf(b.ID), saidAt(now, b.Age), now), nil
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
	return answer, err
}

func (t *transition) beat(b Beat) (answer BeatAnswer, store bool, err error) {
	said := saidAt(t.now, b.Age)
	if err := t.vouches(b.Session, b.Owner); err != nil {
		return 0, false, err
	}
	i := t.group.indexOfAddr(b.Addr)
	if i < 0 || b.HasID && t.group.Replicas[i].ID != b.ID || t.group.Cluster != b.Cluster {
		return t.missing(b, said), t.changed(), nil
	}
	replica := &t.group.Replicas[i]
	answer = t.group.heard(i, said, t.now)
	if b.DataVersion != nil && *b.DataVersion != replica.DataVersion {
		answer = max(answer, BeatRegister)
	}
	holding, held := t.holding(*replica), len(replica.Leases)
	replica.Leases = holding
	lease := leaseOf(b.Session, b.Front, said)
	if there := slices.ContainsFunc(holding, func(l Lease) bool { return l.held(b.Session, "") }); b.Session != "" && there && len(holding) == held && answer == BeatOK {
		return answer, t.changed(), nil // as confirmed before: only what is missing is written
	}
	if b.Session != "" || slices.ContainsFunc(replica.Leases, func(l Lease) bool { return l.held("", b.Front) }) {
		replica.Leases = withLease(replica.Leases, lease)
	} else {
		answer = max(answer, BeatRegister) // only a registration makes a direct lease
	}
	replica.Said = later(replica.Said, said)
	return answer, true, nil
}

// heard says whether what the i-th replica said last is in force.
func (g Group) heard(i int, said, now time.Time) BeatAnswer {
	switch {
	case g.Replicas[i].Digest != 0:
		return BeatOK
	case g.Writer.active(now):
		return BeatBusy
	case !said.After(g.Deleted):
		return BeatGone
	default:
		return BeatRegister
	}
}

// missing answers for a broker that is not here as it says.
func (t *transition) missing(b Beat, said time.Time) BeatAnswer {
	for _, r := range t.group.Replicas {
		if b.HasID && r.ID == b.ID || r.Addr == b.Addr && !said.After(r.Said) {
			return BeatGone
		}
	}
	if !said.After(t.group.Said) {
		return BeatGone
	}
	return BeatRegister
}

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
