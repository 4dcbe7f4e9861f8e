package core_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// at is what is done at a moment after the epoch, in a life of two sessions.
type at struct {
	time.Duration
	do func(*world)
}

// live opens the sessions s1 and s2 and lets the one hold b1 and the other b2,
// does what is to be done, and goes on to the end.
func live(t *testing.T, guard time.Duration, end time.Duration, script ...at) *world {
	w := newGuarded(t, memory.New(), guard)
	w.open("s1")
	w.open("s2")
	w.register(a("b1", 0, "a", "T", "U").via("s1", 0), a("b2", 0, "b", "T", "U").via("s2", 0))
	w.sink.told()
	for _, s := range script {
		w.now = epoch.Add(s.Duration)
		s.do(w)
	}
	w.now = epoch.Add(end)
	return w
}

func beats(session string) func(*world) { return func(w *world) { w.beatSession(session) } }
func opens(session string) func(*world) { return func(w *world) { w.open(session) } }

// beating has the session beat every 10 s, the last time at that moment.
func beating(session string, last time.Duration) (script []at) {
	for d := 10 * time.Second; d < last; d += 10 * time.Second {
		script = append(script, at{d, beats(session)})
	}
	return append(script, at{last, beats(session)})
}

func TestMassExpiryGuardHoldsLeasesWhereAllSessionsRanOut(t *testing.T) {
	const (
		none = ""
		one  = "b1@c1{0=a}"
		two  = "b2@c1{0=b}"
		both = one + "; " + two
	)
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	closes := func(session string) func(*world) {
		return func(w *world) { w.must(w.store.CloseSession(w.ctx, session, epoch)) }
	}
	for name, c := range map[string]struct {
		script []at
		guard  time.Duration
		want   map[time.Duration]string
	}{
		"off": {nil, 0, map[time.Duration]string{
			sec(120): both, sec(120) + ms: none,
		}},
		"all ran out": {nil, sec(60), map[time.Duration]string{
			sec(30): both, sec(120): both, sec(120) + ms: both, sec(180): both, sec(180) + ms: none,
		}},
		"long over, as in a table that was restored": {nil, sec(60), map[time.Duration]string{
			time.Hour: none, 24 * time.Hour: none,
		}},
		"one is alive": {beating("s2", sec(100)), sec(60), map[time.Duration]string{
			sec(120): both, sec(120) + ms: two,
		}},
		"one is alive just after": {beating("s2", sec(90)+ms), sec(60), map[time.Duration]string{
			sec(120): both, sec(120) + ms: two, sec(210) + ms: two, sec(210) + 2*ms: two, sec(270) + ms: two, sec(270) + 2*ms: none,
		}},
		"one is alive to the very moment": {beating("s2", sec(90)), sec(60), map[time.Duration]string{
			sec(120): both, sec(120) + ms: both, sec(180): both, sec(180) + ms: two, sec(210) + ms: two, sec(270): two, sec(270) + ms: none,
		}},
		"one ran out four minutes ago": {beating("s2", sec(120)), sec(60), map[time.Duration]string{
			sec(120) + ms: two, sec(240) + ms: two, sec(300): two, sec(300) + ms: none,
		}},
		"one ran out before": {beating("s2", sec(120)+ms), sec(60), map[time.Duration]string{
			sec(240) + ms: two, sec(240) + 2*ms: none,
		}},
		"a timeout of four minutes": {[]at{{0, func(w *world) {
			w.register(a("b1", 0, "a", "T", "U").change(func(b *broker) { b.Timeout = sec(240) }).via("s1", 0))
		}}}, sec(60), map[time.Duration]string{
			sec(180) + ms: one, sec(240) + ms: one, sec(300): one, sec(300) + ms: none,
		}},
		"a longer timeout": {[]at{{0, func(w *world) {
			w.register(a("b1", 0, "a", "T", "U").change(func(b *broker) { b.Timeout = sec(240) + ms }).via("s1", 0))
		}}}, sec(60), map[time.Duration]string{
			sec(240) + ms: one, sec(240) + 2*ms: none,
		}},
		"only one is known": {[]at{{ms, closes("s1")}}, sec(60), map[time.Duration]string{
			ms: two, sec(120): two, sec(120) + ms: none,
		}},
		"one was opened in time": {[]at{{sec(120), opens("s3")}}, sec(60), map[time.Duration]string{
			sec(120): both, sec(120) + ms: none,
		}},
		"one is opened afterwards, and confirms what it has": {[]at{{sec(120) + ms, opens("s3")}, {sec(121), func(w *world) {
			if answer := w.beat(a("b1", 0, "a").via("s3", 0)); answer != core.BeatOK {
				w.t.Fatal(answer)
			}
		}}}, sec(60), map[time.Duration]string{
			sec(121): both, sec(180): both, sec(180) + ms: one,
		}},
		"two afterwards are not two that ran out": {[]at{
			{ms, closes("s1")}, {sec(120) + ms, opens("s3")}, {sec(120) + 2*ms, opens("s4")},
		}, sec(60), map[time.Duration]string{
			sec(160): none,
		}},
		"a timeout of its own": {[]at{{0, func(w *world) {
			w.register(a("b1", 0, "a", "T", "U").change(func(b *broker) { b.Timeout = sec(40) }).via("s1", 0))
		}}}, sec(10), map[time.Duration]string{
			sec(40): both, sec(40) + ms: both, sec(50): both, sec(50) + ms: two, sec(130): two, sec(130) + ms: none,
		}},
		"a direct lease is not held": {[]at{{0, func(w *world) {
			w.register(a("b3", 0, "c", "T", "U"))
		}}}, sec(60), map[time.Duration]string{
			sec(120): both + "; b3@c1{0=c}", sec(120) + ms: both, sec(180) + ms: none,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ends := make([]time.Duration, 0, len(c.want))
			for end := range c.want {
				ends = append(ends, end)
			}
			slices.Sort(ends)
			for _, end := range ends {
				w := live(t, c.guard, end, c.script...)
				w.equal("groups "+end.String(), w.groups(), c.want[end])
			}
			// The same in one life, with sweeps between.
			last := slices.Max(ends)
			w := live(t, c.guard, 0)
			for script := c.script; w.now.Sub(epoch) <= last; {
				d := w.now.Sub(epoch)
				for len(script) > 0 && script[0].Duration <= d {
					script[0].do(w)
					script = script[1:]
				}
				if want, ok := c.want[d]; ok {
					w.equal("groups "+d.String(), w.groups(), want)
					w.sweep()
					w.equal("swept groups "+d.String(), w.groups(), want)
				}
				next := last + ms
				for _, end := range ends {
					if end > d {
						next = min(next, end)
					}
				}
				if len(script) > 0 {
					next = min(next, script[0].Duration)
				}
				w.now = epoch.Add(next)
			}
		})
	}
}

