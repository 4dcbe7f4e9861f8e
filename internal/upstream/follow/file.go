package follow

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"signpost/core"
	"signpost/internal/mapped"
)

const (
	// fileFormat is of the file as a whole; each record has a version, too. A
	// file of another format is set aside: all in it can be asked for again.
	fileFormat = "signpost follow 1"
	// writeEvery is how often what has changed is written.
	writeEvery = 3 * time.Second
	// lockWait is how long the file's lock is waited for: the process before
	// may still be ending.
	lockWait = 5 * time.Second
	// smallest is the size in bytes of the smallest file that bbolt makes; it
	// would start to fill an empty one.
	smallest = 4 * 4096
)

var (
	metaBucket   = []byte("meta")
	routesBucket = []byte("routes")
)

// Keys of the meta bucket.
const (
	formatKey = "format"
	orderKey  = "order"
	marksKey  = "marks"
)

// ErrInUse says that another process has the file open.
var ErrInUse = errors.New("in use by another process")

var errFile = errors.New("damaged, or no file of last-known routes")

// marks is what is known of all in the file.
type marks struct {
	revision core.Revision
	right    int64 // when it was known to be right: milliseconds since 1970
}

// kept is a topic's record to be; without a route it goes.
type kept struct {
	etag  string
	route *core.Route
}

// file keeps what was known last, written behind: it may lose the last seconds.
type file struct {
	path string
	log  *slog.Logger
	db   *bbolt.DB

	writing sync.Mutex // held over a transaction
	written marks
	failing bool

	mu    sync.Mutex
	dirty changes
	under int // how many routes are being written
}

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

// content is what a file has.
type content struct {
	routes map[string]kept
	order  map[string]string
	hasOrd bool
	marks  marks
}

// openFile opens the file, which is made if there is none. One that is damaged
// is set aside; what could be read of it is in the new one.
func openFile(path string, log *slog.Logger) (*file, content, error) {
	f := &file{path: path, log: log, dirty: newChanges()}
	c, err := f.open()
	if err == nil || !errors.Is(err, errFile) {
		return f, c, err
	}
	aside := path + ".broken"
	log.Warn("the file of last-known routes is set aside", "file", path, "as", aside, "routes", len(c.routes), "error", err)
	if err := os.Rename(path, aside); err != nil {
		return nil, content{}, err
	}
	if _, err := f.open(); err != nil {
		return nil, content{}, err
	}
	maps.Copy(f.dirty.routes, c.routes)
	if c.hasOrd {
		f.dirty.order = orderRecord(c.order)
	}
	f.written = marks{}
	return f, c, nil
}

// open opens the file and reads it; what it returns with errFile was right.
func (f *file) open() (c content, err error) {
	c.routes = map[string]kept{}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = f.create()
	case err == nil && info.Size() < smallest:
		err = fmt.Errorf("%w: it has %d bytes", errFile, info.Size())
	}
	if err != nil {
		return c, err
	}
	if err = f.openDB(); err != nil {
		return c, err
	}
	if err = f.load(&c); err != nil {
		return c, errors.Join(err, f.db.Close())
	}
	f.written = c.marks
	f.release()
	return c, nil
}

// create makes the file with nothing in it. It gets its name when it is whole.
func (f *file) create() error {
	temporary, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if err := temporary.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(temporary.Name(), 0o600, &bbolt.Options{NoStatistics: true, Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		_, err = tx.CreateBucket(routesBucket)
		return errors.Join(err, meta.Put([]byte(formatKey), []byte(fileFormat)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// Unlike a renaming, a link does not replace what another process just
	// made; but not every file system has links.
	if err := os.Link(temporary.Name(), f.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return os.Rename(temporary.Name(), f.path)
	}
	return nil
}

func (f *file) openDB() (err error) {
	var opened *os.File
	defer func() {
		if err != nil {
			opened.Close() // bbolt does not when it panics
		}
	}()
	defer mapped.Guard(&err, errFile)()
	f.db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{
		Timeout: lockWait, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			opened, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
			return opened, err
		},
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", errFile, err)
	}
	return err
}

// load reads the file as far as it can be read.
func (f *file) load(c *content) (err error) {
	defer mapped.Guard(&err, errFile)()
	tx, err := f.db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	meta, routes := tx.Bucket(metaBucket), tx.Bucket(routesBucket)
	if meta == nil || routes == nil || string(meta.Get([]byte(formatKey))) != fileFormat {
		return fmt.Errorf("%w: its format is %q", errFile, metaFormat(meta))
	}
	var damaged error
	if record := meta.Get([]byte(marksKey)); record != nil {
		if c.marks, err = readMarks(record); err != nil {
			damaged = err
		}
	}
	if record := meta.Get([]byte(orderKey)); record != nil {
		if c.order, err = readOrder(record); err != nil {
			damaged = err
		}
		c.hasOrd = err == nil
	}
	err = routes.ForEach(func(topic, record []byte) error {
		etag, route, err := readRoute(topic, record)
		if err != nil {
			damaged = fmt.Errorf("topic %q: %w", topic, err)
			return nil
		}
		c.routes[route.Topic] = kept{etag, route}
		return nil
	})
	if err == nil {
		err = damaged
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errFile, err)
	}
	return nil
}

func metaFormat(meta *bbolt.Bucket) []byte {
	if meta == nil {
		return nil
	}
	return meta.Get([]byte(formatKey))
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
	f.mu.Unlock()
	if dirty.none() && m.revision == f.written.revision {
		return
	}
	err := f.update(dirty, m)
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
	return f.db.Close()
}

// marks returns what is known of all that is kept now.
func (f *Follower) marks() marks {
	f.mu.Lock()
	defer f.mu.Unlock()
	passed := f.o.Now().Sub(f.good)
	if !f.link.ever {
		passed += f.restoredAge
	}
	return marks{f.history.followed, f.o.Now().Add(-passed).UnixMilli()}
}

// restore takes in what the file has. It is all stale; what it has is taken to
// be in use until it is known better.
func (f *Follower) restore() error {
	file, c, err := openFile(f.o.File, f.o.Log)
	if err != nil {
		return err
	}
	f.file = file
	if c.marks.right != 0 {
		f.restoredAge = max(0, time.Duration(f.epoch.UnixMilli()-c.marks.right)*time.Millisecond)
	}
	for topic, k := range c.routes {
		e := &entry{topic: topic, route: k.route, etag: k.etag, confirmed: -f.restoredAge, consistent: true}
		e.until.Store(int64(stale))
		f.table.put(e)
	}
	f.forget(f.table.shed(f.o.Routes, f.o.Bytes))
	if c.hasOrd {
		f.order.kept.Store(&orderTable{c.order, true})
	}
	f.history.restart(c.marks.revision)
	f.newest.heard(c.marks.revision, f.epoch)
	return nil
}
