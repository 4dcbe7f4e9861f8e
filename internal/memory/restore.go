package memory

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"signpost/core"
	"signpost/internal/mapped"
)

// restore reads the whole file into the store, which is new.
func (s *Store) restore(now time.Time) (err error) {
	defer mapped.Guard(&err, ErrCorrupt)()
	// No version of an earlier run is given again.
	s.version.Store(uint64(max(now.UnixNano(), 0)))
	return s.disk.db.View(func(tx *bbolt.Tx) error {
		if err := checkPages(tx, s.disk.path); err != nil {
			return err
		}
		return s.restoreBuckets(tx, now)
	})
}

// checkPages checks that every page is in the file, and that every one that is
// not free is used: bbolt believes the sizes and the free list that it finds,
// and would write to wrong places. (Its own Check cannot be used on a damaged
// file, for it faults in a goroutine of its own.)
func checkPages(tx *bbolt.Tx, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w: it is cut short", ErrCorrupt)
	}
	pages, freelists := map[string]int{}, 0
	end := int(tx.Size() / int64(tx.DB().Info().PageSize))
	for id := 0; id < end; {
		page, err := tx.Page(id)
		if err != nil {
			return err
		}
		size := 1
		if page.Type != "free" {
			size += page.OverflowCount
		}
		if size > end-id {
			return fmt.Errorf("%w: page %d ends outside", ErrCorrupt, id)
		}
		pages[page.Type] += size
		if page.Type == "freelist" {
			freelists++
		}
		id += size
	}
	used := tx.Cursor().Bucket().Stats() // of the root, and all in it
	leaves, branches := used.LeafPageN+used.LeafOverflowN, used.BranchPageN+used.BranchOverflowN
	if pages["leaf"] != leaves || pages["branch"] != branches || freelists != 1 ||
		pages["meta"]+pages["freelist"]+pages["free"]+leaves+branches != end {
		return fmt.Errorf("%w: it has the pages %v, and uses %d leaves and %d branches", ErrCorrupt, pages, leaves, branches)
	}
	return nil
}

func (s *Store) restoreBuckets(tx *bbolt.Tx, now time.Time) error {
	var b [buckets]*bbolt.Bucket
	for i, name := range bucketNames {
		if b[i] = tx.Bucket(name); b[i] == nil {
			return fmt.Errorf("%w: it has no %s", ErrCorrupt, name)
		}
	}
	if err := checkFormat(b[metaBucket]); err != nil {
		return err
	}
	err := errors.Join(
		s.restoreRevision(b[metaBucket]),
		s.restoreGroups(b[groupsBucket], now),
		s.restoreTopics(b[topicsBucket]),
		s.restoreSessions(b[sessionsBucket], now),
		s.restoreKV(b[kvBucket]),
	)
	if err != nil {
		return err
	}
	return s.checkCounts(b[metaBucket])
}

// checkCounts checks that no record is missing among those that were read.
func (s *Store) checkCounts(meta *bbolt.Bucket) error {
	content, err := one(meta, countsKey)
	if err != nil {
		return err
	}
	written, err := decodeCounts(content)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, countsKey, err)
	}
	if s.disk.counts != written {
		return fmt.Errorf("%w: of %v records it has %v", ErrCorrupt, written, s.disk.counts)
	}
	return nil
}

// each counts the records of the bucket and calls do with the content of each.
// Neither key nor content may be kept.
func (s *Store) each(b *bbolt.Bucket, kind bucket, do func(key, content []byte) error) error {
	return b.ForEach(func(key, record []byte) error {
		s.disk.counts[kind]++
		content, err := unseal(key, record)
		if err == nil {
			err = do(key, content)
		}
		if err != nil {
			return fmt.Errorf("%w: %s %q: %w", ErrCorrupt, bucketNames[kind], key, err)
		}
		return nil
	})
}

// one returns the content of a record; nil if there is none.
func one(b *bbolt.Bucket, key string) ([]byte, error) {
	record := b.Get([]byte(key))
	if record == nil {
		return nil, nil
	}
	content, err := unseal([]byte(key), record)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, key, err)
	}
	return content, nil
}

func checkFormat(meta *bbolt.Bucket) error {
	content, err := one(meta, formatKey)
	if err != nil {
		return err
	}
	format, n := binary.Uvarint(content)
	if n <= 0 || n != len(content) {
		return fmt.Errorf("%w: it does not say of what format it is", ErrCorrupt)
	}
	if format < oldestFormat || format > newestFormat {
		return fmt.Errorf("%w: %d, and not one from %d to %d", ErrFormat, format, oldestFormat, newestFormat)
	}
	return nil
}

func (s *Store) restoreRevision(meta *bbolt.Bucket) error {
	content, err := one(meta, revisionKey)
	if content == nil || err != nil {
		return err
	}
	r, err := decodeRevision(content)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, revisionKey, err)
	}
	s.ledger.raised = r
	s.disk.raised = r
	s.head.Store(&head{revision: r})
	return nil
}

