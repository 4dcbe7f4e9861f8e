package core_test

import (
	"slices"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// Who hears of the sessions by himself keeps a route as long as they beat: what
// they hold does not end it, all else does.
func TestRouteForWhoFollowsTheSessions(t *testing.T) {
	w := newWorld(t)
	open := func(id string) {
		t.Helper()
		w.must(w.OpenSession(w.ctx, w.now, core.Session{ID: id, Gateway: id, Owner: "owner"}))
	}
	beat := func(id string) {
		t.Helper()
		_, err := w.BeatSession(w.ctx, w.now, id, "owner", 0)
		w.must(err)
	}
	holds := func(want time.Time) {
		t.Helper()
		route, err := w.beside().Route(w.ctx, w.now, "T")
		w.must(err)
		sessions, err := w.store.Sessions(w.ctx)
		w.must(err)
		if got := route.FollowedUntil(sessions, w.now); !got.Equal(want) {
			t.Errorf("at %v it holds until %v, want %v", w.now.Sub(epoch), got, want)
		}
		g, err := w.Group(w.ctx, w.now, "b1")
		w.must(err)
		if got := g.FollowedUntil(sessions, w.now); !got.Equal(want) {
			t.Errorf("at %v the group holds until %v, want %v", w.now.Sub(epoch), got, want)
		}
	}
	open("s1")
	open("s2")
	w.register(a("b1", 0, "a", "T", "U").via("s1", 0))
	holds(time.Time{})
	w.register(a("b1", 1, "b", "T", "U")) // for itself
	holds(epoch.Add(120 * time.Second))
	w.register(a("b1", 1, "b", "T", "U").via("s2", 0))
	holds(time.Time{})

	kept, err := w.Route(w.ctx, w.now, "T")
	w.must(err)

	w.step(core.FollowTime)
	holds(time.Time{})
	beat("s2")
	w.step(1)
	holds(epoch.Add(120 * time.Second)) // s1 may have stopped: its broker goes at its lease's end
	sessions, err := w.store.Sessions(w.ctx)
	w.must(err)
	if got := kept.FollowedUntil(sessions, w.now); !got.Equal(epoch.Add(120 * time.Second)) {
		t.Errorf("the route from before holds until %v", got)
	}
	beat("s1")
	holds(time.Time{})
}

// Before the end of a direct lease a route is read again: most are renewed, and
// a later end is told in good time. What is not renewed is not read over and over.
func TestRenewedLeasesAreToldEarly(t *testing.T) {
	store := &reads{Store: memory.New()}
	w := newWorldOver(t, store)
	holds := func(at time.Duration, want time.Duration) {
		t.Helper()
		w.now = epoch.Add(at)
		route, err := w.Route(w.ctx, w.now, "T")
		w.must(err)
		if got := route.FollowedUntil(core.Sessions{}, w.now).Sub(epoch); got != want {
			t.Fatalf("after %v it holds until %v, want %v", at, got, want)
		}
	}
	b := a("b1", 0, "a", "T", "U")
	w.register(b)
	holds(0, 120*time.Second)
	w.now = epoch.Add(90 * time.Second)
	w.beat(b)
	holds(110*time.Second, 120*time.Second) // as it was read
	holds(110*time.Second+1, 210*time.Second)
	store.groups = nil
	for at := 112 * time.Second; at < 210*time.Second; at += 10 * ms {
		holds(at, 210*time.Second)
	}
	if n := len(store.groups); n < 1 || n > 5 {
		t.Errorf("the group of a broker that stopped is read %d times before it has lapsed", n)
	}
}

// A route tells which brokers have the topic and are not shown.
func TestSilentBrokers(t *testing.T) {
	w := newWorld(t)
	silent := func(want ...string) {
		t.Helper()
		route, err := w.Route(w.ctx, w.now, "T")
		if w.must(err); !slices.Equal(route.Silent(), want) {
			t.Errorf("silent: %v, want %v", route.Silent(), want)
		}
	}
	for _, name := range []string{"b1", "b2", "b3"} {
		w.register(a(name, 0, name, "T", "U"))
	}
	silent()
	w.drop(a("b3", 0, "b3"))
	w.drop(a("b1", 0, "b1"))
	silent("b1", "b3")
	w.register(a("b1", 0, "b1", "T", "U"))
	silent("b3")
}
