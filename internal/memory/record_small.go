package memory

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"signpost/core"
)

// Newest versions of the small records. Version 1 of a session's knew no
// Opened.
const (
	sessionRecord  = 2
	kvRecord       = 1
	revisionRecord = 1
	countsRecord   = 1
)

// appendSession writes a session, open or closed.
func appendSession(b []byte, s *core.Session) []byte {
	b = append(b, sessionRecord)
	b = appendText(b, s.ID)
	b = appendText(b, s.Gateway)
	b = appendText(b, s.Owner)
	b = appendTime(b, s.Last)
	b = appendBool(b, s.Closed)
	return appendTime(b, s.Opened)
}

func decodeSession(content []byte) (core.Session, error) {
	d := decode(content, sessionRecord)
	s := core.Session{ID: d.text(), Gateway: d.text(), Owner: d.text(), Last: d.time(), Closed: d.bool()}
	if d.version > 1 {
		s.Opened = d.time()
	}
	return s, d.done()
}

func appendRevision(b []byte, r core.Revision) []byte {
	return binary.AppendUvarint(append(b, revisionRecord), uint64(r))
}

func decodeRevision(content []byte) (core.Revision, error) {
	d := decode(content, revisionRecord)
	r := core.Revision(d.uvarint())
	return r, d.done()
}

// counts says how many records each bucket has, so that missing ones are
// noticed. Those of the meta bucket are not counted.
type counts [buckets]int

func appendCounts(b []byte, c *counts) []byte {
	b = append(b, countsRecord)
	for _, n := range c[metaBucket+1:] {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func decodeCounts(content []byte) (counts, error) {
	d := decode(content, countsRecord)
	var c counts
	for i := range c[metaBucket+1:] {
		n := d.uvarint()
		if n > math.MaxInt32 {
			d.fail("%d records", n)
		}
		c[int(metaBucket)+1+i] = int(n)
	}
	return c, d.done()
}

// appendKV writes the whole KV table.
func appendKV(b []byte, table map[string]map[string]string) []byte {
	b = append(b, kvRecord)
	b = binary.AppendUvarint(b, uint64(len(table)))
	for _, namespace := range slices.Sorted(maps.Keys(table)) {
		keys := table[namespace]
		b = appendText(b, namespace)
		b = binary.AppendUvarint(b, uint64(len(keys)))
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			b = appendText(b, key)
			b = appendText(b, keys[key])
		}
	}
	return b
}

func decodeKV(content []byte) (map[string]map[string]string, error) {
	d := decode(content, kvRecord)
	namespaces := d.count(2)
	table := make(map[string]map[string]string, namespaces)
	for range namespaces {
		namespace, n := d.text(), d.count(2)
		keys := make(map[string]string, n)
		for range n {
			key := d.text()
			keys[key] = d.text()
		}
		table[namespace] = keys
	}
	return table, d.done()
}