func (s *Store) restoreGroups(b *bbolt.Bucket, now time.Time) error {
	return s.each(b, groupsBucket, func(key, content []byte) error {
		g, err := decodeGroup(content)
		if err != nil {
			return err
		}
		if g.Name != string(key) {
			return fmt.Errorf("%w: it is of %q", errRecord, g.Name)
		}
		refresh(g, now)
		g.Version = s.version.Add(1)
		s.groupShard(g.Name).groups[g.Name] = g
		return nil
	})
}

// refresh makes a group that was read good for a process that starts now.
// Statements of a clock that was ahead are taken as of now, or else nothing
// could be said after them. A writer's token is ended, and stays as the sign
// that the writer stopped half way.
func refresh(g *core.Group, now time.Time) {
	for _, t := range []*time.Time{&g.Said, &g.Deleted, &g.Overridden, &g.Gone} {
		*t = earlier(*t, now)
	}
	g.Writer.Until = time.Time{}
	for i := range g.Replicas {
		r := &g.Replicas[i]
		r.Said, r.Registered = earlier(r.Said, now), earlier(r.Registered, now)
		for j := range r.Leases {
			r.Leases[j].Said = earlier(r.Leases[j].Said, now)
			if r.Leases[j].Session == "" {
				r.Leases[j].Said = now
			}
		}
		if g.Writer.ID != "" {
			r.Digest = 0
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// maxExpected bounds for how many topics of one broker room is made before
// they are there.
const maxExpected = 1 << 17

func (s *Store) restoreTopics(b *bbolt.Bucket) error {
	err := s.each(b, topicsBucket, func(key, content []byte) error {
		broker, n, err := parseChunkKey(key)
		if err != nil {
			return err
		}
		topics, chunks, err := decodeTopics(content)
		if err != nil {
			return err
		}
		set := s.sets[string(broker)]
		if set == nil {
			expected := min(len(topics)*chunks, maxExpected)
			set = &topicSet{broker: string(broker), rows: make(map[string]*core.Row, expected), chunks: chunks}
			s.sets[set.broker] = set
		}
		if chunks != set.chunks {
			return fmt.Errorf("%w: one of %d chunks beside ones of %d", errRecord, chunks, set.chunks)
		}
		return s.restoreChunk(set, n, topics)
	})
	for i := range s.topics {
		for name, rows := range s.topics[i].rows {
			slices.SortFunc(rows, func(a, b *core.Row) int { return cmp.Compare(a.Broker, b.Broker) })
			s.topics[i].rows[name] = slices.Clone(rows) // without spare room
		}
	}
	return err
}

// restoreChunk adds the topics of chunk n, whose names are parts of its record.
func (s *Store) restoreChunk(set *topicSet, n int, topics []core.Topic) error {
	before := len(set.rows)
	for _, t := range topics {
		h := hash(t.Name)
		if chunkOf(h, set.chunks) != n {
			return fmt.Errorf("%w: topic %q is of another chunk", errRecord, t.Name)
		}
		shard := &s.topics[shardOf(h)]
		others := shard.rows[t.Name]
		if len(others) > 0 {
			t.Name = others[0].Name
		} else {
			t.Name = strings.Clone(t.Name)
		}
		row := &core.Row{Broker: set.broker, Topic: t}
		set.rows[t.Name] = row
		shard.rows[t.Name] = append(others, row)
	}
	if len(set.rows) != before+len(topics) {
		return fmt.Errorf("%w: it has a topic twice", errRecord)
	}
	return nil
}

func (s *Store) restoreSessions(b *bbolt.Bucket, now time.Time) error {
	next := *s.head.Load()
	err := s.each(b, sessionsBucket, func(key, content []byte) error {
		session, err := decodeSession(content)
		switch {
		case err != nil:
			return err
		case session.ID != string(key):
			return fmt.Errorf("%w: it is of %q", errRecord, session.ID)
		case session.Closed:
			s.ledger.closed.add(session.ID)
		default:
			session.Last = now
			next.sessions = append(next.sessions, session)
		}
		return nil
	})
	s.head.Store(&next) // sorted as the bucket's keys are
	return err
}

// restoreKV makes the store's own file keep KV, unless another one does.
func (s *Store) restoreKV(b *bbolt.Bucket) error {
	file := &kvRecordFile{disk: s.disk}
	var table map[string]map[string]string
	err := s.each(b, kvBucket, func(key, content []byte) (err error) {
		if string(key) != kvKey {
			return fmt.Errorf("%w: unknown", errRecord)
		}
		table, err = decodeKV(content)
		file.saved = seal(kvKey, bytes.Clone(content))
		return err
	})
	if err == nil && s.kv.file == nil {
		s.kv.init(file, table)
	}
	return err
}
