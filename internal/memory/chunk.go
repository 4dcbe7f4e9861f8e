package memory

import "signpost/core"

// A broker's topics are on disk in chunks, each topic in the one that its
// name's hash says, so that a change rewrites a small part of them. Their
// number is a power of two, and follows the number of topics.
const (
	chunkMost  = 128 // topics in a chunk on average, above which there are twice as many chunks
	chunkLeast = 32  // below which there are half as many
)

// chunkOf returns the chunk that a topic with that hash belongs to.
func chunkOf(hash uint32, chunks int) int { return int(hash & uint32(chunks-1)) }

// chunkCount returns in how many chunks a set of topics is kept that was kept
// in the given number.
func chunkCount(chunks, topics int) int {
	if topics == 0 {
		return 0
	}
	chunks = max(chunks, 1)
	for topics > chunkMost*chunks && chunks < maxChunks {
		chunks *= 2
	}
	for topics < chunkLeast*chunks && chunks > 1 {
		chunks /= 2
	}
	return chunks
}

// records returns the records of the chunks that the changed rows belong to,
// or of all if their number changes. The set has been changed already.
func (set *topicSet) records(changed ...[]*core.Row) map[item][]byte {
	before := set.chunks
	set.chunks = chunkCount(before, len(set.rows))
	touched := make([]bool, set.chunks)
	for _, rows := range changed {
		for _, row := range rows {
			if set.chunks > 0 {
				touched[chunkOf(hash(row.Name), set.chunks)] = true
			}
		}
	}
	parts := make([][]*core.Row, set.chunks)
	for _, row := range set.rows {
		if n := chunkOf(hash(row.Name), set.chunks); touched[n] || set.chunks != before {
			parts[n] = append(parts[n], row)
		}
	}
	records := map[item][]byte{}
	for n := range max(before, set.chunks) {
		place := item{topicsBucket, chunkKey(set.broker, n)}
		switch {
		case n < set.chunks && len(parts[n]) > 0:
			records[place] = seal(place.key, appendTopics(nil, set.chunks, parts[n]))
		case n >= set.chunks || touched[n] || set.chunks != before:
			records[place] = nil
		}
	}
	return records
}
