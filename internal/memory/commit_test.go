package memory_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

var errDisk = errors.New("disk full")

// faulty lets commits fail, and wait, on demand.
type faulty struct {
	broken atomic.Bool
	gate   chan struct{} // if set, each commit takes one from it
	tried  chan struct{} // if set, told before each commit
}

func (f *faulty) intercept(s *memory.Store) *memory.Store {
	s.InterceptCommits(func(write func() error) error {
		if f.tried != nil {
			f.tried <- struct{}{}
		}
		if f.gate != nil {
			<-f.gate
		}
		if f.broken.Load() {
			return errDisk
		}
		return write()
	})
	return s
}

// copyOf opens what another process would find after a crash now.
func copyOf(t *testing.T, path string) *memory.Store {
	t.Helper()
	crashed := filepath.Join(t.TempDir(), "crashed")
	copyFile(t, path, crashed)
	s := openStore(t, crashed)
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func TestFailedCommitIsTriedAgainWhole(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	f := &faulty{}
	s := f.intercept(openStore(t, path))
	defer closeStore(t, s)
	base := raise(t, s, core.Change{Broker: "before", Replicas: true})

	f.broken.Store(true)
	g, err := s.PutGroup(ctx, group("a", 1))
	must(t, err)
	_, err = s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Put: manyTopics(3)})
	must(t, err)
	if _, err := s.Raise(ctx, []core.Change{{Broker: "a", Replicas: true}}); !errors.Is(err, errDisk) {
		t.Fatalf("raise: %v", err)
	}
	if h := headOf(t, s, base); h.Revision != base || !h.Complete {
		t.Fatalf("a change that is not in the file is seen: %+v", h)
	}
	h := s.Health()
	if !errors.Is(h.Err, errDisk) || h.Failures == 0 || h.PendingSince.IsZero() {
		t.Fatalf("health %+v", h)
	}
	// Changed again, and removed, while the first state is still to be written.
	g.Cluster = "newer"
	_, err = s.PutGroup(ctx, g)
	must(t, err)
	_, err = s.WriteTopics(ctx, core.TopicWrite{Broker: "a", Remove: []string{manyTopics(3)[0].Name}})
	must(t, err)

	f.broken.Store(false)
	last := raise(t, s, core.Change{Broker: "b", Replicas: true})
	h = s.Health()
	if h.Err != nil || !h.PendingSince.IsZero() || h.LastCommit.IsZero() || h.Commits == 0 || h.Size == 0 || h.Path != path {
		t.Fatalf("health %+v", h)
	}
	head := headOf(t, s, base)
	if head.Revision != last || !head.Complete || len(head.Changes) != 2 || head.Changes[0].Broker != "a" || head.Changes[1].Broker != "b" {
		t.Fatalf("head %+v", head)
	}
	crashed := copyOf(t, path)
	if g, err := crashed.Group(ctx, "a"); err != nil || g.Cluster != "newer" {
		t.Fatalf("group after a crash: %+v, %v", g, err)
	}
	if set, err := crashed.TopicSet(ctx, "a"); err != nil || len(set) != 2 {
		t.Fatalf("topics after a crash: %v, %v", set, err)
	}
}

func TestFailedPutKVChangesNothing(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	f := &faulty{}
	s := f.intercept(openStore(t, path))
	defer closeStore(t, s)
	must(t, s.PutKV(ctx, "ns", "k", "v"))
	f.broken.Store(true)
	if err := s.PutKV(ctx, "ns", "k", "w"); !errors.Is(err, errDisk) {
		t.Fatalf("put: %v", err)
	}
	if err := s.DeleteKV(ctx, "ns", "k"); !errors.Is(err, errDisk) {
		t.Fatalf("delete: %v", err)
	}
	wantKV(t, s, "ns", map[string]string{"k": "v"})
	f.broken.Store(false)
	raise(t, s, core.Change{Broker: "b"}) // commits what is left
	wantKV(t, s, "ns", map[string]string{"k": "v"})
	wantKV(t, copyOf(t, path), "ns", map[string]string{"k": "v"})
}

