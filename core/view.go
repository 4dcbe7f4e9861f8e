package core

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	viewShards = 64
	// viewBound limits the routes that one shard keeps, absentBound the names
	// without a route; beyond it arbitrary ones are forgotten and assembled
	// again when asked for.
	viewBound   = 4096
	absentBound = 1024
	// absentName limits the names kept as absent, in bytes. No broker has a
	// longer topic; whoever asks for one fills no memory with it.
	absentName = 255
	// absentTime is how long it may be believed that a topic has no living
	// broker. The revision tells when it has; this is a bound like any other's.
	absentTime = 30 * time.Second
)

// view keeps assembled routes, each tagged with the revision read before it
// was assembled (rule 6). It follows the store's log of changes, and forgets
// what they touch; nothing is forgotten by time. That a topic has no living
// broker is kept too: it is undone only by a change (rule 4).
type view struct {
	store  Store
	seed   maphash.Seed
	rev    atomic.Uint64
	shards [viewShards]viewShard

	follow  sync.Mutex                     // held while changes are applied, and while a route is filed
	topics  map[string]map[string]struct{} // broker -> filed topics that show it, those only
	cleared atomic.Uint64                  // how often everything was forgotten
}

type viewShard struct {
	mu     sync.RWMutex
	routes map[string]*Route
	absent map[string]struct{} // topics known to have no living broker
}

func newView(store Store) *view {
	v := &view{store: store, seed: maphash.MakeSeed(), topics: map[string]map[string]struct{}{}}
	for i := range v.shards {
		v.shards[i].routes = map[string]*Route{}
		v.shards[i].absent = map[string]struct{}{}
	}
	return v
}

func (v *view) shard(topic string) *viewShard {
	return &v.shards[maphash.String(v.seed, topic)%viewShards]
}

func (v *view) revision() Revision { return Revision(v.rev.Load()) }

// find returns what is known of the topic: its route, or that it has none.
func (v *view) find(topic string) (route *Route, absent bool) {
	s := v.shard(topic)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if route = s.routes[topic]; route == nil {
		_, absent = s.absent[topic]
	}
	return route, absent
}

// Route returns where a topic is. ErrNoTopic if no living broker has it.
func (r *Registry) Route(ctx context.Context, now time.Time, topic string) (*Route, error) {
	rev, err := r.view.sync(ctx)
	if err != nil {
		return nil, err
	}
	route, absent := r.view.find(topic)
	switch {
	case absent:
		err = &NoTopicError{ValidUntil: now.Add(absentTime)}
	case route == nil || now.After(*route.validUntil.Load()):
		route, err = r.fill(ctx, now, topic, rev, route)
	}
	if err != nil {
		return nil, fmt.Errorf("route of %s: %w", topic, err)
	}
	return route, nil
}

// fill assembles a route and files it under the revision read before.
// ErrNoTopic if no living broker has the topic.
func (r *Registry) fill(ctx context.Context, now time.Time, topic string, rev Revision, was *Route) (*Route, error) {
	cleared := r.view.cleared.Load()
	sessions, err := r.sessions(ctx, now)
	if err != nil {
		return nil, err
	}
	rows, err := r.store.Rows(ctx, topic)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.Broker
	}
	var groups []Group
	if len(names) > 0 {
		if groups, err = r.store.Groups(ctx, names); err != nil {
			return nil, err
		}
	}
	rules := r.Rules()
	topic = strings.Clone(topic) // the asker's may be a part of its request
	route, lapsed := assemble(topic, rows, groups, sessions, rules, now)
	if route == nil {
		if lapsed {
			return nil, &NoTopicError{ValidUntil: now.Add(recheckTime)}
		}
		r.view.fileAbsent(topic, rev, cleared)
		return nil, &NoTopicError{ValidUntil: now.Add(absentTime)}
	}
	if rules.OrderMessages {
		kv, err := r.store.KV(ctx, OrderNamespace)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		route.OrderConf, route.HasOrderConf = kv[topic]
	}
	route.Revision = rev
	if was != nil && route.sameContent(was) {
		// Only leases were renewed: keep what was encoded.
		was.validUntil.Store(route.validUntil.Load())
		return was, nil
	}
	r.view.file(route, cleared)
	return route, nil
}

// file keeps the route, unless something changed since it was assembled: then
// it serves its one asker and the next one assembles it again.
func (v *view) file(r *Route, cleared uint64) {
	v.follow.Lock()
	defer v.follow.Unlock()
	if v.revision() != r.Revision || v.cleared.Load() != cleared {
		return
	}
	v.forget(r.Topic)
	s := v.shard(r.Topic)
	if len(s.routes) >= viewBound {
		for old := range s.routes {
			v.forget(old)
			break
		}
	}
	s.mu.Lock()
	s.routes[r.Topic] = r
	s.mu.Unlock()
	for _, row := range r.Rows {
		if v.topics[row.Broker] == nil {
			v.topics[row.Broker] = map[string]struct{}{}
		}
		v.topics[row.Broker][r.Topic] = struct{}{}
	}
}

