package kvfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

const (
	oldText = `{"configTable":{"a":{"k":"old"}}}`
	newText = `{"configTable":{"a":{"k":"new"},"b":{}}}`
)

var newTable = table{"a": {"k": "new"}, "b": nil}

func TestSaveWritesOneSortedLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there", "kvConfig.json")
	saved := table{"z": {"2": "<&>", "1": "é\u2028\"\\\n😀"}, "b": {}, "": {"": ""}}
	if err := Save(path, saved); err != nil {
		t.Fatal(err)
	}
	want := `{"configTable":{"":{"":""},"b":{},"z":{"1":"\u00e9\u2028\"\\\n\ud83d\ude00","2":"<&>"}}}`
	if got := readFile(t, path); got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	if got, err := Load(path); err != nil || !reflect.DeepEqual(got, saved) {
		t.Errorf("Load = %v, %v, want %v", got, err, saved)
	}
	if err := Save(path, nil); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, path); got != `{"configTable":{}}` {
		t.Errorf("no table is %s", got)
	}
}

func TestSaveKeepsTheContentBeforeIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kvConfig.json")
	const byHand = "{ configTable: {} } // by hand"
	writeFile(t, path, byHand)
	writeFile(t, path+".tmp", "cut off by a cra")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing, so the backup stays
		if err := Save(path, newTable); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, path); got != newText {
			t.Errorf("the file holds %s", got)
		}
		if got := readFile(t, path+".bak"); got != byHand {
			t.Errorf("the backup holds %s", got)
		}
	}
	for _, name := range []string{path, path + ".bak"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %v, %v, want 0640", name, info.Mode(), err)
		}
	}
	wantNames(t, dir, "kvConfig.json", "kvConfig.json.bak")
}

func TestSaveFollowsASymbolicLink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "kvConfig.json")
	writeFile(t, target, oldText)
	if err := os.Symlink("target", path); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, newTable); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, target); got != newText {
		t.Errorf("the target holds %s", got)
	}
	if link, err := os.Readlink(path); err != nil || link != "target" {
		t.Errorf("the link is now %q, %v", link, err)
	}
	wantNames(t, dir, "kvConfig.json", "kvConfig.json.bak", "target")
}

func TestSaveRefusesWhatIsNotAFile(t *testing.T) {
	if err := Save(os.DevNull, newTable); err == nil {
		t.Error("Save replaced a device")
	}
	if err := Save(t.TempDir(), newTable); err == nil {
		t.Error("Save replaced a directory")
	}
}

// Each operation of a Save fails in turn: as an error, and as a crash, after
// which nothing more reaches the disk.
func TestSaveLeavesOldOrNewWhole(t *testing.T) {
	cases := []struct {
		name       string
		old        string // empty: no file
		crash      bool
		operations int // of a Save that succeeds
	}{
		{"first file", "", false, 9},
		{"first file, crash", "", true, 9},
		{"new content", oldText, false, 15},
		{"new content, crash", oldText, true, 15},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for at := range c.operations + 1 {
				dir := t.TempDir()
				path := filepath.Join(dir, "kvConfig.json")
				if c.old != "" {
					writeFile(t, path, c.old)
				} else {
					path = filepath.Join(dir, "sub", "kvConfig.json")
				}
				d := &faultyDisk{failAt: at, crash: c.crash}
				err := save(d, path, newTable)
				if at == c.operations {
					if err != nil || d.failed != "" {
						t.Fatalf("operation %d, %q: the list of operations is not complete: %v", at, d.failed, err)
					}
					return
				}
				if !errors.Is(err, errInjected) {
					t.Errorf("operation %d, %s, failed: %v", at, d.failed, err)
				}
				want := []string{c.old, newText}
				if c.old == "" {
					want[0] = `{"configTable":{}}` // a missing file
				}
				got, err := Load(path)
				if err != nil {
					t.Fatalf("after operation %d, %s, failed: %v", at, d.failed, err)
				}
				if text, _ := encode(got, MaxSize); !slices.Contains(want, string(text)) {
					t.Errorf("after operation %d, %s, failed: %s", at, d.failed, text)
				}
				if leftover, _ := filepath.Glob(path + "*.tmp"); len(leftover) > 0 && !c.crash {
					t.Errorf("operation %d, %s, left %v", at, d.failed, leftover)
				}
				if backup, err := os.ReadFile(path + ".bak"); err == nil && string(backup) != c.old {
					t.Errorf("after operation %d, %s, failed: the backup holds %s", at, d.failed, backup)
				}
				if err := Save(path, newTable); err != nil || readFile(t, path) != newText {
					t.Errorf("Save again after operation %d, %s, failed: %v, %s", at, d.failed, err, readFile(t, path))
				}
			}
		})
	}
}

var errInjected = errors.New("injected")

// faultyDisk is the real disk on which the operation with number failAt
// fails, counted from 0. After a crash all others fail too.
type faultyDisk struct {
	realDisk
	failAt int
	crash  bool

	calls  int
	failed string // the operation that failed
}

func (d *faultyDisk) fault(operation string) error {
	d.calls++
	if d.calls-1 == d.failAt || d.crash && d.failed != "" {
		if d.failed == "" {
			d.failed = operation
		}
		return &fs.PathError{Op: operation, Err: errInjected}
	}
	return nil
}

func (d *faultyDisk) Create(name string, mode fs.FileMode) (file, error) {
	if err := d.fault("create"); err != nil {
		return nil, err
	}
	f, err := d.realDisk.Create(name, mode)
	return faultyFile{f, d}, err
}

func (d *faultyDisk) Rename(oldName, newName string) error {
	return firstError(d.fault("rename"), func() error { return d.realDisk.Rename(oldName, newName) })
}

func (d *faultyDisk) Remove(name string) error {
	return firstError(d.fault("remove"), func() error { return d.realDisk.Remove(name) })
}

func (d *faultyDisk) MkdirAll(dir string) error {
	return firstError(d.fault("make directory"), func() error { return d.realDisk.MkdirAll(dir) })
}

func (d *faultyDisk) SyncDir(dir string) error {
	return firstError(d.fault("sync directory"), func() error { return d.realDisk.SyncDir(dir) })
}

type faultyFile struct {
	file
	disk *faultyDisk
}

// Write writes one half of the data before it fails.
func (f faultyFile) Write(data []byte) (int, error) {
	if err := f.disk.fault("write"); err != nil {
		n, _ := f.file.Write(data[:len(data)/2])
		return n, err
	}
	return f.file.Write(data)
}

func (f faultyFile) Chmod(mode fs.FileMode) error {
	return firstError(f.disk.fault("chmod"), func() error { return f.file.Chmod(mode) })
}

func (f faultyFile) Sync() error {
	return firstError(f.disk.fault("sync"), f.file.Sync)
}

func (f faultyFile) Close() error {
	return errors.Join(f.disk.fault("close"), f.file.Close())
}

func firstError(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if !slices.Equal(names, want) {
		t.Errorf("the directory holds %v, want %v", names, want)
	}
}
