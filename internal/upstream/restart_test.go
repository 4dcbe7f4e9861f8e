package upstream_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/remoting"
)

// names are the groups with the ids of their replicas, as text.
func (w *world) names(t *testing.T) string {
	t.Helper()
	groups, err := w.Groups(t.Context(), time.Now())
	if err != nil {
		return err.Error()
	}
	var text []string
	for _, g := range groups {
		text = append(text, show(g))
	}
	return strings.Join(text, "; ")
}

func (w *world) group(t *testing.T, name string) string {
	t.Helper()
	g, err := w.Group(t.Context(), time.Now(), name)
	if err != nil {
		return err.Error()
	}
	return show(g)
}

func show(g core.Group) string {
	text := g.Cluster + "/" + g.Name
	for _, r := range g.Replicas {
		text += fmt.Sprintf(" %d=%s", r.ID, r.Addr)
	}
	return text
}

// elsewhere registers a replica with the API itself, which is there for long.
func (w *world) elsewhere(t *testing.T, id int64, name, addr string, topics ...string) {
	t.Helper()
	r := registration("c", name, addr, topics...)
	r.ID, r.Front, r.Timeout = id, "http", 24*time.Hour
	if _, err := w.cloud.Register(t.Context(), time.Now(), r); err != nil {
		t.Fatal(err)
	}
}

// cutAndRestart has the process killed in an outage, and started an hour later: when it
// has seen that the API does not answer.
func (w *world) cutAndRestart(t *testing.T) {
	t.Helper()
	time.Sleep(10 * time.Second) // all is heard of, and written
	w.set(func() { w.down = true })
	w.stop()
	time.Sleep(time.Hour)
	w.start(t)
	time.Sleep(15 * time.Second)
}

// quick checks that something neither waits nor calls the API.
func (w *world) quick(t *testing.T, f func()) {
	t.Helper()
	total := func() (n int) {
		w.set(func() {
			for path, count := range w.calls {
				if strings.HasPrefix(path, "/v1/read/") {
					n += count
				}
			}
		})
		return n
	}
	began, before := time.Now(), total()
	f()
	if took, calls := time.Since(began), total()-before; took > 0 || calls > 0 {
		t.Errorf("it took %v and %d calls", took, calls)
	}
}

// TestListsAfterARestartInAnOutage: what was answered last is in the file, and
// what brokers say since is seen in it.
func TestListsAfterARestartInAnOutage(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		w.elsewhere(t, 1, "b1", "10.0.1.1:1", "t1", "t2")
		w.elsewhere(t, 0, "b7", "10.0.0.7:1", "t7", "t8")
		if _, err := w.cloud.PutKV(t.Context(), "n", "k", "v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		const before = "c/b1 0=10.0.0.1:1 1=10.0.1.1:1; c/b7 0=10.0.0.7:1"
		if got := w.names(t); got != before {
			t.Fatalf("groups: %s", got)
		}
		w.wantTopics(t, "t1", "t2", "t7", "t8")
		if names, _, err := w.Topics(t.Context(), time.Now(), core.AllTopics, "c"); err != nil || len(names) != 4 {
			t.Fatal(names, err)
		}
		if table, err := w.KV(t.Context(), "n"); err != nil || table["k"] != "v" {
			t.Fatal(table, err)
		}
		w.cutAndRestart(t)
		w.quick(t, func() {
			if got := w.names(t); got != before {
				t.Errorf("groups: %s", got)
			}
			w.wantTopics(t, "t1", "t2", "t7", "t8")
			if names, _, err := w.Topics(t.Context(), time.Now(), core.AllTopics, "c"); err != nil || len(names) != 4 {
				t.Errorf("topics of c: %v, %v", names, err)
			}
			if got := w.group(t, "b7"); got != "c/b7 0=10.0.0.7:1" {
				t.Errorf("one group: %s", got)
			}
			if table, err := w.KV(t.Context(), "n"); err != nil || table["k"] != "v" {
				t.Errorf("KV: %v, %v", table, err)
			}
			// What nobody has asked for is not denied.
			wantTold(t, remoting.SystemError, func() error { _, err := w.Group(t.Context(), time.Now(), "b3"); return err })
			wantTold(t, remoting.SystemError, func() error { _, err := w.KV(t.Context(), "m"); return err })
			wantTold(t, remoting.SystemError, func() error {
				_, _, err := w.Topics(t.Context(), time.Now(), core.UnitTopics, "")
				return err
			})
		})
		if age := w.OldestAnswer(time.Now()); age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("the oldest answer is %v old", age)
		}
		// The master is back at another address, and somebody new is there.
		w.register(t, "b1", "10.0.0.9:1", "t1", "t2")
		w.register(t, "b2", "10.0.0.2:1", "t2", "t3")
		w.quick(t, func() {
			if got := w.names(t); got != "c/b1 0=10.0.0.9:1 1=10.0.1.1:1; c/b2 0=10.0.0.2:1; c/b7 0=10.0.0.7:1" {
				t.Errorf("groups with who is back: %s", got)
			}
			if got := w.group(t, "b1"); got != "c/b1 0=10.0.0.9:1 1=10.0.1.1:1" {
				t.Errorf("its group: %s", got)
			}
			w.wantTopics(t, "t1", "t2", "t3", "t7", "t8")
		})
		w.set(func() { w.down = false })
		time.Sleep(time.Minute)
		w.wantTopics(t, "t1", "t2", "t3", "t7", "t8")
		if age := w.OldestAnswer(time.Now()); age > 10*time.Second {
			t.Errorf("afterwards the oldest answer is %v old", age)
		}
	})
}

