// Package memory is the core.Store of one process: complete, in memory, and
// with its state in one file if it is opened with Open.
//
// Reads take no lock that a write holds for long: the head is one atomic
// pointer, groups and topics are kept in shards, and everything handed out is
// immutable and replaced as a whole.
package memory

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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

	kv   kvTable
	disk *disk // nil: nothing is kept
}

var _ core.Store = (*Store)(nil)

// settings are what options set.
type settings struct {
	clock    func() time.Time
	lockWait time.Duration
	kvFile   KVFile
	kvTable  map[string]map[string]string
}

// Option adjusts a Store.
type Option func(*settings)

// WithClock sets what tells the times in Health; time.Now if it is not given.
func WithClock(now func() time.Time) Option { return func(s *settings) { s.clock = now } }

// WithLockWait sets how long Open waits for another process to close the
// file, as one does that is being restarted; 5 seconds if it is not given.
func WithLockWait(d time.Duration) Option { return func(s *settings) { s.lockWait = d } }

// WithKV keeps KV in file instead of the store's own. It holds table now.
func WithKV(file KVFile, table map[string]map[string]string) Option {
	return func(s *settings) { s.kvFile, s.kvTable = file, table }
}

// New returns an empty store that forgets everything with the process, but
// for KV if there is a file for it.
func New(opts ...Option) *Store {
	var set settings
	for _, o := range opts {
		o(&set)
	}
	return newStore(set)
}

func newStore(set settings) *Store {
	s := &Store{sets: map[string]*topicSet{}}
	for i := range s.groups {
		s.groups[i].groups = map[string]*core.Group{}
	}
	for i := range s.topics {
		s.topics[i].rows = map[string][]*core.Row{}
	}
	s.head.Store(&head{})
	s.kv.init(set.kvFile, set.kvTable)
	return s
}

// maxName bounds the names that become keys of the file.
const maxName = 4096

// checkName refuses a name that the file could not hold.
func checkName(field, name string) error {
	if len(name) > maxName {
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", maxName)}
	}
	return nil
}

// hash is FNV-1a: stable, so that it may decide where something is on disk.
func hash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
