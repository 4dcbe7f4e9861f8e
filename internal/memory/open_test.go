package memory_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"signpost/core"
	"signpost/internal/memory"
)

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
}

func TestOpenMakesTheFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "store"))
	if h := headOf(t, s, 0); h.Revision != 0 || !h.Complete {
		t.Errorf("head of a new store: %+v", h)
	}
	closeStore(t, s)
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "store" {
		t.Fatalf("found %v", entries)
	}
	info, err := entries[0].Info()
	must(t, err)
	if info.Size() > 64<<10 || info.Mode().Perm() != 0o600 {
		t.Errorf("%d bytes, mode %s", info.Size(), info.Mode())
	}
}

func TestOpenWhereNoFileCanBe(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none", "store"), dir} {
		if s, err := memory.Open(path, epoch); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("opened %s: %v, error %v", path, s, err)
		}
	}
}

func TestOpenOfWhatIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	for _, wait := range []memory.Option{memory.WithLockWait(1), memory.WithLockWait(0)} {
		_, err := memory.Open(path, epoch, wait)
		if !errors.Is(err, memory.ErrInUse) || !strings.Contains(err.Error(), path) {
			t.Fatalf("opened twice: %v", err)
		}
	}
	closeStore(t, s)
	s = openStore(t, path, memory.WithLockWait(1))
	closeStore(t, s)
}

// TestOpenWaitsForTheOtherProcess: as when a server is restarted.
func TestOpenWaitsForTheOtherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	opened := make(chan error)
	go func() {
		other, err := memory.Open(path, epoch)
		if err == nil {
			err = other.Close(context.Background())
		}
		opened <- err
	}()
	closeStore(t, s)
	must(t, <-opened)
}

// filledFile makes a store with something of every kind and returns its path.
func filledFile(t *testing.T) string {
	t.Helper()
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	fill(t, s, 20, 30, 100)
	must(t, s.OpenSession(ctx, core.Session{ID: "s", Owner: "o", Last: epoch}))
	must(t, s.PutKV(ctx, "ns", "k", "v"))
	raise(t, s, core.Change{Broker: "b", Replicas: true})
	closeStore(t, s)
	return path
}

// refusedAndKept opens what must not be opened, and checks that it is left as
// it is.
func refusedAndKept(t *testing.T, what, path string, want error) {
	t.Helper()
	before, err := os.ReadFile(path)
	must(t, err)
	s, err := memory.Open(path, epoch, memory.WithLockWait(1))
	if err == nil {
		closeStore(t, s)
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Errorf("%s: the file was changed", what)
	}
}

func TestOpenOfWhatIsNoStore(t *testing.T) {
	for what, content := range map[string][]byte{
		"an empty file": {}, "a text": []byte("# configuration\nlistenPort=9876\n"),
		"zeros": make([]byte, 64<<10), "a long text": bytes.Repeat([]byte("text "), 20_000),
	} {
		path := filepath.Join(t.TempDir(), "store")
		must(t, os.WriteFile(path, content, 0o600))
		refusedAndKept(t, what, path, memory.ErrCorrupt)
	}
	path := filepath.Join(t.TempDir(), "store")
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Close())
	refusedAndKept(t, "somebody else's database", path, memory.ErrCorrupt)
}

// edited changes one record of a copy of the file.
func edited(t *testing.T, from, bucket string, edit func(b *bbolt.Bucket) error) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edited")
	copyFile(t, from, path)
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error { return edit(tx.Bucket([]byte(bucket))) }))
	must(t, db.Close())
	return path
}

func TestOpenOfADamagedStore(t *testing.T) {
	path := filledFile(t)
	for _, bucket := range []string{"meta", "groups", "topics", "sessions", "kv"} {
		refusedAndKept(t, bucket+" with a damaged record", edited(t, path, bucket, func(b *bbolt.Bucket) error {
			key, value := b.Cursor().First()
			value = bytes.Clone(value)
			value[len(value)/2] ^= 0x10
			return b.Put(key, value)
		}), memory.ErrCorrupt)
		refusedAndKept(t, bucket+" with an empty record", edited(t, path, bucket, func(b *bbolt.Bucket) error {
			key, _ := b.Cursor().First()
			return b.Put(key, nil)
		}), memory.ErrCorrupt)
		refusedAndKept(t, "no "+bucket, edited(t, path, bucket, func(b *bbolt.Bucket) error {
			return b.Tx().DeleteBucket([]byte(bucket))
		}), memory.ErrCorrupt)
	}
	for _, bucket := range []string{"groups", "topics", "sessions"} {
		refusedAndKept(t, bucket+" with a record in another's place", edited(t, path, bucket, func(b *bbolt.Bucket) error {
			key, value := b.Cursor().First()
			value = bytes.Clone(value)
			return errors.Join(b.Delete(key), b.Put(append(key[:len(key):len(key)], 'x'), value))
		}), memory.ErrCorrupt)
	}
}

func TestOpenOfAnotherFormat(t *testing.T) {
	path := filledFile(t)
	for _, format := range []uint64{0, memory.NewestFormat + 1, 1 << 60} {
		refusedAndKept(t, "another format", edited(t, path, "meta", func(b *bbolt.Bucket) error {
			return b.Put([]byte("format"), memory.FormatRecord(format))
		}), memory.ErrFormat)
	}
}

// TestOpenOfACutFile cuts it after each page.
func TestOpenOfACutFile(t *testing.T) {
	path := filledFile(t)
	whole, err := os.ReadFile(path)
	must(t, err)
	page := os.Getpagesize()
	for size := page / 2; size < len(whole)/2; size += page / 2 {
		cut := filepath.Join(t.TempDir(), "cut")
		must(t, os.WriteFile(cut, whole[:size], 0o600))
		refusedAndKept(t, "a cut file", cut, memory.ErrCorrupt)
	}
}

// TestOpenOfAFileWithOneWrongByte: the answer is an error, or a store that reads
// as the one written, and no crash.
func TestOpenOfAFileWithOneWrongByte(t *testing.T) {
	path := filledFile(t)
	whole, err := os.ReadFile(path)
	must(t, err)
	s := openStore(t, path)
	want := dump(t, s)
	closeStore(t, s)
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	refused := 0
	for at := 3; at < len(whole); at += 199 {
		content := bytes.Clone(whole)
		content[at] ^= 0x41
		must(t, os.WriteFile(damaged, content, 0o600))
		s, err := memory.Open(damaged, epoch, memory.WithLockWait(1))
		if err != nil {
			refused++
			if !errors.Is(err, memory.ErrCorrupt) && !errors.Is(err, memory.ErrFormat) {
				t.Errorf("byte %d: %v", at, err)
			}
			continue
		}
		if got := dump(t, s); !reflect.DeepEqual(got, want) {
			t.Errorf("byte %d: it reads\n%+v\nand not\n%+v", at, got, want)
		}
		if err := s.Close(context.Background()); err != nil && !errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if refused == 0 {
		t.Error("no byte matters")
	}
}
