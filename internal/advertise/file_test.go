package advertise

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAChangedFileIsTakenIntoUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "map")
	write(t, path, "[10.0.0.0/8]\na = b")
	var log bytes.Buffer
	f, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := func(text string, stats Stats, when string) {
		t.Helper()
		if got := f.For(netip.MustParseAddr("10.0.0.1")).Addr("a:1"); got != text || f.Stats() != stats {
			t.Errorf("%s: a:1 is shown as %s, %+v; want %s, %+v", when, got, f.Stats(), text, stats)
		}
	}
	want("b:1", Stats{}, "at first")
	f.file.Poll(f.changed)
	want("b:1", Stats{}, "unchanged")

	write(t, path, "[10.0.0.0/8]\na = c")
	f.file.Poll(f.changed)
	want("b:1", Stats{}, "while it may still be written")
	f.file.Poll(f.changed)
	want("c:1", Stats{Reloads: 1}, "changed")

	write(t, path, "[10.0.0.0/8]\na = \na")
	for range 5 {
		f.file.Poll(f.changed)
	}
	want("c:1", Stats{Reloads: 1, Failures: 1}, "broken")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		f.file.Poll(f.changed)
	}
	want("c:1", Stats{Reloads: 1, Failures: 2}, "gone")
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 || !strings.Contains(log.String(), "line 2: ") || !strings.Contains(log.String(), "line 3: ") ||
		!strings.Contains(log.String(), "no such file") {
		t.Errorf("%d lines of 2 failures:\n%s", n, &log)
	}
	write(t, path, "[10.0.0.0/8]\na = d")
	f.file.Poll(f.changed)
	f.file.Poll(f.changed)
	want("d:1", Stats{Reloads: 2, Failures: 2}, "back")
}

func TestRunEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "map")
	write(t, path, "[10.0.0.0/8]\na = b")
	f, err := Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.Run(ctx) }()
	write(t, path, "[10.0.0.0/8]\na = c")
	for deadline := time.Now().Add(30 * time.Second); f.Stats().Reloads == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the changed file is not in use")
		}
	}
	cancel()
	<-ended
}

func TestOpenSaysEverythingThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "absent"), slog.New(slog.DiscardHandler)); err == nil || !strings.HasSuffix(err.Error(), "absent: no such file or directory") {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(dir, "map")
	write(t, path, "a = b\n[x]")
	if _, err := Open(path, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.HasSuffix(err.Error(), "map: line 1: a is before the first [network]; line 2: x is no network, address/bits") {
		t.Errorf("a broken file: %v", err)
	}
	if _, err := Open(dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder: no error")
	}
}
