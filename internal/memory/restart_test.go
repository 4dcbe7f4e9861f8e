package memory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/memory"
)

// later is when stores are opened again in these tests.
var later = epoch.Add(time.Hour)

// state is all that a restart must not lose.
type state struct {
	Groups   []core.Group
	Rows     map[string][]core.Row
	Sets     map[string][]core.TopicFlag
	Sessions core.Sessions
	KV       map[string]map[string]string
}

var (
	someBrokers    = []string{"broker-a", "broker-b", "b"}
	someNamespaces = []string{"n1", "ns", core.OrderNamespace}
)

// dump reads everything but versions, and what a restart is to change as it
// will be after one.
func dump(t rapid.TB, s *memory.Store) state {
	ctx := context.Background()
	d := state{Rows: map[string][]core.Row{}, Sets: map[string][]core.TopicFlag{}, KV: map[string]map[string]string{}}
	brokers := map[string]bool{}
	for _, broker := range someBrokers {
		brokers[broker] = true
	}
	groups, err := s.Groups(ctx, nil)
	fail(t, err)
	for _, g := range groups {
		g = g.Clone()
		g.Version = 0
		g.Writer.Until = time.Time{}
		for i := range g.Replicas {
			if g.Writer.ID != "" {
				g.Replicas[i].Digest = 0
			}
			for j := range g.Replicas[i].Leases {
				if g.Replicas[i].Leases[j].Session == "" {
					g.Replicas[i].Leases[j].Said = later
				}
			}
		}
		d.Groups = append(d.Groups, g)
		brokers[g.Name] = true
	}
	for broker := range brokers {
		set, err := s.TopicSet(ctx, broker)
		fail(t, err)
		if len(set) > 0 {
			d.Sets[broker] = set
		}
		for _, topic := range set {
			d.Rows[topic.Name], err = s.Rows(ctx, topic.Name)
			fail(t, err)
		}
	}
	for _, namespace := range someNamespaces {
		if keys, err := s.KV(ctx, namespace); !errors.Is(err, core.ErrNotFound) {
			fail(t, err)
			d.KV[namespace] = maps.Clone(keys)
		}
	}
	h, err := s.Head(ctx, 0, false)
	fail(t, err)
	for _, session := range h.Sessions {
		session.Last = later
		d.Sessions = append(d.Sessions, session)
	}
	return d
}

func fail(t rapid.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

func equal(t rapid.TB, what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		t.Helper()
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// TestRestart compares the state after random changes with what is there after
// closing and opening the file, and with what another process would find that
// starts after a crash.
func TestRestart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "restart")
		fail(t, err)
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "store")
		s, err := memory.Open(path, later)
		fail(t, err)
		ctx := context.Background()
		defer func() { fail(t, s.Close(ctx)) }()
		var raised core.Revision
		for range rapid.IntRange(1, 4).Draw(t, "restarts") {
			for range rapid.IntRange(0, 12).Draw(t, "changes") {
				change(t, s)
			}
			r, err := s.Raise(ctx, []core.Change{{Broker: "b", Replicas: true}})
			fail(t, err)
			if r <= raised {
				t.Fatalf("raised to %d after %d", r, raised)
			}
			raised = r
			want := dump(t, s)

			crashed := filepath.Join(dir, "crashed")
			content, err := os.ReadFile(path)
			fail(t, err)
			fail(t, os.WriteFile(crashed, content, 0o600))
			other, err := memory.Open(crashed, later)
			fail(t, err)
			equal(t, "state after a crash", dump(t, other), want)
			fail(t, other.Close(ctx))

			fail(t, s.Close(ctx))
			s, err = memory.Open(path, later)
			fail(t, err)
			equal(t, "state after a restart", dump(t, s), want)
		}
	})
}

