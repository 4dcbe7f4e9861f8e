package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"signpost/core"
)

// shardRun bounds how many rows are changed while a shard of topics is locked,
// so that a registration of 50,000 topics delays no reader noticeably.
const shardRun = 128

// topicShard is one part of the index from topics to their rows. The slices
// are sorted by broker and never modified, nor are the rows, which the broker's
// set shares.
type topicShard struct {
	mu   sync.RWMutex
	rows map[string][]*core.Row
}

func (s *Store) topicShard(name string) *topicShard { return &s.topics[shardOf(hash(name))] }

// shardOf uses the high bits of a topic's hash: the low ones choose the chunk
// on disk.
func shardOf(hash uint32) int { return int(hash >> 16 % shards) }

func (shard *topicShard) get(topic string) []*core.Row {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.rows[topic]
}

// Rows returns the topic's rows sorted by Broker.
func (s *Store) Rows(_ context.Context, topic string) ([]core.Row, error) {
	shared := s.topicShard(topic).get(topic)
	if len(shared) == 0 {
		return nil, nil
	}
	rows := make([]core.Row, len(shared))
	for i, row := range shared {
		rows[i] = *row
	}
	return rows, nil
}

// topicSet is one broker's topics.
type topicSet struct {
	broker string
	users  int // writers that have it in hand; guarded by Store.setsMu

	writing sync.Mutex // held by one WriteTopics at a time, from beginning to end

	mu    sync.RWMutex // guards what follows, held shortly; changed by the writer only
	rows  map[string]*core.Row
	flags []core.TopicFlag // the sorted answer; nil if it has to be made again

	chunks int // in which the set is on disk; the writer's
}

// acquireSet returns the broker's set, a new one if need be, and keeps it
// until releaseSet.
func (s *Store) acquireSet(broker string) *topicSet {
	s.setsMu.Lock()
	defer s.setsMu.Unlock()
	set := s.sets[broker]
	if set == nil {
		set = &topicSet{broker: strings.Clone(broker), rows: map[string]*core.Row{}}
		s.sets[set.broker] = set
	}
	set.users++
	return set
}

// releaseSet forgets the set if it is empty and nobody else has it in hand.
func (s *Store) releaseSet(set *topicSet) {
	s.setsMu.Lock()
	defer s.setsMu.Unlock()
	set.users--
	if set.users == 0 && len(set.rows) == 0 {
		delete(s.sets, set.broker)
	}
}

// TopicSet returns the broker's topics sorted by name.
func (s *Store) TopicSet(_ context.Context, broker string) ([]core.TopicFlag, error) {
	s.setsMu.RLock()
	set := s.sets[broker]
	s.setsMu.RUnlock()
	if set == nil {
		return nil, nil
	}
	set.mu.RLock()
	flags := set.flags
	set.mu.RUnlock()
	if flags != nil {
		return flags, nil
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.flags == nil {
		set.flags = make([]core.TopicFlag, 0, len(set.rows))
		for _, row := range set.rows {
			set.flags = append(set.flags, core.TopicFlag{Name: row.Name, SysFlag: row.Queues.SysFlag})
		}
		slices.SortFunc(set.flags, func(a, b core.TopicFlag) int { return cmp.Compare(a.Name, b.Name) })
	}
	return set.flags, nil
}

// WriteTopics makes the changes and returns the names of the topics that were
// really changed, sorted. ErrBusy unless the group's writer is w.Writer; an
// empty w.Writer does not ask.
//
// Names enter the set before their rows appear and leave it after their rows
// are gone, so that the set covers every row at any moment.
func (s *Store) WriteTopics(_ context.Context, w core.TopicWrite) ([]string, error) {
	if err := checkName("brokerName", w.Broker); err != nil {
		return nil, err
	}
	set := s.acquireSet(w.Broker)
	defer s.releaseSet(set)
	set.writing.Lock()
	defer set.writing.Unlock()
	if w.Writer != "" {
		// A writer that was overtaken after this look changes nothing that
		// stays: the one that overtook it waits for set.writing.
		if g := s.groupShard(w.Broker).get(w.Broker); g == nil || g.Writer.ID != w.Writer {
			return nil, fmt.Errorf("write topics of %s: %w", w.Broker, core.ErrBusy)
		}
	}
	put, gone := s.difference(set, w)
	if len(put)+len(gone) == 0 {
		return nil, nil
	}
	set.add(put)
	s.index(gone, removeRow)
	set.remove(gone)
	if s.disk != nil {
		s.disk.put(set.records(put, gone))
	}
	s.index(put, insertRow)
	return changedNames(put, gone), nil
}

// difference returns the rows that w adds or replaces, and those it removes.
// It reads set.rows without set.mu: its caller is the only one that writes.
func (s *Store) difference(set *topicSet, w core.TopicWrite) (put, gone []*core.Row) {
	mappings := make(map[string]*core.Mapping, len(w.Mappings))
	for _, m := range w.Mappings {
		mappings[m.Topic] = m
	}
	change := func(topic core.Topic, old *core.Row) {
		if m, ok := mappings[topic.Name]; ok {
			topic.Mapping = m
			delete(mappings, topic.Name)
		} else if topic.Mapping == nil && old != nil && !w.Replace {
			topic.Mapping = old.Mapping
		}
		if old == nil || !old.Equal(topic) {
			put = append(put, s.newRow(set, old, topic))
		}
	}
	met := 0
	for _, topic := range w.Put {
		old := set.rows[topic.Name]
		if old != nil {
			met++
		}
		change(topic, old)
	}
	// If Put names every topic of the set, none is left to remove or to map.
	if met < len(set.rows) {
		gone = removed(set, w)
		for name := range mappings {
			if old := set.rows[name]; old != nil && !w.Replace && !slices.Contains(w.Remove, name) {
				change(old.Topic, old)
			}
		}
	}
	return put, gone
}

// removed returns the rows that w takes away. What it puts, it does not remove.
func removed(set *topicSet, w core.TopicWrite) []*core.Row {
	if !w.Replace && len(w.Remove) == 0 {
		return nil
	}
	keep := make(map[string]struct{}, len(w.Put))
	for i := range w.Put {
		keep[w.Put[i].Name] = struct{}{}
	}
	var gone []*core.Row
	drop := func(name string, row *core.Row) {
		if _, kept := keep[name]; !kept && row != nil {
			gone = append(gone, row)
		}
	}
	if w.Replace {
		for name, row := range set.rows {
			drop(name, row)
		}
		return gone
	}
	for _, name := range w.Remove {
		drop(name, set.rows[name])
	}
	return gone
}
