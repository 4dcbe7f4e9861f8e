package memory

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"signpost/core"
)

// KVFile keeps the KV table, namespace -> key -> value, outside the store. Save
// returns when the table given would be read after a crash; after an error,
// the one before would be. It may keep the table, but must not change it.
type KVFile interface {
	Save(table map[string]map[string]string) error
}

// kvTable holds the whole table, replaced with each change. It is small, and
// changed by hand.
type kvTable struct {
	table atomic.Pointer[map[string]map[string]string]
	mu    sync.Mutex // one change at a time
	file  KVFile     // nil: nothing is kept
}

func (t *kvTable) init(file KVFile, table map[string]map[string]string) {
	own := make(map[string]map[string]string, len(table))
	for namespace, keys := range table {
		own[namespace] = maps.Clone(keys)
		if keys == nil {
			own[namespace] = map[string]string{}
		}
	}
	t.file = file
	t.table.Store(&own)
}

// KV returns a namespace; ErrNotFound if it never held anything.
func (s *Store) KV(_ context.Context, namespace string) (map[string]string, error) {
	keys, ok := (*s.kv.table.Load())[namespace]
	if !ok {
		return nil, fmt.Errorf("KV namespace %s: %w", namespace, core.ErrNotFound)
	}
	return keys, nil
}

// PutKV stores a value. It is seen by nobody before it is saved.
func (s *Store) PutKV(_ context.Context, namespace, key, value string) error {
	err := s.kv.change(namespace, func(keys map[string]string) bool {
		old, ok := keys[key]
		keys[key] = value
		return !ok || old != value
	})
	if err != nil {
		return fmt.Errorf("put KV: %w", err)
	}
	return nil
}

// DeleteKV removes a key; absent is no error, and creates no namespace.
func (s *Store) DeleteKV(_ context.Context, namespace, key string) error {
	err := s.kv.change(namespace, func(keys map[string]string) bool {
		_, ok := keys[key]
		delete(keys, key)
		return ok
	})
	if err != nil {
		return fmt.Errorf("delete KV: %w", err)
	}
	return nil
}

// change applies one change to a copy of the namespace, saves the table with
// it and puts it in place. edit reports whether it made a difference.
func (t *kvTable) change(namespace string, edit func(keys map[string]string) bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.table.Load()
	keys := maps.Clone(old[namespace])
	if keys == nil {
		keys = map[string]string{}
	}
	if !edit(keys) {
		return nil
	}
	table := maps.Clone(old)
	table[namespace] = keys
	if t.file != nil {
		if err := t.file.Save(table); err != nil {
			return err
		}
	}
	t.table.Store(&table)
	return nil
}

// kvKey is the key of the record that holds the whole table.
const kvKey = "table"

// kvWait bounds how long a change of KV waits for the disk.
const kvWait = 10 * time.Second

// kvRecordFile keeps KV in the store's own file. Save is called by one
// goroutine at a time.
type kvRecordFile struct {
	disk  *disk
	saved []byte // the record of the table before; nil: none
}

// Save commits the table. If that fails the one before is put back, so that
// it is not the next commit that brings the change about.
func (f *kvRecordFile) Save(table map[string]map[string]string) error {
	place := item{kvBucket, kvKey}
	record := seal(kvKey, appendKV(nil, table))
	f.disk.put(map[item][]byte{place: record})
	ctx, cancel := context.WithTimeout(context.Background(), kvWait)
	defer cancel()
	if err := f.disk.await().wait(ctx); err != nil {
		f.disk.put(map[item][]byte{place: f.saved})
		return err
	}
	f.saved = record
	return nil
}