// change makes one random change.
func change(t *rapid.T, s *memory.Store) {
	ctx := context.Background()
	broker := rapid.SampledFrom(someBrokers).Draw(t, "broker")
	said := epoch.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "said")) * time.Second)
	namespace, key := rapid.SampledFrom(someNamespaces).Draw(t, "namespace"), rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key")
	session := rapid.SampledFrom([]string{"s1", "s2", "s3"}).Draw(t, "session")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1:
		g, err := s.Group(ctx, broker)
		fail(t, err)
		g = group(broker, rapid.IntRange(0, 3).Draw(t, "replicas"))
		for i := range g.Replicas {
			g.Replicas[i].Leases = append(g.Replicas[i].Leases, core.Lease{Session: session, Said: said})
			g.Replicas[i].FilterServers = []string{"10.0.0.1:30000"}
		}
		g.Writer.ID = rapid.SampledFrom([]string{"", "w"}).Draw(t, "writer")
		g.Said, g.Outbox = said, []core.Event{{Kind: core.BrokerRegistered, At: said, Topics: []string{"t"}}}
		old, err := s.Group(ctx, broker)
		fail(t, err)
		g.Version = old.Version
		_, err = s.PutGroup(ctx, g)
		fail(t, err)
	case 2:
		g, err := s.Group(ctx, broker)
		fail(t, err)
		fail(t, s.RemoveGroup(ctx, broker, g.Version))
	case 3, 4, 5:
		w := core.TopicWrite{Broker: broker, Replace: rapid.Bool().Draw(t, "replace")}
		first, n := rapid.IntRange(0, 300).Draw(t, "first"), rapid.SampledFrom([]int{0, 1, 5, 40, 200, 700}).Draw(t, "topics")
		for i := range n {
			topic := core.Topic{Name: fmt.Sprint("topic-", first+i), Queues: core.Queues{Read: int32(rapid.IntRange(1, 3).Draw(t, "queues"))}}
			if i%50 == 1 {
				topic.Mapping = &core.Mapping{Topic: topic.Name, Broker: "x", Current: map[int32]int32{1: 2}}
			}
			w.Put = append(w.Put, topic)
		}
		for i := range rapid.SampledFrom([]int{0, 1, 300}).Draw(t, "removed") {
			w.Remove = append(w.Remove, fmt.Sprint("topic-", i*3))
		}
		_, err := s.WriteTopics(ctx, w)
		fail(t, err)
	case 6:
		if err := s.OpenSession(ctx, core.Session{ID: session, Owner: "o", Last: said}); !errors.Is(err, core.ErrSessionClosed) {
			fail(t, err)
		}
	case 7:
		h, err := s.Head(ctx, 0, false)
		fail(t, err)
		if open, ok := h.Sessions.Find(session); ok {
			fail(t, s.CloseSession(ctx, session, open.Last))
		}
	case 8:
		fail(t, s.PutKV(ctx, namespace, key, fmt.Sprint(said.Unix())))
	case 9:
		fail(t, s.DeleteKV(ctx, namespace, key))
	}
}

func reopen(t testing.TB, s *memory.Store, path string, now time.Time) *memory.Store {
	t.Helper()
	closeStore(t, s)
	s, err := memory.Open(path, now)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close(context.Background())) })
	return s
}

func TestRestoredLeasesGetTheirFullTime(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	g := group("b", 1)
	g.Replicas[0].Leases = append(g.Replicas[0].Leases, core.Lease{Session: "s", Said: epoch})
	_, err := s.PutGroup(ctx, g)
	must(t, err)
	must(t, s.OpenSession(ctx, core.Session{ID: "s", Owner: "o", Last: epoch}))
	s = reopen(t, s, path, later)

	got, err := s.Group(ctx, "b")
	must(t, err)
	r := got.Replicas[0]
	if !r.Said.Equal(epoch) || !r.Leases[0].Said.Equal(later) || !r.Leases[1].Said.Equal(epoch) {
		t.Errorf("said %s, leases %v", r.Said, r.Leases)
	}
	if r.Digest != g.Replicas[0].Digest {
		t.Errorf("digest %d became %d", g.Replicas[0].Digest, r.Digest)
	}
	sessions := headOf(t, s, 0).Sessions
	if session, ok := sessions.Find("s"); !ok || !session.Last.Equal(later) {
		t.Errorf("sessions %v", sessions)
	}
	for _, at := range []struct {
		after time.Duration
		alive bool
	}{{core.DefaultTimeout, true}, {core.DefaultTimeout + time.Millisecond, false}} {
		if r.Alive(sessions, later.Add(at.after)) != at.alive {
			t.Errorf("%s after the start: alive %v", at.after, !at.alive)
		}
	}
}

