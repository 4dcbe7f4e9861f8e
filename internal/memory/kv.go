package memory

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"signpost/core"
)

// KVFile keeps the KV table, namespace -> key -> value, outside the store. Save
// returns when the table given would be read after a crash; after an error,
// the one before would be. It may keep the table, but must not change it.
type KVFile interface {
	Save(table map[string]map[string]string) error
}

// WithKV keeps KV in file, which holds table now.
func WithKV(file KVFile, table map[string]map[string]string) Option {
	return func(s *Store) {
		s.kv.file = file
		own := make(map[string]map[string]string, len(table))
		for namespace, keys := range table {
			own[namespace] = maps.Clone(keys)
			if keys == nil {
				own[namespace] = map[string]string{}
			}
		}
		s.kv.table.Store(&own)
	}
}

// kvTable holds the whole table, replaced with each change. It is small, and
// changed by hand.
type kvTable struct {
	table atomic.Pointer[map[string]map[string]string]
	mu    sync.Mutex // one change at a time
	file  KVFile     // nil: none
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
