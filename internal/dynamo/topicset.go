package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signpost/core"
)

// errMoving says that a set was divided anew while it was read.
var errMoving = errors.New("topic set is being divided")

// setReads bounds how often a set is read because it is being divided.
const setReads = 5

// TopicSet returns the broker's topics sorted by name, in one query.
func (s *Store) TopicSet(ctx context.Context, broker string) ([]core.TopicFlag, error) {
	if checkName("brokerName", broker) != nil {
		return nil, nil // nothing was ever stored
	}
	for attempt := 1; ; attempt++ {
		items, err := s.query(ctx, setPartition(broker))
		if err != nil {
			return nil, fmt.Errorf("read topics of %s: %w", broker, err)
		}
		// A set that is the same each time is damaged, not divided: what is
		// left of it has to do, for no route could be followed without it.
		set, err := readSet(items, attempt == setReads)
		if err == nil {
			return set.flags(), nil
		}
		if !errors.Is(err, errMoving) {
			return nil, fmt.Errorf("read topics of %s: %w", broker, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, fmt.Errorf("read topics of %s: %w", broker, err)
		}
	}
}

// topicSet is a whole set as it was read.
type topicSet struct {
	manifest manifest
	chunks   []chunk // as many as the manifest has sums; some may be empty
}

// readSet makes a set of all items of its partition. The manifest is the last
// of them, and was read last: whatever chunk it calls settled has its rows
// since then, and nothing is left out that was there when the chunk was read.
// errMoving if a chunk is missing, unless that is to be taken for damage.
func readSet(items []item, mend bool) (topicSet, error) {
	var manifestItem item
	if n := len(items); n > 0 && keyOf(items[n-1]).sk == manifestSort {
		items, manifestItem = items[:n-1], items[n-1]
	}
	m, err := manifestOf(manifestItem)
	if err != nil {
		return topicSet{}, err
	}
	set := topicSet{manifest: m, chunks: make([]chunk, m.chunks())}
	parts := make(map[string]item, len(items))
	for _, it := range items {
		parts[keyOf(it).sk] = it
	}
	for n, sum := range m.sums {
		it := parts[chunkSort(m.chunks(), n)]
		switch {
		case sum == noEntries:
		case it != nil:
			if set.chunks[n], err = chunkOfItem(it); err != nil {
				return topicSet{}, err
			}
		case sum != unsettled && !mend:
			return topicSet{}, errMoving
		}
	}
	return set, nil
}

// damaged returns the chunks that are not what the manifest vouches for.
func (set topicSet) damaged() (list []int) {
	for n, sum := range set.manifest.sums {
		if sum != unsettled && sum != set.chunks[n].sum {
			list = append(list, n)
		}
	}
	return list
}

// flags returns every name whose row may be there.
func (set topicSet) flags() []core.TopicFlag {
	var flags []core.TopicFlag
	for n, c := range set.chunks {
		names := c.topics
		if set.manifest.sums[n] != c.sum {
			names = c.covered()
		}
		for name, t := range names {
			flags = append(flags, core.TopicFlag{Name: name, SysFlag: t.queues.SysFlag})
		}
	}
	slices.SortFunc(flags, func(a, b core.TopicFlag) int { return cmp.Compare(a.Name, b.Name) })
	return flags
}

func isChunk(it item) bool { return strings.HasPrefix(keyOf(it).sk, chunkPrefix) }

func isChunkOf(it item, chunks int) bool {
	return strings.HasPrefix(keyOf(it).sk, divisionPrefix(chunks))
}