// TestRaiseWaitsForItsCommit: nothing is seen or confirmed before it is in the
// file, and those who wait meanwhile share the next commit.
func TestRaiseWaitsForItsCommit(t *testing.T) {
	ctx := context.Background()
	f := &faulty{gate: make(chan struct{}), tried: make(chan struct{})}
	s := f.intercept(openStore(t, filepath.Join(t.TempDir(), "store")))
	var wg sync.WaitGroup
	raiseOne := func() {
		wg.Go(func() {
			if _, err := s.Raise(ctx, []core.Change{{Broker: "b"}}); err != nil {
				t.Error(err)
			}
		})
	}
	raiseOne()
	<-f.tried
	const more = 50
	for range more {
		raiseOne()
	}
	if h := headOf(t, s, 0); h.Revision != 0 {
		t.Errorf("at %d before anything is in the file", h.Revision)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Raise(short, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("raise with no time left: %v", err)
	}
	f.gate <- struct{}{}
	commits := 1
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for waiting := true; waiting; {
		select {
		case <-f.tried:
			commits++
			f.gate <- struct{}{}
		case <-done:
			waiting = false
		}
	}
	if commits > more/2 {
		t.Errorf("%d commits for %d changes at once", commits, more+1)
	}
	if h := headOf(t, s, 0); h.Revision != more+1 || !h.Complete {
		t.Errorf("at %d, complete %v, after %d changes", h.Revision, h.Complete, more+1)
	}
	close(f.gate)
	go func() {
		for range f.tried { // whatever closing commits
		}
	}()
	closeStore(t, s)
	close(f.tried)
}

func TestChangesAreCommittedUnasked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s := openStore(t, path)
		defer closeStore(t, s)
		_, err := s.PutGroup(ctx, group("a", 1))
		must(t, err)
		if h := s.Health(); h.PendingSince.IsZero() {
			t.Fatalf("nothing pending: %+v", h)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		h := s.Health()
		if !h.PendingSince.IsZero() || h.Commits != 1 {
			t.Fatalf("health %+v", h)
		}
		if g, err := copyOf(t, path).Group(ctx, "a"); err != nil || g.Cluster == "" {
			t.Fatalf("group after a crash: %+v, %v", g, err)
		}
		// With nothing to do, nothing is done.
		time.Sleep(time.Hour)
		synctest.Wait()
		if again := s.Health(); again.Commits != 1 {
			t.Fatalf("health %+v", again)
		}
	})
}

func TestFailedCommitIsTriedAgainUnasked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := &faulty{}
		s := f.intercept(openStore(t, path))
		defer closeStore(t, s)
		f.broken.Store(true)
		since := time.Now()
		_, err := s.Raise(ctx, []core.Change{{Broker: "a"}})
		if !errors.Is(err, errDisk) {
			t.Fatalf("raise: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		h := s.Health()
		if h.Failures < 10 || h.Failures > 100 || !h.PendingSince.Equal(since) {
			t.Fatalf("health after a minute, pending since %s: %+v", since, h)
		}
		f.broken.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if h := s.Health(); h.Err != nil || !h.PendingSince.IsZero() {
			t.Fatalf("health %+v", h)
		}
		if h := headOf(t, s, 0); h.Revision != 1 || len(h.Changes) != 1 {
			t.Fatalf("head %+v", h)
		}
	})
}

func TestHeartbeatsAreNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s := openStore(t, path)
		defer closeStore(t, s)
		g, err := s.PutGroup(ctx, group("a", 1))
		must(t, err)
		must(t, s.OpenSession(ctx, core.Session{ID: "s", Owner: "o", Last: epoch}))
		raise(t, s, core.Change{Broker: "a", Replicas: true})
		before := s.Health()
		now := epoch.Add(time.Second)
		_, err = s.Renew(ctx, now, core.Renewal{Cluster: g.Cluster, Broker: "a", Addr: g.Replicas[0].Addr, Said: now})
		must(t, err)
		must(t, s.BeatSession(ctx, "s", "o", now))
		time.Sleep(time.Minute)
		synctest.Wait()
		if after := s.Health(); after.Commits != before.Commits || !after.PendingSince.IsZero() {
			t.Fatalf("health %+v, before %+v", after, before)
		}
	})
}

func TestCloseCommitsWhatIsLeft(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	_, err := s.PutGroup(ctx, group("a", 1))
	must(t, err)
	closeStore(t, s)
	closeStore(t, s)
	if _, err := s.Raise(ctx, nil); !errors.Is(err, memory.ErrClosed) {
		t.Errorf("raise after closing: %v", err)
	}
	if err := s.PutKV(ctx, "ns", "k", "v"); !errors.Is(err, memory.ErrClosed) {
		t.Errorf("put after closing: %v", err)
	}
	s = openStore(t, path)
	defer closeStore(t, s)
	if g, err := s.Group(ctx, "a"); err != nil || g.Cluster == "" {
		t.Errorf("group %+v, %v", g, err)
	}
}

func TestCloseTellsThatItCouldNotCommit(t *testing.T) {
	ctx, f := context.Background(), &faulty{}
	s := f.intercept(openStore(t, filepath.Join(t.TempDir(), "store")))
	f.broken.Store(true)
	_, err := s.PutGroup(ctx, group("a", 1))
	must(t, err)
	if err := s.Close(ctx); !errors.Is(err, errDisk) {
		t.Errorf("closed: %v", err)
	}
}

// A file that goes bad under the store: every change says so, at once, and so
// does the end of the store. Deadlines are for a test that fails only.
func TestAFileThatGoesBad(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not let a mapped file be cut short, or say it otherwise")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	raise(t, s, core.Change{Broker: "before", Replicas: true})
	must(t, os.Truncate(path, 0))
	for range 3 {
		if _, err := s.Raise(ctx, []core.Change{{Broker: "a", Replicas: true}}); !errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("a change: %v", err)
		}
	}
	if err := s.Close(ctx); !errors.Is(err, memory.ErrCorrupt) {
		t.Errorf("closed: %v", err)
	}
}

func TestCloseKeepsItsDeadline(t *testing.T) {
	f := &faulty{gate: make(chan struct{})}
	s := f.intercept(openStore(t, filepath.Join(t.TempDir(), "store")))
	_, err := s.PutGroup(context.Background(), group("a", 1))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closed in no time: %v", err)
	}
	close(f.gate)
	closeStore(t, s)
}
