package memory_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"testing"

	"signpost/core"
	"signpost/internal/memory"
)

// kvFile is a KVFile that remembers what it was given, and fails on demand.
type kvFile struct {
	saved  []map[string]map[string]string
	err    error
	onSave func()
}

func (f *kvFile) Save(table map[string]map[string]string) error {
	if f.onSave != nil {
		f.onSave()
	}
	if f.err != nil {
		return f.err
	}
	f.saved = append(f.saved, table)
	return nil
}

func wantKV(t *testing.T, s core.Store, namespace string, want map[string]string) {
	t.Helper()
	got, err := s.KV(context.Background(), namespace)
	if want == nil && !errors.Is(err, core.ErrNotFound) {
		t.Fatalf("namespace %s: %v, error %v; want none", namespace, got, err)
	}
	if want != nil && (err != nil || !maps.Equal(got, want)) {
		t.Fatalf("namespace %s: %v, error %v; want %v", namespace, got, err, want)
	}
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

func TestKVStartsWithTheFilesTable(t *testing.T) {
	table := map[string]map[string]string{"ns": {"k": "v"}, "empty": {}, "nil": nil}
	s := memory.New(memory.WithKV(&kvFile{}, table))
	table["ns"]["k"] = "changed"
	wantKV(t, s, "ns", map[string]string{"k": "v"})
	wantKV(t, s, "empty", map[string]string{})
	wantKV(t, s, "nil", map[string]string{})
	wantKV(t, s, "none", nil)
}

func TestKVIsSavedWholeWithEachChange(t *testing.T) {
	ctx, f := context.Background(), &kvFile{}
	s := memory.New(memory.WithKV(f, map[string]map[string]string{"old": {"k": "v"}}))
	must(t, s.PutKV(ctx, "ns", "k", "v"))
	must(t, s.PutKV(ctx, "ns", "k", "v")) // nothing new
	must(t, s.PutKV(ctx, "ns", "k", "w"))
	must(t, s.DeleteKV(ctx, "ns", "none"))
	must(t, s.DeleteKV(ctx, "none", "k"))
	must(t, s.DeleteKV(ctx, "ns", "k"))
	want := []map[string]map[string]string{
		{"old": {"k": "v"}, "ns": {"k": "v"}},
		{"old": {"k": "v"}, "ns": {"k": "w"}},
		{"old": {"k": "v"}, "ns": {}},
	}
	if !reflect.DeepEqual(f.saved, want) {
		t.Fatalf("saved %v, want %v", f.saved, want)
	}
}

func TestKVIsSeenOnlyOnceItIsSaved(t *testing.T) {
	ctx, f := context.Background(), &kvFile{}
	s := memory.New(memory.WithKV(f, map[string]map[string]string{"ns": {"k": "v", "l": "w"}}))
	f.onSave = func() {
		wantKV(t, s, "ns", map[string]string{"k": "v", "l": "w"})
		wantKV(t, s, "new", nil)
	}
	f.err = errors.New("disk full")
	for what, call := range map[string]func() error{
		"put":                    func() error { return s.PutKV(ctx, "ns", "k", "x") },
		"put in a new namespace": func() error { return s.PutKV(ctx, "new", "k", "x") },
		"delete":                 func() error { return s.DeleteKV(ctx, "ns", "k") },
	} {
		if err := call(); !errors.Is(err, f.err) {
			t.Errorf("%s: error %v, want %v", what, err, f.err)
		}
		f.onSave()
	}
	f.err = nil
	must(t, s.PutKV(ctx, "new", "k", "x"))
	wantKV(t, s, "new", map[string]string{"k": "x"})
	wantKV(t, s, "ns", map[string]string{"k": "v", "l": "w"})
}

func TestKVIsInTheStoresFileUnlessItHasItsOwn(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	must(t, s.PutKV(ctx, "ns", "k", "v"))
	must(t, s.PutKV(ctx, "emptied", "k", "v"))
	must(t, s.DeleteKV(ctx, "emptied", "k"))
	closeStore(t, s)

	f := &kvFile{}
	s = openStore(t, path, memory.WithKV(f, nil))
	wantKV(t, s, "ns", nil)
	must(t, s.PutKV(ctx, "ns", "k", "other"))
	closeStore(t, s)
	if len(f.saved) != 1 {
		t.Fatalf("saved %v", f.saved)
	}

	s = openStore(t, path)
	wantKV(t, s, "ns", map[string]string{"k": "v"})
	wantKV(t, s, "emptied", map[string]string{})
	closeStore(t, s)
}