// TestListsNobodyAskedFor: they are what the kept routes show, and the brokers
// that are connected.
func TestListsNobodyAskedFor(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.elsewhere(t, 0, "b1", "10.0.0.1:1", "t1", "t2")
		w.elsewhere(t, 1, "b1", "10.0.1.1:1", "t1", "t2")
		w.elsewhere(t, 0, "b7", "10.0.0.7:1", "t2", "t8")
		time.Sleep(10 * time.Second)
		for _, topic := range []string{"t1", "t2"} {
			if _, err := w.Route(t.Context(), time.Now(), topic); err != nil {
				t.Fatal(err)
			}
		}
		w.cutAndRestart(t)
		w.register(t, "b2", "10.0.0.2:1", "t2", "t3")
		w.quick(t, func() {
			if got := w.names(t); got != "c/b1 0=10.0.0.1:1 1=10.0.1.1:1; c/b2 0=10.0.0.2:1; c/b7 0=10.0.0.7:1" {
				t.Errorf("groups: %s", got)
			}
			if got := w.group(t, "b7"); got != "c/b7 0=10.0.0.7:1" {
				t.Errorf("a group of a route: %s", got)
			}
			w.wantTopics(t, "t1", "t2", "t3")
			for cluster, want := range map[string]int{"c": 3, "d": 0} {
				names, _, err := w.Topics(t.Context(), time.Now(), core.AllTopics, cluster)
				if len(names) != want || (err == nil) != (want > 0) {
					t.Errorf("topics of %s: %v, %v", cluster, names, err)
				}
			}
		})
		if age := w.OldestAnswer(time.Now()); age < time.Hour || age > time.Hour+time.Minute {
			t.Errorf("the oldest answer is %v old", age)
		}
	})
}

// TestListsOfNothing: nothing is known, and then a broker connects.
func TestListsOfNothing(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		w.set(func() { w.down = true })
		w.stop()
		if err := os.Remove(w.file); err != nil {
			t.Fatal(err)
		}
		w.start(t)
		for _, asked := range []func() error{
			func() error { _, err := w.Groups(t.Context(), time.Now()); return err },
			func() error { _, err := w.Group(t.Context(), time.Now(), "b1"); return err },
			func() error { _, _, err := w.Topics(t.Context(), time.Now(), core.AllTopics, ""); return err },
		} {
			began := time.Now()
			wantTold(t, remoting.SystemError, asked)
			if took := time.Since(began); took > 2600*time.Millisecond { // clients wait 3 s
				t.Errorf("it took %v", took)
			}
		}
		time.Sleep(15 * time.Second)
		w.register(t, "b1", "10.0.0.1:1", "t1", "t2")
		w.quick(t, func() {
			if got, one := w.names(t), w.group(t, "b1"); got != "c/b1 0=10.0.0.1:1" || one != got {
				t.Errorf("groups: %s; %s", got, one)
			}
			w.wantTopics(t, "t1", "t2")
		})
	})
}

// TestAListOfAnotherHistory: after the table was lost, revisions begin anew, and
// what is answered then is kept instead of what was there before.
func TestAListOfAnotherHistory(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		for i := range 20 {
			w.elsewhere(t, 0, fmt.Sprintf("b%02d", i), fmt.Sprintf("10.0.0.%d:1", i), "t1", "t2")
		}
		time.Sleep(10 * time.Second)
		if got := strings.Count(w.names(t), ";"); got != 19 {
			t.Fatalf("%d groups", got+1)
		}
		w.empty()
		time.Sleep(10 * time.Second)
		w.elsewhere(t, 0, "new", "10.0.0.99:1", "t1", "t2")
		time.Sleep(10 * time.Second)
		if got := w.names(t); got != "c/new 0=10.0.0.99:1" {
			t.Errorf("groups: %s", got)
		}
		calls := w.count("/v1/read/clusters")
		w.names(t)
		if n := w.count("/v1/read/clusters"); n != calls {
			t.Error("it is asked for each time")
		}
		w.set(func() { w.down = true })
		time.Sleep(time.Minute)
		if got := w.names(t); got != "c/new 0=10.0.0.99:1" {
			t.Errorf("groups in an outage: %s", got)
		}
	})
}
