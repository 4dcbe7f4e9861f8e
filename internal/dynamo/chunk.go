package dynamo

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"signpost/core"
)

// A broker's topic set is divided by a hash of the names into chunks, of which
// each is one item with all that its rows say, in short. So what differs is
// found without reading a row.
const (
	chunkTopics  = "c" // what the rows are to be
	chunkLeaving = "l" // rows that are being deleted

	// chunkTarget is how many topics a chunk has before the set is divided
	// further, on average.
	chunkTarget = 128
	// maxChunks bounds a manifest to a few KB.
	maxChunks = 4096
	// maxInflated bounds what a chunk may inflate to, in bytes.
	maxInflated = 8 << 20
)

// chunksFor returns into how many chunks a set of that many topics is divided:
// a power of two.
func chunksFor(topics int) int {
	n := 1
	for n < maxChunks && topics > n*chunkTarget {
		n *= 2
	}
	return n
}

// entry is what a chunk says of one row.
type entry struct {
	queues  core.Queues
	mapping uint64 // a digest; 0 is none
}

func entryOfTopic(t core.Topic) entry {
	return entry{queues: t.Queues, mapping: mappingDigest(t.Mapping)}
}

// mappingDigest is never 0 for a mapping.
func mappingDigest(m *core.Mapping) uint64 {
	if m == nil {
		return 0
	}
	e := newEncoder()
	e.mapping(m)
	sum := sha256.Sum256(e.b)
	return max(binary.BigEndian.Uint64(sum[:8]), 1)
}

// entries are topics by name.
type entries map[string]entry

// encode writes entries so that equal ones are equal bytes.
func (list entries) encode() []byte {
	var e encoder
	e.uint(uint64(len(list)))
	for _, name := range slices.Sorted(maps.Keys(list)) {
		t := list[name]
		e.plain(name)
		e.queues(t.queues)
		if t.mapping == 0 {
			e.uint(0)
		} else {
			e.uint(1)
			e.b = binary.BigEndian.AppendUint64(e.b, t.mapping)
		}
	}
	return e.b
}

func decodeEntries(b []byte) (entries, error) {
	d := newDecoder(b)
	n := d.count()
	list := make(entries, n)
	for range n {
		name := d.plain()
		t := entry{queues: d.queues()}
		if d.uint() != 0 {
			t.mapping = binary.BigEndian.Uint64(d.bytes(8))
		}
		list[name] = t
	}
	return list, d.done()
}

// sum is the hash of a chunk's entries as the manifest has it. Seven bytes keep
// the manifest of 10,000 topics within 1 KB.
type sum [7]byte

var (
	// noEntries stands for a chunk without entries, whose item may not be there.
	noEntries = sum{}
	// unsettled stands for a chunk whose rows may be other than it says.
	unsettled = sum{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

func sumOf(encoded []byte, n int) sum {
	if n == 0 {
		return noEntries
	}
	hash := sha256.Sum256(encoded)
	s := sum(hash[:len(sum{})])
	if s == noEntries || s == unsettled {
		s[0] ^= 1
	}
	return s
}

func (list entries) sum() sum { return sumOf(list.encode(), len(list)) }

// chunk is one item of a set.
type chunk struct {
	topics  entries
	leaving entries
	sum     sum // of topics
}

func chunkItem(topics, leaving entries) (item, error) {
	it := item{formatAttr: number(format)}
	size := 0
	for name, list := range map[string]entries{chunkTopics: topics, chunkLeaving: leaving} {
		if name == chunkLeaving && len(list) == 0 {
			continue
		}
		b := deflate(list.encode())
		size += len(b)
		it[name] = blob(b)
	}
	return it, checkSize("topicConfigTable", size)
}

func chunkOfItem(it item) (c chunk, err error) {
	if err := checkFormat(it); err != nil {
		return c, fmt.Errorf("read %s of %s: %w", keyOf(it).sk, keyOf(it).pk, err)
	}
	encoded, err := inflate(bytesOf(it[chunkTopics]))
	if err == nil {
		c.topics, err = decodeEntries(encoded)
	}
	if v, ok := it[chunkLeaving]; ok && err == nil {
		var leaving []byte
		if leaving, err = inflate(bytesOf(v)); err == nil {
			c.leaving, err = decodeEntries(leaving)
		}
	}
	if err != nil {
		return c, fmt.Errorf("read %s of %s: %w", keyOf(it).sk, keyOf(it).pk, err)
	}
	c.sum = sumOf(encoded, len(c.topics))
	return c, nil
}

// covered returns every name whose row may be there.
func (c chunk) covered() entries {
	if len(c.leaving) == 0 {
		return c.topics
	}
	all := maps.Clone(c.leaving)
	maps.Copy(all, c.topics)
	return all
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is a valid one
	}
	return w
}}

func deflate(b []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	// A bytes.Buffer takes everything.
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func inflate(b []byte) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxInflated+1))
	if err != nil || len(out) > maxInflated {
		return nil, errCorrupt
	}
	return out, nil
}