// fileAbsent keeps that the topic has no route; see file.
func (v *view) fileAbsent(topic string, rev Revision, cleared uint64) {
	if len(topic) > absentName {
		return
	}
	v.follow.Lock()
	defer v.follow.Unlock()
	if v.revision() != rev || v.cleared.Load() != cleared {
		return
	}
	v.forget(topic)
	s := v.shard(topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.absent) >= absentBound {
		for old := range s.absent {
			delete(s.absent, old)
			break
		}
	}
	s.absent[topic] = struct{}{}
}

// sync brings the view up to the store's revision and returns it.
func (v *view) sync(ctx context.Context) (Revision, error) {
	rev := v.revision()
	head, err := v.store.Head(ctx, rev, false)
	if err != nil {
		return 0, fmt.Errorf("read revision: %w", err)
	}
	if head.Revision <= rev {
		return rev, nil
	}
	sets, err := v.sets(ctx, head.Changes)
	if err != nil {
		return 0, err
	}
	v.follow.Lock()
	defer v.follow.Unlock()
	if rev = v.revision(); head.Revision <= rev {
		return rev, nil // somebody else did
	}
	if !head.Complete {
		v.forgetAll()
	}
	for _, c := range head.Changes {
		if c.Revision > rev {
			v.apply(c, sets[c.Broker])
		}
	}
	v.rev.Store(uint64(head.Revision))
	return head.Revision, nil
}

// sets reads the topics of the groups of which a change does not name what it
// touches: before follow is taken, so that nobody waits for the store.
func (v *view) sets(ctx context.Context, changes []Change) (map[string][]TopicFlag, error) {
	var sets map[string][]TopicFlag
	for _, c := range changes {
		if !c.Many && !c.Replicas {
			continue
		}
		if _, ok := sets[c.Broker]; ok {
			continue
		}
		set, err := v.store.TopicSet(ctx, c.Broker)
		if err != nil {
			return nil, fmt.Errorf("read topics of %s: %w", c.Broker, err)
		}
		if sets == nil {
			sets = map[string][]TopicFlag{}
		}
		sets[c.Broker] = set
	}
	return sets, nil
}

// apply forgets what a change touches; set is what the group has. The caller
// holds follow.
func (v *view) apply(c Change, set []TopicFlag) {
	for _, t := range c.Topics {
		v.forget(t)
	}
	if !c.Many && !c.Replicas {
		return
	}
	// What shows the group now is filed under it; what will show it is in its set.
	for t := range v.topics[c.Broker] {
		v.forget(t)
	}
	if len(set) > v.known() {
		v.forgetIn(set)
		return
	}
	for _, t := range set {
		v.forget(t.Name)
	}
}

// known is of how many topics something is known. The caller holds follow.
func (v *view) known() (n int) {
	for i := range v.shards {
		n += len(v.shards[i].routes) + len(v.shards[i].absent)
	}
	return n
}

// forgetIn forgets what is known of the topics of a large set, which is sorted.
// The caller holds follow.
func (v *view) forgetIn(set []TopicFlag) {
	drop := func(topic string) {
		if _, ok := slices.BinarySearchFunc(set, topic, func(t TopicFlag, name string) int { return strings.Compare(t.Name, name) }); ok {
			v.forget(topic)
		}
	}
	for i := range v.shards {
		for topic := range v.shards[i].routes {
			drop(topic)
		}
		for topic := range v.shards[i].absent {
			drop(topic)
		}
	}
}

// forget drops what is known of a topic. The caller holds follow.
func (v *view) forget(topic string) {
	s := v.shard(topic)
	s.mu.Lock()
	route := s.routes[topic]
	delete(s.routes, topic)
	delete(s.absent, topic)
	s.mu.Unlock()
	if route == nil {
		return
	}
	for _, row := range route.Rows {
		if delete(v.topics[row.Broker], topic); len(v.topics[row.Broker]) == 0 {
			delete(v.topics, row.Broker)
		}
	}
}

func (v *view) forgetAll() {
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		clear(s.routes)
		clear(s.absent)
		s.mu.Unlock()
	}
	clear(v.topics)
	v.cleared.Add(1)
}

// clear forgets everything, for a change that the log does not know of.
func (v *view) clear() {
	v.follow.Lock()
	defer v.follow.Unlock()
	v.forgetAll()
}
