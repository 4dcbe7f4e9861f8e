package memory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"signpost/core"
	"signpost/internal/mapped"
)

// Formats of the file that this program reads. It writes the newest, and a
// file of an older one becomes one of it.
const (
	oldestFormat = 1
	newestFormat = 1
)

// Keys of the meta bucket.
const (
	formatKey   = "format"
	revisionKey = "revision"
	countsKey   = "counts"
)

// smallest is the size in bytes of the smallest file that bbolt makes.
const smallest = 4 * 4096

// What can be wrong with the file given to Open. It is left as it is.
var (
	ErrInUse   = errors.New("in use by another process")
	ErrCorrupt = errors.New("damaged, or not a NameServer's store")
	ErrFormat  = errors.New("of a format that this program does not read")
)

// Open returns the store kept in the file at path, which is made if there is
// none. Only one process at a time can have it open.
//
// What was confirmed by Raise, PutKV or DeleteKV is there, whatever ended the
// process before. Heartbeats are not written, so all leases and sessions get
// their full time from now (rule 11). A group whose writer had not finished is
// to be heard again.
//
// The error wraps ErrInUse, ErrCorrupt or ErrFormat if one of them is why.
func Open(path string, now time.Time, opts ...Option) (*Store, error) {
	set := settings{lockWait: 5 * time.Second, clock: time.Now}
	for _, o := range opts {
		o(&set)
	}
	s, err := open(path, now, set)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return s, nil
}

func open(path string, now time.Time, set settings) (*Store, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(path); err != nil {
			return nil, err
		}
	case err == nil && info.Size() < smallest:
		// bbolt would start to fill an empty one.
		return nil, fmt.Errorf("%w: it has %d bytes", ErrCorrupt, info.Size())
	}
	db, err := openFile(path, set.lockWait)
	if err != nil {
		return nil, err
	}
	s := newStore(set)
	s.disk = &disk{path: path, now: set.clock, db: db, committed: s.committed}
	s.disk.write = s.disk.update
	if err := s.restore(now); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.disk.start()
	s.revive()
	return s, nil
}

// revive raises the revision over the leases that restore has lengthened: some
// of them had run out, and who learned that must read again (rule 4). There is
// no change in the log for it, so that everything is read again.
func (s *Store) revive() {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	if s.ledger.raised > 0 {
		s.ledger.raised++
		s.disk.raise(s.ledger.raised)
	}
}

// create makes the file with nothing in it. It gets its name when it is whole:
// what a crash leaves is not taken for a damaged store.
func create(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(f.Name(), 0o600, &bbolt.Options{NoSync: true, NoStatistics: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		format := seal(formatKey, binary.AppendUvarint(nil, newestFormat))
		return errors.Join(tx.Bucket(bucketNames[metaBucket]).Put([]byte(formatKey), format), putCounts(tx, &counts{}))
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		return err
	}
	// Unlike a renaming, a link does not replace what another process just
	// made; but not every file system has links.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(f.Name(), path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// openFile opens the database, waiting for its lock.
func openFile(path string, lockWait time.Duration) (db *bbolt.DB, err error) {
	var file *os.File
	defer func() {
		if err != nil {
			file.Close() // bbolt does not when it panics
		}
	}()
	defer mapped.Guard(&err, ErrCorrupt)()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      max(lockWait, 1), // 0 would be for ever
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			// It is there; a missing one would be made outside create.
			file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
			return file, err
		},
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, ErrInUse
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return db, err
}

// Close commits what is not committed yet and closes the file. The store must
// not be used afterwards.
func (s *Store) Close(ctx context.Context) error {
	if s.disk == nil {
		return nil
	}
	return s.disk.close(ctx)
}

// committed is told that everything up to the revision is in the file.
func (s *Store) committed(r core.Revision) {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	s.publish(r)
}
