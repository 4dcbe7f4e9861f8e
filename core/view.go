package core

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	viewShards = 64
	// viewBound limits the routes that one shard keeps, absentBound the names
	// without a route, groupBound the groups; beyond it arbitrary ones are
	// forgotten and read again when asked for.
	viewBound   = 4096
	absentBound = 1024
	groupBound  = 4096
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
// broker is kept too: it is undone only by a change (rule 4). The groups behind
// the routes are kept as well, so that a change of one is not paid for with
// reading all.
type view struct {
	store  Store
	seed   maphash.Seed
	rev    atomic.Uint64
	shards [viewShards]viewShard
	limit  int64 // of bytes

	follow  sync.Mutex                     // held while changes are applied, and while something is filed
	bytes   int64                          // that the filed routes take, about
	topics  map[string]map[string]struct{} // broker -> filed topics of which it has a row, shown or not
	groups  map[string]Group               // as they were stored at rev or later
	turn    uint                           // of the shard that sheds next
	cleared atomic.Uint64                  // how often everything was forgotten
}

type viewShard struct {
	mu     sync.RWMutex
	routes map[string]*Route
	absent map[string][]string // topics known to have no living broker -> the brokers that have a row
}

func newView(store Store, limit int64) *view {
	v := &view{store: store, seed: maphash.MakeSeed(), limit: limit, topics: map[string]map[string]struct{}{}, groups: map[string]Group{}}
	for i := range v.shards {
		v.shards[i].routes = map[string]*Route{}
		v.shards[i].absent = map[string][]string{}
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

// Route returns where a topic is. *NoTopicError if no living broker has it.
// Nothing of the argument's memory is kept.
func (r *Registry) Route(ctx context.Context, now time.Time, topic string) (*Route, error) {
	rev, err := r.view.sync(ctx)
	if err != nil {
		return nil, err
	}
	route, absent := r.view.find(topic)
	switch {
	case absent:
		err = &NoTopicError{ValidUntil: now.Add(absentTime), Settled: true}
	case route == nil || route.due(now):
		route, err = r.fill(ctx, now, topic, rev, route)
	}
	if err != nil {
		return nil, fmt.Errorf("route of %s: %w", topic, err)
	}
	return route, nil
}

// current says whether what was read after rev may be filed: not if something
// has changed since. Then it serves its one asker and the next one reads it
// again. The caller holds follow.
func (v *view) current(rev Revision, cleared uint64) bool {
	return v.revision() == rev && v.cleared.Load() == cleared
}

// file keeps the route, if it is current.
func (v *view) file(r *Route, cleared uint64) {
	v.follow.Lock()
	defer v.follow.Unlock()
	if !v.current(r.Revision, cleared) {
		return
	}
	v.forget(r.Topic)
	s := v.shard(r.Topic)
	if len(s.routes) >= viewBound {
		v.forgetOne(s)
	}
	v.shed(v.limit - r.weight())
	v.bytes += r.weight()
	s.mu.Lock()
	s.routes[r.Topic] = r
	s.mu.Unlock()
	v.index(r.Topic, r.brokers)
}

// index notes which brokers have a row of the topic: who is not alive now is
// shown when it is back.
func (v *view) index(topic string, brokers []string) {
	for _, broker := range brokers {
		if v.topics[broker] == nil {
			v.topics[broker] = map[string]struct{}{}
		}
		v.topics[broker][topic] = struct{}{}
	}
}

// fileAbsent keeps that the topic has no route, if that is current.
func (v *view) fileAbsent(topic string, brokers []string, rev Revision, cleared uint64) {
	if len(topic) > absentName {
		return
	}
	v.follow.Lock()
	defer v.follow.Unlock()
	if !v.current(rev, cleared) {
		return
	}
	v.forget(topic)
	s := v.shard(topic)
	if len(s.absent) >= absentBound {
		for old := range s.absent {
			v.forget(old)
			break
		}
	}
	s.mu.Lock()
	s.absent[topic] = brokers
	s.mu.Unlock()
	v.index(topic, brokers)
}

// fileGroups keeps the groups, if they are current.
func (v *view) fileGroups(groups []Group, rev Revision, cleared uint64) {
	v.follow.Lock()
	defer v.follow.Unlock()
	if !v.current(rev, cleared) {
		return
	}
	for _, g := range groups {
		if len(v.groups) >= groupBound {
			for old := range v.groups {
				delete(v.groups, old)
				break
			}
		}
		v.groups[g.Name] = g
	}
}

// forget drops what is known of a topic. The caller holds follow.
func (v *view) forget(topic string) {
	s := v.shard(topic)
	s.mu.Lock()
	route, brokers := s.routes[topic], s.absent[topic]
	delete(s.routes, topic)
	delete(s.absent, topic)
	s.mu.Unlock()
	if route != nil {
		v.bytes -= route.weight()
		brokers = route.brokers
	}
	for _, broker := range brokers {
		if delete(v.topics[broker], topic); len(v.topics[broker]) == 0 {
			delete(v.topics, broker)
		}
	}
}

// forgetOne drops a route of the shard, whichever, and says whether there was
// one. The caller holds follow.
func (v *view) forgetOne(s *viewShard) bool {
	for topic := range s.routes { // nobody writes it who does not hold follow
		v.forget(topic)
		return true
	}
	return false
}

// shed drops routes, of all shards in turn, until the rest takes no more bytes
// than that, or nothing is left. The caller holds follow.
func (v *view) shed(bytes int64) {
	for empty := 0; v.bytes > bytes && empty < viewShards; v.turn++ {
		if v.forgetOne(&v.shards[v.turn%viewShards]) {
			empty = 0
		} else {
			empty++
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
	v.bytes = 0
	clear(v.topics)
	clear(v.groups)
	v.cleared.Add(1)
}

// clear forgets everything, for a change that the log does not know of.
func (v *view) clear() {
	v.follow.Lock()
	defer v.follow.Unlock()
	v.forgetAll()
}
