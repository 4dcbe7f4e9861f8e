package memory

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"signpost/core"
)

// newRow returns the row that stores topic. The names in it are the ones that
// the store has already: those given may be parts of a whole request.
func (s *Store) newRow(set *topicSet, old *core.Row, topic core.Topic) *core.Row {
	row := &core.Row{Broker: set.broker, Topic: core.Topic{Queues: topic.Queues}}
	if old != nil {
		row.Name = old.Name
	} else {
		row.Name = s.topicName(topic.Name)
	}
	if m := topic.Mapping; m != nil {
		row.Mapping = &core.Mapping{
			Topic:       strings.Clone(m.Topic),
			Broker:      strings.Clone(m.Broker),
			Scope:       strings.Clone(m.Scope),
			TotalQueues: m.TotalQueues,
			Epoch:       m.Epoch,
			Dirty:       m.Dirty,
			Current:     maps.Clone(m.Current),
		}
	}
	return row
}

// topicName returns the store's own copy of the name.
func (s *Store) topicName(name string) string {
	if rows := s.topicShard(name).get(name); len(rows) > 0 {
		return rows[0].Name
	}
	return strings.Clone(name)
}

func (set *topicSet) add(rows []*core.Row) {
	if len(rows) == 0 {
		return
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	if len(set.rows) == 0 {
		set.rows = make(map[string]*core.Row, len(rows))
	}
	for _, row := range rows {
		set.rows[row.Name] = row
	}
	set.flags = nil
}

func (set *topicSet) remove(rows []*core.Row) {
	if len(rows) == 0 {
		return
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, row := range rows {
		delete(set.rows, row.Name)
	}
	set.flags = nil
}

// index makes one change for each of the rows, locking each shard for a short
// run of them at a time.
func (s *Store) index(rows []*core.Row, change func(*topicShard, *core.Row)) {
	if len(rows) == 0 {
		return
	}
	var first [shards + 1]int // of the rows ordered by shard, where each shard's begin
	numbers := make([]uint8, len(rows))
	for i, row := range rows {
		n := shardOf(hash(row.Name))
		numbers[i] = uint8(n)
		first[n+1]++
	}
	for n := range shards {
		first[n+1] += first[n]
	}
	ordered, next := make([]*core.Row, len(rows)), first
	for i, row := range rows {
		n := numbers[i]
		ordered[next[n]] = row
		next[n]++
	}
	for n := range shards {
		for run := range slices.Chunk(ordered[first[n]:first[n+1]], shardRun) {
			s.topics[n].apply(run, change)
		}
	}
}

func (shard *topicShard) apply(rows []*core.Row, change func(*topicShard, *core.Row)) {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for _, row := range rows {
		change(shard, row)
	}
}

func insertRow(shard *topicShard, row *core.Row) {
	old := shard.rows[row.Name]
	i, found := findRow(old, row.Broker)
	if found {
		rows := slices.Clone(old)
		rows[i] = row
		shard.rows[row.Name] = rows
		return
	}
	rows := make([]*core.Row, len(old)+1)
	copy(rows, old[:i])
	rows[i] = row
	copy(rows[i+1:], old[i:])
	shard.rows[row.Name] = rows
}

func removeRow(shard *topicShard, row *core.Row) {
	old := shard.rows[row.Name]
	i, found := findRow(old, row.Broker)
	switch {
	case !found:
	case len(old) == 1:
		delete(shard.rows, row.Name)
	default:
		rows := make([]*core.Row, len(old)-1)
		copy(rows, old[:i])
		copy(rows[i:], old[i+1:])
		shard.rows[row.Name] = rows
	}
}

func findRow(rows []*core.Row, broker string) (int, bool) {
	return slices.BinarySearchFunc(rows, broker, func(row *core.Row, broker string) int { return cmp.Compare(row.Broker, broker) })
}

// changedNames returns the rows' topics, sorted and each once.
func changedNames(put, gone []*core.Row) []string {
	names := make([]string, 0, len(put)+len(gone))
	for _, row := range put {
		names = append(names, row.Name)
	}
	for _, row := range gone {
		names = append(names, row.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
