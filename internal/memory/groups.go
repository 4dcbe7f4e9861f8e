package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"signpost/core"
)

// groupShard is one part of the groups. A stored group is never modified: a
// change puts another in its place.
type groupShard struct {
	mu     sync.RWMutex
	groups map[string]*core.Group
}

func (s *Store) groupShard(name string) *groupShard { return &s.groups[hash(name)%shards] }

func (shard *groupShard) get(name string) *core.Group {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.groups[name]
}

// Group returns the group, or one with only its Name if there is none.
func (s *Store) Group(_ context.Context, name string) (core.Group, error) {
	if g := s.groupShard(name).get(name); g != nil {
		return *g, nil
	}
	return core.Group{Name: name}, nil
}

// Groups returns those of the named groups that exist, each once and sorted by
// name; nil names asks for all.
func (s *Store) Groups(_ context.Context, names []string) ([]core.Group, error) {
	found := make([]*core.Group, 0, len(names))
	if names == nil {
		for i := range s.groups {
			shard := &s.groups[i]
			shard.mu.RLock()
			for _, g := range shard.groups {
				found = append(found, g)
			}
			shard.mu.RUnlock()
		}
	}
	for _, name := range names {
		if g := s.groupShard(name).get(name); g != nil {
			found = append(found, g)
		}
	}
	slices.SortStableFunc(found, func(a, b *core.Group) int { return cmp.Compare(a.Name, b.Name) })
	found = slices.CompactFunc(found, func(a, b *core.Group) bool { return a.Name == b.Name })
	groups := make([]core.Group, len(found))
	for i, g := range found {
		groups[i] = *g
	}
	return groups, nil
}

// PutGroup stores g if the stored Version is still g.Version. A version is
// never used twice, not even for different groups.
func (s *Store) PutGroup(_ context.Context, g core.Group) (core.Group, error) {
	if err := checkName("brokerName", g.Name); err != nil {
		return core.Group{}, err
	}
	g, expected := copyGroup(g), g.Version
	var record []byte
	if s.disk != nil {
		record = seal(g.Name, appendGroup(nil, &g))
	}
	shard := s.groupShard(g.Name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	var stored uint64
	if old := shard.groups[g.Name]; old != nil {
		stored = old.Version
		g.Name = old.Name
	} else {
		g.Name = strings.Clone(g.Name)
	}
	if stored != expected {
		return core.Group{}, fmt.Errorf("put group %s: %w", g.Name, core.ErrConflict)
	}
	g.Version = s.version.Add(1)
	shard.groups[g.Name] = &g
	s.disk.put(map[item][]byte{{groupsBucket, g.Name}: record})
	return g, nil
}

// RemoveGroup removes the group if its Version is still that one.
func (s *Store) RemoveGroup(_ context.Context, name string, version uint64) error {
	shard := s.groupShard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	g := shard.groups[name]
	if g == nil {
		return nil
	}
	if g.Version != version {
		return fmt.Errorf("remove group %s: %w", name, core.ErrConflict)
	}
	delete(shard.groups, name)
	s.disk.put(map[item][]byte{{groupsBucket, g.Name}: nil})
	return nil
}

// Renew extends a direct lease. It is not written to disk: a restart gives
// every lease its full time anyway.
func (s *Store) Renew(_ context.Context, now time.Time, r core.Renewal) (core.Group, error) {
	shard := s.groupShard(r.Broker)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	g := shard.groups[r.Broker]
	i, l := renewable(g, r, now)
	if i < 0 {
		return core.Group{}, core.ErrChanged
	}
	if replica := &g.Replicas[i]; !r.Said.After(replica.Said) && !r.Said.After(replica.Leases[l].Said) {
		return *g, nil
	}
	next := *g
	next.Replicas = slices.Clone(g.Replicas)
	replica := &next.Replicas[i]
	replica.Leases = slices.Clone(replica.Leases)
	replica.Said = later(replica.Said, r.Said)
	replica.Leases[l].Said = later(replica.Leases[l].Said, r.Said)
	next.Version = s.version.Add(1)
	shard.groups[next.Name] = &next
	return next, nil
}

// renewable returns the index of the replica, and of that of its leases, which
// r may extend at now, or -1.
func renewable(g *core.Group, r core.Renewal, now time.Time) (replicaAt, leaseAt int) {
	if g == nil || g.Cluster != r.Cluster {
		return -1, -1
	}
	i := slices.IndexFunc(g.Replicas, func(replica core.Replica) bool { return replica.ID == r.ID })
	if i < 0 {
		return -1, -1
	}
	replica := &g.Replicas[i]
	if replica.Addr != r.Addr || r.Digest != 0 && replica.Digest != r.Digest ||
		r.DataVersion != nil && replica.DataVersion != *r.DataVersion {
		return -1, -1
	}
	l := slices.IndexFunc(replica.Leases, func(l core.Lease) bool { return l.Session == "" && l.Front == r.Front })
	if l < 0 {
		return -1, -1
	}
	direct := core.Replica{Timeout: replica.Timeout, Leases: replica.Leases[l : l+1]}
	if !direct.Alive(nil, now) {
		return -1, -1
	}
	return i, l
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// copyGroup returns a group that shares no memory with g but its strings.
func copyGroup(g core.Group) core.Group {
	g = g.Clone()
	for i := range g.Replicas {
		g.Replicas[i].FilterServers = slices.Clone(g.Replicas[i].FilterServers)
	}
	g.Intent.Topics = slices.Clone(g.Intent.Topics)
	for i := range g.Outbox {
		g.Outbox[i].Topics = slices.Clone(g.Outbox[i].Topics)
	}
	return g
}
