// Package memory is the core.Store of one process: complete, in memory, and
// with its state in one file if it is opened with Open.
//
// Reads take no lock that a write holds for long: the head is one atomic
// pointer, groups and topics are kept in shards, and everything handed out is
// immutable and replaced as a whole.
package memory

import (
	"context"
	"sync"
	"sync/atomic"

	"signpost/core"
)

// shards is the number of locks over which groups, and topics, are spread.
const shards = 64

// Store keeps the model's state in this process. Use New or Open.
type Store struct {
	version atomic.Uint64 // of the group stored last, whichever it was
	groups  [shards]groupShard

	topics [shards]topicShard
	setsMu sync.RWMutex // guards sets and each set's users; held for map accesses only
	sets   map[string]*topicSet

	head   atomic.Pointer[head]
	headMu sync.Mutex // serialises changes of head, and guards what follows
	ledger ledger

	kv kvTable
}

var _ core.Store = (*Store)(nil)

// Option adjusts a Store.
type Option func(*Store)

// New returns an empty store that forgets everything with the process.
func New(opts ...Option) *Store {
	s := &Store{sets: map[string]*topicSet{}}
	for i := range s.groups {
		s.groups[i].groups = map[string]*core.Group{}
	}
	for i := range s.topics {
		s.topics[i].rows = map[string][]*core.Row{}
	}
	s.head.Store(&head{})
	s.kv.table.Store(&map[string]map[string]string{})
	for _, o := range opts {
		o(s)
	}
	return s
}

// Close ends the use of the store.
func (s *Store) Close(context.Context) error { return nil }

// hash is FNV-1a: stable, so that it may decide where something is on disk.
func hash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
