package follow

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"signpost/core"
	"signpost/internal/mapped"
)

// changes are what the file does not have yet.
type changes struct {
	routes  map[string]kept
	order   []byte            // its record; nil: it has it
	answers map[string][]byte // records of what was answered to questions
}

func newChanges() changes { return changes{routes: map[string]kept{}, answers: map[string][]byte{}} }

func (c changes) none() bool { return len(c.routes) == 0 && c.order == nil && len(c.answers) == 0 }

// then adds what has changed later.
func (c *changes) then(later changes) {
	maps.Copy(c.routes, later.routes)
	maps.Copy(c.answers, later.answers)
	if later.order != nil {
		c.order = later.order
	}
}

func (f *file) keep(topic, etag string, route *core.Route) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty.routes[topic] = kept{etag, route}
}

func (f *file) drop(topic string) { f.keep(topic, "", nil) }

func (f *file) keepOrder(table map[string]string) {
	record := orderRecord(table)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty.order = record
}

// write writes what has changed, in one transaction. What could not be written
// is tried again the next time.
func (f *file) write(m marks) {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.mu.Lock()
	dirty := f.dirty
	f.dirty, f.under = newChanges(), len(dirty.routes)
	gone := f.db == nil
	f.mu.Unlock()
	if gone || dirty.none() && m.revision == f.written.revision {
		return
	}
	err := f.update(dirty, m)
	if errors.Is(err, errFile) {
		err = f.renew(err, m)
	}
	if err == nil {
		f.written = m
		f.release()
	}
	if failing := err != nil; failing != f.failing {
		f.failing = failing
		if failing {
			f.log.Warn("last-known routes cannot be written", "file", f.path, "error", err)
		} else {
			f.log.Info("last-known routes are written again", "file", f.path)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.under = 0
	if err != nil {
		dirty.then(f.dirty)
		f.dirty = dirty
	}
}

// renew goes on with a new file, since the old one went bad under us. Once is
// all: what happens again is the disk.
func (f *file) renew(why error, m marks) error {
	// The old one is not closed, for bbolt may hold locks that nobody gives up:
	// what was mapped stays so, and only its lock on the file goes.
	f.opened.Close()
	f.mu.Lock()
	f.db = nil
	f.mu.Unlock()
	if f.renewed || f.whole == nil {
		return why
	}
	f.renewed = true
	all := f.whole()
	err := f.setAside(why, len(all.routes))
	if err == nil {
		_, err = f.open()
	}
	if err == nil {
		err = f.update(all, m)
	}
	return err
}

// unwritten is of how many topics it does not have yet what is known.
func (f *file) unwritten() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.dirty.routes) + f.under
}

func (f *file) update(dirty changes, m marks) (err error) {
	defer mapped.Guard(&err, errFile)() // the file may have gone bad under us
	return f.db.Update(func(tx *bbolt.Tx) error {
		meta, routes := tx.Bucket(metaBucket), tx.Bucket(routesBucket)
		// In the order of the tree's pages, each of them is visited once.
		for _, topic := range slices.Sorted(maps.Keys(dirty.routes)) {
			var err error
			if k := dirty.routes[topic]; k.route == nil {
				err = routes.Delete([]byte(topic))
			} else {
				err = routes.Put([]byte(topic), routeRecord(topic, k.etag, k.route))
			}
			if err != nil {
				return fmt.Errorf("topic %q: %w", topic, err)
			}
		}
		if dirty.order != nil {
			if err := meta.Put([]byte(orderKey), dirty.order); err != nil {
				return err
			}
		}
		if err := putAnswers(tx, dirty.answers); err != nil {
			return err
		}
		return meta.Put([]byte(marksKey), marksRecord(m))
	})
}

// release has the file not count as memory of this process, as far as that works.
func (f *file) release() {
	if err := mapped.Release(f.db); err != nil {
		f.log.Debug("pages of the file of last-known routes stay in memory", "file", f.path, "error", err)
	}
}

func (f *file) close(m marks) error {
	f.write(m)
	if f.db == nil {
		return nil
	}
	return f.db.Close()
}
