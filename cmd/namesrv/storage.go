package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/daemon"
	"signpost/internal/dynamo"
	"signpost/internal/kvfile"
	"signpost/internal/memory"
)

// storage is where the state is kept, and what of the server depends on where.
// One of disk and table is nil.
type storage struct {
	core.Store
	disk  *memory.Store // this process's own, with kv beside it
	kv    *kvFile
	table *dynamo.Store // shared with others

	bus   core.Sink        // told what happens, beside the log; nil is nobody
	now   func() time.Time // by which statements are stamped and judged
	front string           // names the direct leases of the TCP front
}

// openStorage opens what the configuration names.
func (a *app) openStorage(ctx context.Context, cfg config.Storage) error {
	if cfg.Store.Table != "" {
		return a.openTable(ctx, cfg)
	}
	return a.openDisk(cfg)
}

// openDisk takes over the KV file and opens the store beside it.
func (a *app) openDisk(cfg config.Storage) error {
	path := cfg.KVConfigPath
	table, err := kvfile.Load(path)
	if err != nil {
		return fmt.Errorf("kvConfigPath: %w", err)
	}
	logKV(a.log, table)
	file := &kvFile{path: path}
	file.table.Store(&table)
	kv := memory.WithKV(file, table)
	var disk *memory.Store
	if cfg.Store.Path == "" {
		a.log.Warn("nothing is kept on disk: after a restart brokers have to register again")
		disk = memory.New(kv)
	} else {
		if err := os.MkdirAll(filepath.Dir(cfg.Store.Path), 0o755); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if disk, err = memory.Open(cfg.Store.Path, a.daemon.Started, kv); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	a.storage = storage{Store: disk, disk: disk, kv: file, now: time.Now, front: "tcp"}
	return nil
}

// close saves the state. A table has it all.
func (s *storage) close(ctx context.Context) error {
	if s.disk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, daemon.HandlerTime)
	defer cancel()
	if err := s.disk.Close(ctx); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

// maySweep says why this process must not evict anything now.
func (s *storage) maySweep() error {
	if s.table == nil {
		return nil
	}
	return s.table.CheckClock()
}

// kvFile is Java's kvConfig.json. The table saved last is kept for the log.
type kvFile struct {
	path  string
	table atomic.Pointer[map[string]map[string]string]
}

// Save replaces the file.
func (f *kvFile) Save(table map[string]map[string]string) error {
	if err := kvfile.Save(f.path, table); err != nil {
		return err
	}
	f.table.Store(&table)
	return nil
}
