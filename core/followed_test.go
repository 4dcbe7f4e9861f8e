package core_test

import (
	"slices"
	"testing"
	"time"

	"signpost/core"
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
