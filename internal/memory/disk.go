package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"signpost/core"
	"signpost/internal/mapped"
)

const (
	// flushAfter is how long a change may wait for a commit that nobody asks for.
	flushAfter = 200 * time.Millisecond
	// retryAfter is how long a failed commit waits to be tried again.
	retryAfter = time.Second
	// gatherTime is the least time from one commit to the next, so that many
	// changes at once share a few of them: a commit costs as much as several
	// registrations. A change after a pause does not wait.
	gatherTime = 2 * time.Millisecond
	// releaseAfter is how long after a commit what it has read of the file
	// stays in memory, as the next one may read it again.
	releaseAfter = 5 * time.Second
)

// ErrClosed says that the store was closed before the call was done.
var ErrClosed = errors.New("store is closed")

// bucket numbers the buckets of the file.
type bucket uint8

const (
	metaBucket bucket = iota
	groupsBucket
	topicsBucket
	sessionsBucket
	kvBucket
	buckets
)

var bucketNames = [buckets][]byte{[]byte("meta"), []byte("groups"), []byte("topics"), []byte("sessions"), []byte("kv")}

// item is one place in the file.
type item struct {
	bucket bucket
	key    string
}

// Health is how the store's file does, for metrics and the readiness of the
// server.
type Health struct {
	Path         string
	Size         int64     // of the file, in bytes
	Commits      uint64    // that succeeded
	Failures     uint64    // commits that failed
	LastCommit   time.Time // when the last one succeeded; zero: none yet
	PendingSince time.Time // when the oldest change was made that is not committed; zero: none
	Err          error     // why the last commit failed; nil if it succeeded
}

// disk commits changes to the file. Whoever changes something leaves the new
// record in dirty, under the lock that orders changes of that thing; one
// goroutine writes all that is dirty in one transaction. So what is committed
// is the state of one moment: if a change is in it, then so are all that were
// made before.
//
// A commit starts when somebody waits for it, or a short while after a change.
type disk struct {
	path string
	now  func() time.Time
	db   *bbolt.DB
	// write makes one transaction; replaced in tests that let it fail.
	write func(map[item][]byte) error
	// counts is how many records each bucket has; the writing goroutine's, as is
	// broken, why db is not touched any more: after a fault in it bbolt may hold
	// locks that nobody gives up, so that even to close it would not end.
	counts counts
	broken error
	// committed is told the last revision in each commit, before those who wait.
	committed func(core.Revision)

	changed chan struct{} // there is something to commit, some time
	wanted  chan struct{} // somebody waits
	stop    chan struct{}
	stopped chan struct{}

	mu     sync.Mutex
	dirty  map[item][]byte // nil: to be removed
	raised core.Revision
	next   *commit // what will be waited for; nil: nobody waits
	closed bool
	health Health
}

// commit is a commit to come, as those who wait for it see it.
type commit struct {
	done chan struct{}
	err  error // valid when done is closed
}

func (c *commit) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start lets the writing goroutine begin.
func (d *disk) start() {
	d.dirty = map[item][]byte{}
	d.changed, d.wanted = make(chan struct{}, 1), make(chan struct{}, 1)
	d.stop, d.stopped = make(chan struct{}), make(chan struct{})
	go d.run()
}

// put leaves records to be committed. A nil disk keeps nothing.
func (d *disk) put(records map[item][]byte) {
	if d == nil || len(records) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.putLocked(records)
}

func (d *disk) putLocked(records map[item][]byte) {
	if d.health.PendingSince.IsZero() {
		d.health.PendingSince = d.now()
		signal(d.changed)
	}
	maps.Copy(d.dirty, records)
}

// await returns the commit that has everything that was put so far.
func (d *disk) await() *commit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.awaitLocked()
}

func (d *disk) awaitLocked() *commit {
	if d.closed {
		c := &commit{done: make(chan struct{}), err: ErrClosed}
		close(c.done)
		return c
	}
	if d.next == nil {
		d.next = &commit{done: make(chan struct{})}
		signal(d.wanted)
	}
	return d.next
}