func TestMassExpiryGuardLeavesRulesInForce(t *testing.T) {
	const guard = time.Minute

	t.Run("3: a session that ran out is refused", func(t *testing.T) {
		w := live(t, guard, 121*time.Second)
		_, err := w.BeatSession(w.ctx, w.now, "s1", "owner", 0)
		w.refused(err, core.ErrSessionClosed)
		_, err = w.Beat(w.ctx, w.now, a("b1", 0, "a").via("s1", 0).beat())
		w.refused(err, core.ErrSessionClosed)
	})

	t.Run("1: no judgement depends on a sweep having closed a session", func(t *testing.T) {
		for d, want := range map[time.Duration]int{121 * time.Second: 2, 4*time.Minute + guard: 2, 4*time.Minute + guard + ms: 0} {
			w := live(t, guard, d)
			w.sweep()
			sessions, err := w.store.Sessions(w.ctx)
			if w.must(err); len(sessions) != want {
				t.Errorf("after %v: %d sessions, want %d", d, len(sessions), want)
			}
		}
	})

	t.Run("4: what it did not hold does not come back", func(t *testing.T) {
		w := live(t, guard, 121*time.Second, beating("s2", 100*time.Second)...)
		w.equal("groups", w.groups(), "b2@c1{0=b}")
		for _, d := range []time.Duration{130*time.Second + ms, 179 * time.Second, 221 * time.Second} { // s2 runs out as well
			w.now = epoch.Add(d)
			w.sweep()
			w.equal("groups", w.groups(), "b2@c1{0=b}")
		}
	})

	t.Run("6: a cached route is asked for again when its leases' own time is over", func(t *testing.T) {
		w := live(t, guard, 0)
		until := func(want time.Duration) {
			t.Helper()
			r, err := w.Route(w.ctx, w.now, "T")
			w.must(err)
			if got := r.ValidUntil().Sub(epoch); got != want {
				t.Fatalf("at %v valid until %v, want %v", w.now.Sub(epoch), got, want)
			}
		}
		until(120 * time.Second)
		w.now = epoch.Add(119 * time.Second)
		until(120 * time.Second)
		w.now = epoch.Add(120*time.Second + ms)
		until(180 * time.Second)
		w.now = epoch.Add(180 * time.Second)
		until(180 * time.Second)
		w.step(ms)
		w.routes("T", "none")

		// What is cached before does not outlive the lease where somebody is heard.
		w = live(t, guard, 0)
		until(120 * time.Second)
		for _, s := range beating("s2", 110*time.Second) {
			w.now = epoch.Add(s.Duration)
			s.do(w)
			w.route("T")
		}
		w.now = epoch.Add(120*time.Second + ms)
		w.routes("T", "b2@c1{0=b} 8/8/6")
	})

	t.Run("told in every answer", func(t *testing.T) {
		guarded := func(w *world) bool {
			head, err := w.Head(w.ctx, 0, true)
			w.must(err)
			return head.Sessions.Guarded(w.now)
		}
		for name, c := range map[string]struct {
			script []at
			guard  time.Duration
			want   map[time.Duration]bool
		}{
			"off": {nil, 0, map[time.Duration]bool{31 * time.Second: false, 121 * time.Second: false}},
			"all ran out": {nil, guard, map[time.Duration]bool{
				0: false, 29_999 * ms: false, 30_001 * ms: true, 121 * time.Second: true, 180 * time.Second: true, 180_001 * ms: false, time.Hour: false,
			}},
			"one is alive": {beating("s2", 95*time.Second), guard, map[time.Duration]bool{
				31 * time.Second: false, 121 * time.Second: false, 124_999 * ms: false, 125_001 * ms: true,
			}},
			"opened afterwards": {append([]at{{121 * time.Second, opens("s3")}}, beating("s3", 170*time.Second)[12:]...), guard, map[time.Duration]bool{
				122 * time.Second: true, 140 * time.Second: true, 180 * time.Second: true, 180_001 * ms: false,
			}},
			"opened in time": {[]at{{60 * time.Second, opens("s3")}}, guard, map[time.Duration]bool{
				61 * time.Second: false, 89_999 * ms: false, 90_001 * ms: true,
			}},
		} {
			for end, want := range c.want {
				if got := guarded(live(t, c.guard, end, c.script...)); got != want {
					t.Errorf("%s, at %v: guarded %v, want %v", name, end, got, want)
				}
			}
		}
	})

	t.Run("decisions rest on it", func(t *testing.T) {
		w := live(t, guard, 150*time.Second)
		err := w.registerErr(a("b1", 0, "z", "T", "U").in("c2"))
		if !errors.Is(err, core.ErrNameConflict) {
			t.Fatal("the name of a broker that is held was given away:", err)
		}
		w = live(t, guard, 181*time.Second)
		w.register(a("b1", 0, "z", "T", "U").in("c2"))
	})
}
