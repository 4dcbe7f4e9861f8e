package dynamo

import (
	"context"
	"slices"

	"signpost/core"
)

// What a topicWriter reads before it decides.

// read returns the chunks as the manifest vouches for them, or, where it does
// not, as their rows are.
func (tw *topicWriter) read(ctx context.Context, m manifest, suspects []int) (map[int]chunk, error) {
	var there, loose []key
	number := map[string]int{}
	for _, n := range suspects {
		k := chunkKey(tw.w.Broker, m.chunks(), n)
		number[k.sk] = n
		switch m.sums[n] {
		case noEntries:
		case unsettled:
			loose = append(loose, k)
		default:
			there = append(there, k)
		}
	}
	chunks := make(map[int]chunk, len(suspects))
	// What the manifest vouches for need not be read as it is now: its sum
	// tells whether it is that.
	for _, consistent := range []bool{false, true} {
		items, err := tw.s.batchGet(ctx, there, consistent)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			c, err := chunkOfItem(it)
			if err != nil {
				return nil, err
			}
			if n := number[keyOf(it).sk]; c.sum == m.sums[n] {
				chunks[n] = c
			}
		}
		there = slices.DeleteFunc(there, func(k key) bool { _, ok := chunks[number[k.sk]]; return ok })
	}
	if len(there) > 0 {
		damaged := make([]int, len(there))
		for i, k := range there {
			damaged[i] = number[k.sk]
		}
		return nil, tw.distrust(ctx, m, damaged)
	}
	items, err := tw.s.batchGet(ctx, loose, true)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		c, err := chunkOfItem(it)
		if err != nil {
			return nil, err
		}
		if c.topics, err = tw.readRows(ctx, c.covered()); err != nil {
			return nil, err
		}
		chunks[number[keyOf(it).sk]] = c
	}
	return chunks, nil
}

// distrust deals with chunks that are not what the manifest vouches for.
// Another writer may have overtaken this one, which begins anew then. If that
// did not help, they are damaged (a write that reached its item long after it
// was given up would do): the manifest no longer vouches for them, so that the
// next try finds what their rows are. It counts their topics still, which does
// no more than to divide the set early.
func (tw *topicWriter) distrust(ctx context.Context, m manifest, damaged []int) error {
	if !tw.mend {
		return errOvertaken
	}
	next := m.clone()
	for _, n := range damaged {
		next.sums[n] = unsettled
	}
	if err := tw.holds(); err != nil {
		return err
	}
	if _, err := tw.s.putManifest(ctx, tw.w.Broker, next); err != nil {
		return err
	}
	return errOvertaken
}

// readRows returns what those of the named rows are that exist.
func (tw *topicWriter) readRows(ctx context.Context, names entries) (entries, error) {
	keys := make([]key, 0, len(names))
	topics := make(map[string]string, len(names))
	for name := range names {
		keys = append(keys, rowKey(name, tw.w.Broker))
		topics[rowPartition(name)] = name
	}
	items, err := tw.s.batchGet(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	rows := make(entries, len(items))
	for _, it := range items {
		row, err := rowOf(topics[keyOf(it).pk], it)
		if err != nil {
			return nil, err
		}
		rows[row.Name] = entryOfTopic(row.Topic)
	}
	return rows, nil
}

// keepMappings reads the mappings that rows keep which are written anew.
func (tw *topicWriter) keepMappings(ctx context.Context, changes []change) error {
	var keys []key
	names := map[string]string{}
	for _, c := range changes {
		for _, name := range c.keep {
			keys = append(keys, rowKey(name, tw.w.Broker))
			names[rowPartition(name)] = name
		}
	}
	if len(keys) == 0 {
		return nil
	}
	items, err := tw.s.batchGet(ctx, keys, true)
	if err != nil {
		return err
	}
	mappings := make(map[string]*core.Mapping, len(items))
	for _, it := range items {
		row, err := rowOf(names[keyOf(it).pk], it)
		if err != nil {
			return err
		}
		mappings[row.Name] = row.Mapping
	}
	for _, c := range changes {
		for i, t := range c.put {
			if t.Mapping == nil && c.topics[t.Name].mapping != 0 {
				if mappingDigest(mappings[t.Name]) != c.topics[t.Name].mapping {
					return errOvertaken
				}
				c.put[i].Mapping = mappings[t.Name]
			}
		}
	}
	return nil
}
