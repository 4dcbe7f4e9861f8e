package memory

import (
	"encoding/binary"
	"maps"
	"slices"

	"signpost/core"
)

// topicsRecord is the newest version of a chunk's record.
const topicsRecord = 1

// Least sizes of the lists' items, in bytes.
const (
	topicSize     = 6
	queuePairSize = 2
)

// maxChunks bounds the chunks of one broker that are believed on reading.
const maxChunks = 1 << 24

// chunkKey is the key of one chunk of a broker's topics. The name's length in
// front keeps the chunks of one broker together and apart from all others.
func chunkKey(broker string, n int) string {
	return string(binary.BigEndian.AppendUint32(appendText(make([]byte, 0, len(broker)+8), broker), uint32(n)))
}

// parseChunkKey is the inverse of chunkKey; broker is a part of key.
func parseChunkKey(key []byte) (broker []byte, n int, err error) {
	d := decoder{rest: key}
	broker = d.bytes()
	if d.fault == nil && len(d.rest) != 4 {
		d.fail("%d bytes as a chunk's number", len(d.rest))
	}
	if d.fault != nil {
		return nil, 0, d.fault
	}
	return broker, int(binary.BigEndian.Uint32(d.rest)), nil
}

// appendTopics writes one of a broker's chunks.
func appendTopics(b []byte, chunks int, rows []*core.Row) []byte {
	b = append(b, topicsRecord)
	b = binary.AppendUvarint(b, uint64(chunks))
	b = binary.AppendUvarint(b, uint64(len(rows)))
	for _, row := range rows {
		b = appendText(b, row.Name)
		b = binary.AppendVarint(b, int64(row.Queues.Read))
		b = binary.AppendVarint(b, int64(row.Queues.Write))
		b = binary.AppendVarint(b, int64(row.Queues.Perm))
		b = binary.AppendVarint(b, int64(row.Queues.SysFlag))
		b = appendBool(b, row.Mapping != nil)
		if row.Mapping != nil {
			b = appendMapping(b, row.Mapping)
		}
	}
	return b
}

func appendMapping(b []byte, m *core.Mapping) []byte {
	b = appendText(b, m.Topic)
	b = appendText(b, m.Broker)
	b = appendText(b, m.Scope)
	b = binary.AppendVarint(b, int64(m.TotalQueues))
	b = binary.AppendVarint(b, m.Epoch)
	b = appendBool(b, m.Dirty)
	b = appendBool(b, m.Current != nil)
	if m.Current == nil {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(m.Current)))
	for _, id := range slices.Sorted(maps.Keys(m.Current)) {
		b = binary.AppendVarint(b, int64(id))
		b = binary.AppendVarint(b, int64(m.Current[id]))
	}
	return b
}

// decodeTopics reads one chunk and says of how many it is. The topics' names
// are parts of one text.
func decodeTopics(content []byte) (topics []core.Topic, chunks int, err error) {
	d := decode(content, topicsRecord)
	text, size := string(content), len(content)
	name := func() string {
		n := len(d.bytes())
		end := size - len(d.rest)
		return text[end-n : end]
	}
	n := d.uvarint()
	if n == 0 || n > maxChunks || n&(n-1) != 0 {
		d.fail("one of %d chunks", n)
	}
	topics = list(d, topicSize, func() core.Topic {
		return core.Topic{
			Name:    name(),
			Queues:  core.Queues{Read: d.int32(), Write: d.int32(), Perm: d.int32(), SysFlag: d.int32()},
			Mapping: d.mapping(),
		}
	})
	return topics, int(n), d.done()
}

func (d *decoder) mapping() *core.Mapping {
	if !d.bool() {
		return nil
	}
	m := &core.Mapping{
		Topic:       d.text(),
		Broker:      d.text(),
		Scope:       d.text(),
		TotalQueues: d.int32(),
		Epoch:       d.varint(),
		Dirty:       d.bool(),
	}
	if d.bool() {
		n := d.count(queuePairSize)
		m.Current = make(map[int32]int32, n)
		for range n {
			id := d.int32()
			m.Current[id] = d.int32()
		}
	}
	return m
}