func TestRestartEndsAWritersToken(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	g := group("b", 2)
	g.Writer = core.Writer{ID: "w", Until: later.Add(time.Hour)}
	_, err := s.PutGroup(ctx, g)
	must(t, err)
	s = reopen(t, s, path, later)
	got, err := s.Group(ctx, "b")
	must(t, err)
	if got.Writer.ID != "w" || !got.Writer.Until.IsZero() {
		t.Errorf("writer %+v, want the sign of one that has ended", got.Writer)
	}
	for _, r := range got.Replicas {
		if r.Digest != 0 {
			t.Errorf("replica %d need not be heard again", r.ID)
		}
	}
}

func TestStatementsOfAClockThatWasAhead(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	ahead := later.Add(time.Hour)
	s := openStore(t, path)
	g := group("b", 1)
	g.Said, g.Deleted, g.Overridden, g.Gone = ahead, ahead, ahead, ahead
	g.Replicas[0].Said, g.Replicas[0].Registered = ahead, ahead
	g.Replicas[0].Leases = []core.Lease{{Session: "s", Said: ahead}}
	_, err := s.PutGroup(ctx, g)
	must(t, err)
	s = reopen(t, s, path, later)
	got, err := s.Group(ctx, "b")
	must(t, err)
	r := got.Replicas[0]
	for _, said := range []time.Time{got.Said, got.Deleted, got.Overridden, got.Gone, r.Said, r.Registered, r.Leases[0].Said} {
		if !said.Equal(later) {
			t.Errorf("said at %s, opened at %s", said, later)
		}
	}
}

// TestRestartRaisesTheRevision: the leases that got more time may have run out
// before, and who was told so must read again (rule 4).
func TestRestartRaisesTheRevision(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	before := raise(t, s, core.Change{Broker: "a"}, core.Change{Broker: "b"})
	s = reopen(t, s, path, later)
	if now := raise(t, s); now <= before {
		t.Errorf("at %d after a restart at %d", now, before)
	}
	if h := headOf(t, s, before); h.Complete || len(h.Changes) > 0 {
		t.Errorf("what changed since %d: %+v", before, h)
	}
	last := raise(t, s, core.Change{Broker: "c"})
	if h := headOf(t, s, before); h.Complete {
		t.Errorf("what changed since %d: %+v", before, h)
	}
	if h := headOf(t, s, last-1); !h.Complete || len(h.Changes) != 1 || h.Changes[0].Broker != "c" {
		t.Errorf("what changed since %d: %+v", last-1, h)
	}
}

func TestNoVersionComesTwiceAfterARestart(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	var versions []uint64
	for i := range 4 {
		g, err := s.Group(ctx, "b")
		must(t, err)
		g, err = s.PutGroup(ctx, g)
		must(t, err)
		versions = append(versions, g.Version)
		s = reopen(t, s, path, later.Add(time.Duration(i)*time.Second))
	}
	g, err := s.Group(ctx, "b")
	must(t, err)
	if slices.Contains(versions, g.Version) || !slices.IsSorted(versions) {
		t.Errorf("version %d after %v", g.Version, versions)
	}
}

func TestClosedSessionsStayClosed(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	session := core.Session{ID: "s", Owner: "o", Last: epoch}
	must(t, s.OpenSession(ctx, session))
	must(t, s.CloseSession(ctx, "s", epoch))
	s = reopen(t, s, path, later)
	if err := s.OpenSession(ctx, session); !errors.Is(err, core.ErrSessionClosed) {
		t.Errorf("opened again: %v", err)
	}
	if err := s.BeatSession(ctx, "s", "o", epoch); !errors.Is(err, core.ErrSessionClosed) {
		t.Errorf("beaten: %v", err)
	}
}

// TestClosedSessionsAreBounded: their ids are random, so that those long closed
// may be forgotten, here and in the file.
func TestClosedSessionsAreBounded(t *testing.T) {
	const kept = 4096
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "store")
	s := openStore(t, path)
	session := func(n int) core.Session { return core.Session{ID: fmt.Sprintf("s%06d", n), Last: epoch} }
	for n := range kept + 1 {
		must(t, s.OpenSession(ctx, session(n)))
		must(t, s.CloseSession(ctx, session(n).ID, epoch))
	}
	for range 2 {
		if err := s.OpenSession(ctx, session(1)); !errors.Is(err, core.ErrSessionClosed) {
			t.Errorf("opened again: %v", err)
		}
		s = reopen(t, s, path, later)
	}
	if err := s.OpenSession(ctx, session(0)); err != nil {
		t.Errorf("the oldest one is remembered: %v", err)
	}
}
