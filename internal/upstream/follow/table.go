package follow

import (
	"hash/maphash"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"signpost/core"
)

const (
	tableShards = 64
	// absentBound limits the topics without a route that are remembered, and
	// absentTime for how long: what a broker brings is in the log, unless its
	// writer crashed before it told.
	absentBound = 4096
	absentTime  = 10 * time.Minute
	// useTime is for how long after it was asked for a topic is in use.
	useTime = 10 * time.Minute
)

// stale is the until of what is to be asked for again before it is answered.
const stale time.Duration = -1 << 63

// tickBits makes ticks of 17 s out of nanoseconds: when a topic was asked for
// is noted once a tick, so that those who ask do not fight for its cache line.
const tickBits = 34

const useTicks = uint32(useTime>>tickBits) + 1

// entry is what is kept of a topic.
type entry struct {
	topic  string
	route  *core.Route        // nil: it has none. The same as long as its content is
	absent *core.NoTopicError // then

	until atomic.Int64  // a moment: to which it may be answered
	asked atomic.Uint32 // a tick: when somebody asked for it
	// revision is the one at which it was answered, or before. 0: in another history.
	revision atomic.Uint64

	// These are guarded by Follower.mu.
	etag       string
	silent     []string      // brokers that have the topic and do not live, sorted
	era        uint64        // of that revision
	span       time.Duration // for which it was good, counted from when it was asked for
	confirmed  time.Duration // a moment: when it was known to be right; of what is stale
	consistent bool          // what is asked for next has to be from what is there then
	weight     int64
}

func tick(at time.Duration) uint32 { return uint32(at >> tickBits) }

func (e *entry) used(at time.Duration) {
	if t := tick(at); e.asked.Load() != t {
		e.asked.Store(t)
	}
}

func (e *entry) inUse(at time.Duration) bool { return tick(at)-e.asked.Load() <= useTicks }

// after says whether it is from after an answer of that revision.
func (e *entry) after(era uint64, revision core.Revision) bool {
	return e != nil && (e.era > era || e.era == era && core.Revision(e.revision.Load()) > revision)
}

// expire marks the entry stale, which was right at that moment.
func (e *entry) expire(right time.Duration) {
	if time.Duration(e.until.Load()) != stale {
		e.confirmed = right
		e.until.Store(int64(stale))
	}
}

// right is when the route was known to be right, which as of good was what holds.
// The caller holds Follower.mu.
func (e *entry) right(at, good time.Duration) time.Duration {
	switch until := time.Duration(e.until.Load()); {
	case until == stale:
		return e.confirmed
	case until < at:
		return min(good, max(until, e.confirmed))
	}
	return good
}

// table has the entries. It is read by all, and written by who holds
// Follower.mu.
type table struct {
	seed   maphash.Seed
	shards [tableShards]shard

	// These are guarded by Follower.mu.
	routes int
	bytes  int64
	absent []*entry // without a route, oldest first; some are not kept any more
}

type shard struct {
	mu      sync.RWMutex
	entries map[string]*entry
}

func (t *table) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].entries = map[string]*entry{}
	}
}

func (t *table) shard(topic string) *shard {
	return &t.shards[maphash.String(t.seed, topic)%tableShards]
}

// find returns what is kept of a topic, or nil.
func (t *table) find(topic string) *entry {
	s := t.shard(topic)
	s.mu.RLock()
	e := s.entries[topic]
	s.mu.RUnlock()
	return e
}

// all goes through the entries. The caller holds Follower.mu, and may remove
// the entry that it has just got.
func (t *table) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for i := range t.shards {
			for _, e := range t.shards[i].entries { // nobody else writes them
				if !yield(e) {
					return
				}
			}
		}
	}
}

// put keeps the entry instead of what was kept of its topic.
func (t *table) put(e *entry) {
	if e.route == nil {
		t.absent = append(t.absent, e)
	}
	e.weight = e.weigh()
	s := t.shard(e.topic)
	t.count(s.entries[e.topic], -1)
	t.count(e, 1)
	s.mu.Lock()
	s.entries[e.topic] = e
	s.mu.Unlock()
}

func (t *table) remove(topic string) {
	s := t.shard(topic)
	t.count(s.entries[topic], -1)
	s.mu.Lock()
	delete(s.entries, topic)
	s.mu.Unlock()
}

func (t *table) count(e *entry, by int) {
	if e != nil && e.route != nil {
		t.routes += by
		t.bytes += int64(by) * e.weight
	}
}

// Sizes of what an entry consists of, in bytes, about.
const (
	entryWeight  = int64(unsafe.Sizeof(entry{})+unsafe.Sizeof(core.Route{})) + 128
	rowWeight    = int64(unsafe.Sizeof(core.Row{}))
	brokerWeight = int64(unsafe.Sizeof(core.RouteBroker{}))
	addrWeight   = int64(unsafe.Sizeof(core.ReplicaAddr{}))
	filterWeight = 128
)

func (e *entry) weigh() int64 {
	w := entryWeight + int64(len(e.topic))
	if e.route == nil {
		return w
	}
	for i := range e.route.Brokers {
		w += int64(len(e.route.Brokers[i].Addrs)) * addrWeight
	}
	return w + int64(len(e.route.OrderConf)) + int64(len(e.route.Rows))*rowWeight +
		int64(len(e.route.Brokers))*brokerWeight + int64(len(e.route.Filters))*filterWeight
}

// shed removes what was asked for least recently, with room to spare, if there
// is more than that, and tells which.
func (t *table) shed(routes int, bytes int64) (topics []string) {
	if t.routes <= routes && t.bytes <= bytes {
		return nil
	}
	var entries []*entry
	for e := range t.all() {
		if e.route != nil {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int { return int(int32(a.asked.Load() - b.asked.Load())) })
	for _, e := range entries {
		if t.routes <= routes-routes/16 && t.bytes <= bytes-bytes/16 {
			break
		}
		t.remove(e.topic)
		topics = append(topics, e.topic)
	}
	return topics
}

// sweepAbsent forgets the topics without a route whose time is over, and the
// oldest one if there is no room for another.
func (t *table) sweepAbsent(at time.Duration) {
	n := 0
	for ; n < len(t.absent); n++ {
		e := t.absent[n]
		if len(t.absent)-n < absentBound && time.Duration(e.until.Load()) >= at {
			break
		}
		if t.find(e.topic) == e {
			t.remove(e.topic)
		}
	}
	t.absent = slices.Delete(t.absent, 0, n)
}
