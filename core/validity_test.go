package core_test

import (
	"errors"
	"testing"
	"time"

	"signpost/core"
)

func clusterOf(err error) string {
	var c *core.ClusterError
	if errors.As(err, &c) {
		return c.Cluster
	}
	return ""
}

// A list of topics tells when the first lease could run out on which it rests.
func TestListsTellHowLongTheyHold(t *testing.T) {
	w := newWorld(t)
	until := func(cluster string, want time.Time) {
		t.Helper()
		_, got, err := w.Topics(w.ctx, w.now, core.AllTopics, cluster)
		if w.must(err); !got.Equal(want) {
			t.Fatalf("holds until %v, want %v", got, want)
		}
	}
	until("", time.Time{})
	w.register(a("b1", 0, "a", "T", "U"))
	w.register(a("b2", 0, "b", "T", "V").in("c2").change(func(b *broker) { b.Timeout = 20 * time.Second }))
	until("", epoch.Add(20*time.Second))
	until("c1", epoch.Add(120*time.Second))
	until("c2", epoch.Add(20*time.Second))
	until("c3", time.Time{})
	w.step(20_001 * ms) // b2 has lapsed, and nobody has stored it
	until("", w.now.Add(time.Second))
	until("c1", epoch.Add(120*time.Second))
	until("c2", w.now.Add(time.Second))
	w.sweep()
	until("", epoch.Add(120*time.Second))
	until("c2", time.Time{})
}

// That a topic has no route holds for as long as any answer, but for a second
// while a replica has lapsed that somebody could still renew.
func TestAbsentTopicsTellHowLongTheyHold(t *testing.T) {
	w := newWorld(t)
	absent := func(want time.Duration) {
		t.Helper()
		for range 2 {
			_, err := w.Route(w.ctx, w.now, "T")
			var none *core.NoTopicError
			if !errors.Is(err, core.ErrNoTopic) || !errors.As(err, &none) || !none.ValidUntil.Equal(w.now.Add(want)) {
				t.Fatalf("%v, %+v", err, none)
			}
		}
	}
	absent(30 * time.Second)
	w.register(a("b1", 0, "a", "T", "U"))
	w.step(120_001 * ms)
	absent(time.Second)
	w.sweep()
	absent(30 * time.Second)
}

// An order configuration whose writer crashed before it told is seen, at the
// latest when the route's time is up, however long its leases last.
func TestOrderThatNobodyToldOf(t *testing.T) {
	w := newWorld(t)
	w.SetRules(core.Rules{OrderMessages: true})
	w.register(a("b1", 0, "a", "T", "U").change(func(b *broker) { b.Timeout = time.Hour }))
	w.equal("route", w.route("T"), aRoute)
	w.must(w.store.PutKV(w.ctx, core.OrderNamespace, "T", "o"))
	w.step(core.DefaultTimeout)
	w.equal("route", w.route("T"), aRoute)
	w.step(ms)
	w.equal("route", w.route("T"), aRoute+"; order o")
}