// raise leaves the revision to be committed, and returns its commit.
func (d *disk) raise(r core.Revision) *commit {
	record := map[item][]byte{{metaBucket, revisionKey}: seal(revisionKey, appendRevision(nil, r))}
	d.mu.Lock()
	defer d.mu.Unlock()
	if r != d.raised {
		d.raised = r
		d.putLocked(record)
	}
	return d.awaitLocked()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run commits until the disk is closed.
func (d *disk) run() {
	defer close(d.stopped)
	due, idle := time.NewTimer(time.Hour), time.NewTimer(releaseAfter)
	defer due.Stop()
	defer idle.Stop()
	due.Stop()
	last := d.now()
	for {
		select {
		case <-d.changed:
			due.Reset(flushAfter)
			continue
		case <-d.wanted:
		case <-due.C:
		case <-idle.C:
			if d.broken == nil {
				_ = mapped.Release(d.db) // where it does not work nothing is lost by it
			}
			continue
		case <-d.stop:
			d.commit()
			return
		}
		due.Stop()
		if wait := gatherTime - d.now().Sub(last); 0 < wait && wait <= gatherTime {
			time.Sleep(wait)
		}
		runtime.Gosched() // what is about to change something joins this commit
		if !d.commit() {
			due.Reset(retryAfter)
		}
		idle.Reset(releaseAfter)
		last = d.now()
	}
}

// commit makes one transaction of all that is dirty. What could not be
// written stays dirty, unless it has changed since.
func (d *disk) commit() bool {
	d.mu.Lock()
	dirty, raised, next := d.dirty, d.raised, d.next
	d.dirty, d.next = map[item][]byte{}, nil
	since := d.health.PendingSince
	d.health.PendingSince = time.Time{}
	d.mu.Unlock()

	var err error
	if len(dirty) > 0 {
		err = d.write(dirty)
	}
	if err == nil {
		d.committed(raised)
	}

	d.mu.Lock()
	d.health.Err = err
	switch {
	case err != nil:
		d.health.Failures++
		d.health.PendingSince = since
		maps.Copy(dirty, d.dirty)
		d.dirty = dirty
	case len(dirty) > 0:
		d.health.Commits++
		d.health.LastCommit = d.now()
	}
	d.mu.Unlock()
	if next != nil {
		next.err = err
		close(next.done)
	}
	return err == nil
}

// update is disk.write.
func (d *disk) update(dirty map[item][]byte) (err error) {
	if d.broken != nil {
		return d.broken
	}
	defer func() {
		if errors.Is(err, ErrCorrupt) {
			d.broken = err
		}
	}()
	defer mapped.Guard(&err, ErrCorrupt)() // the file may have gone bad under us
	// In the order of the tree's pages, each of them is visited once.
	items := slices.SortedFunc(maps.Keys(dirty), func(a, b item) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.key, b.key))
	})
	counts := d.counts
	err = d.db.Update(func(tx *bbolt.Tx) error {
		for _, it := range items {
			b, key, record := tx.Bucket(bucketNames[it.bucket]), []byte(it.key), dirty[it]
			if b.Get(key) != nil {
				counts[it.bucket]--
			}
			var err error
			if record == nil {
				err = b.Delete(key)
			} else {
				err = b.Put(key, record)
				counts[it.bucket]++
			}
			if err != nil {
				return fmt.Errorf("%s %q: %w", bucketNames[it.bucket], it.key, err)
			}
		}
		return putCounts(tx, &counts)
	})
	if err != nil {
		return fmt.Errorf("commit to %s: %w", d.path, err)
	}
	d.counts = counts
	return nil
}

// putCounts stores how many records there are beside those of the meta bucket.
func putCounts(tx *bbolt.Tx, counts *counts) error {
	return tx.Bucket(bucketNames[metaBucket]).Put([]byte(countsKey), seal(countsKey, appendCounts(nil, counts)))
}

// close commits what is dirty and closes the file. It is left open if the
// deadline of ctx comes first.
func (d *disk) close(ctx context.Context) error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	d.mu.Unlock()
	if first {
		close(d.stop)
	}
	select {
	case <-d.stopped:
	case <-ctx.Done():
		return fmt.Errorf("close %s: %w", d.path, ctx.Err())
	}
	d.mu.Lock()
	err := d.health.Err
	d.mu.Unlock()
	if d.broken != nil {
		return err
	}
	return errors.Join(err, d.db.Close())
}

// Health returns how the store's file does; nothing but zeros without one.
func (s *Store) Health() Health {
	if s.disk == nil {
		return Health{}
	}
	s.disk.mu.Lock()
	h := s.disk.health
	s.disk.mu.Unlock()
	h.Path = s.disk.path
	if info, err := os.Stat(h.Path); err == nil {
		h.Size = info.Size()
	}
	return h
}
