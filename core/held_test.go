package core_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/core"
)

func TestMassExpiryHeldIsToldOnceAnEpisode(t *testing.T) {
	const guard = time.Minute
	told := func(w *world) string {
		var s string
		for _, e := range w.sink.all {
			if e.Kind == core.MassExpiryHeld {
				s += fmt.Sprint(e.At.Sub(epoch), " ", e.Count, "; ")
			}
		}
		return s
	}
	sweep := func(w *world, d time.Duration, held int) {
		t.Helper()
		w.now = epoch.Add(d)
		if swept := w.sweep(); swept.Held != held || len(swept.Evicted) > 0 && held > 0 {
			t.Fatalf("at %v: %d held, want %d; evicted %v", d, swept.Held, held, swept.Evicted)
		}
	}

	w := live(t, guard, 0)
	sweep(w, 120*time.Second, 0)
	w.equal("told before", told(w), "")
	sweep(w, 120*time.Second+ms, 2)
	sweep(w, 150*time.Second, 2)
	w.equal("told", told(w), "30s 2; ")
	other := w.beside() // a fresh instance does not know
	sweep(other, 180*time.Second, 2)
	if len(other.sink.all) != 1 || fmt.Sprint(other.sink.all[0]) != fmt.Sprint(w.sink.all[0]) {
		t.Fatalf("told again as another: %v, was %v", other.sink.all, w.sink.all)
	}
	sweep(w, 180*time.Second+ms, 0)
	w.equal("told", told(w), "30s 2; ")
	w.equal("groups", w.groups(), "")

	// The next time is another.
	w.open("s3")
	w.open("s4")
	w.register(a("b1", 0, "a", "T", "U").via("s3", 0), a("b2", 0, "b", "T", "U").via("s4", 0))
	w.step(10 * time.Second)
	w.beatSession("s3")
	sweep(w, 300*time.Second+2*ms, 1)
	sweep(w, 310*time.Second+2*ms, 2)
	w.equal("told", told(w), "30s 2; 3m40.001s 2; ")

	t.Run("until the sink accepts it", func(t *testing.T) {
		w := live(t, guard, 0)
		w.sink.accept = func(core.Event) bool { return false }
		sweep(w, 121*time.Second, 2)
		sweep(w, 123*time.Second, 2)
		w.equal("told", told(w), "")
		w.sink.accept = nil
		sweep(w, 125*time.Second, 2)
		sweep(w, 127*time.Second, 2)
		w.equal("told", told(w), "30s 2; ")
	})
	t.Run("not where nothing is held", func(t *testing.T) {
		w := live(t, guard, 0, beating("s2", 100*time.Second)...)
		sweep(w, 119*time.Second, 0)
		sweep(w, 121*time.Second, 0)
		w.register(a("b2", 0, "b", "T", "U")) // by itself, too
		sweep(w, 225*time.Second, 0)
		w.equal("told", told(w), "")
	})
	t.Run("stays to the end of it", func(t *testing.T) {
		w := live(t, guard, 100*time.Second)
		swept, passes, err := w.stays(190 * time.Second)
		w.must(err)
		w.equal("passes", fmt.Sprint(passes), "[1m40s 2m0.001s 3m0.001s]")
		if swept.Held != 2 || len(swept.Evicted) != 2 {
			t.Fatal(swept)
		}
		w.equal("told", told(w), "30s 2; ")
	})
}
