package follow

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
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
	// whole is all that is known, for a new file in place of one that went bad.
	whole func() changes

	writing sync.Mutex // held over a transaction
	opened  *os.File   // by db
	written marks
	failing bool
	renewed bool

	mu    sync.Mutex
	db    *bbolt.DB // nil: no file any more
	dirty changes
	under int // how many routes are being written
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
	if err := f.setAside(err, len(c.routes)); err != nil {
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

// setAside gives the file another name, since it is damaged.
func (f *file) setAside(why error, routes int) error {
	aside := f.path + ".broken"
	f.log.Warn("the file of last-known routes is set aside", "file", f.path, "as", aside, "routes", routes, "error", why)
	if err := os.Rename(f.path, aside); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
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
	err = f.openDB(false)
	if errors.Is(err, syscall.EROFS) {
		// As disks become that fail. It is still good for what it has.
		f.log.Warn("the file of last-known routes is on a disk that cannot be written: what is new is not kept", "file", f.path)
		err = f.openDB(true)
	}
	if err != nil {
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

// systemOpen is how files are opened: another one in tests of disks.
var systemOpen = os.OpenFile

func (f *file) openDB(readOnly bool) (err error) {
	defer func() {
		if err != nil {
			f.opened.Close() // bbolt does not when it panics
		}
	}()
	defer mapped.Guard(&err, errFile)()
	db, err := bbolt.Open(f.path, 0o600, &bbolt.Options{
		Timeout: lockWait, FreelistType: bbolt.FreelistMapType, NoStatistics: true, ReadOnly: readOnly,
		OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
			f.opened, err = systemOpen(name, flag&^os.O_CREATE, mode)
			return f.opened, err
		},
	})
	f.mu.Lock()
	f.db = db
	f.mu.Unlock()
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

// whole is all that is to be in the file, but for answers.
func (f *Follower) whole() changes {
	all := newChanges()
	f.mu.Lock()
	defer f.mu.Unlock()
	for e := range f.table.all() {
		if e.route != nil {
			all.routes[e.topic] = kept{e.etag, e.route}
		}
	}
	if order := f.order.kept.Load(); order != nil {
		all.order = orderRecord(order.values)
	}
	return all
}

// restore takes in what the file has. It is all stale; what it has is taken to
// be in use until it is known better.
func (f *Follower) restore() error {
	file, c, err := openFile(f.o.File, f.o.Log)
	if err != nil {
		return err
	}
	f.file = file
	file.whole = f.whole
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
