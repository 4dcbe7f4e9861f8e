package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// stays sweeps until that moment after the epoch, with a clock that moves only
// while it waits; what is in the script happens meanwhile.
func (w *world) stays(until time.Duration, script ...at) (swept core.Swept, passes []time.Duration, err error) {
	passes = append(passes, w.now.Sub(epoch))
	swept, err = w.SweepUntil(w.ctx, func() time.Time { return w.now }, epoch.Add(until), func(ctx context.Context, d time.Duration) error {
		end := w.now.Add(d)
		for len(script) > 0 && !epoch.Add(script[0].Duration).After(end) {
			w.now = epoch.Add(script[0].Duration)
			script[0].do(w)
			script = script[1:]
		}
		w.now = end
		passes = append(passes, w.now.Sub(epoch))
		return ctx.Err()
	})
	return swept, passes, err
}

func TestSweepStaysForADeadlineThatNobodyRenewed(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	timeout := func(b broker, d time.Duration) broker {
		b.Timeout = d
		return b
	}
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	says := func(b broker) func(*world) { return func(w *world) { w.register(b) } }
	for name, c := range map[string]struct {
		before  []at
		until   time.Duration // from the last of before, at which the sweep begins
		during  []at
		passes  string
		evicted string // address and moment
	}{
		"nobody":                  {nil, sec(60), nil, "[0s]", ""},
		"healthy":                 {[]at{{0, says(b)}, {sec(30), says(b)}}, sec(60), nil, "[30s]", ""},
		"a deadline at the end":   {[]at{{0, says(b)}, {sec(60), nil}}, sec(60), nil, "[1m0s 2m0.001s]", "a 2m0.001s"},
		"one just beyond":         {[]at{{0, says(b)}, {sec(60) - ms, nil}}, sec(60), nil, "[59.999s]", ""},
		"renewed at the last":     {[]at{{0, says(b)}, {sec(90), nil}}, sec(60), []at{{sec(120), says(b)}}, "[1m30s 2m0.001s]", ""},
		"renewed before it":       {[]at{{0, says(b)}, {ms, func(w *world) { w.sweep() }}, {sec(80), says(b)}, {sec(90), nil}}, sec(60), nil, "[1m30s]", ""},
		"lapsed already":          {[]at{{0, says(b)}, {sec(150), nil}}, sec(60), nil, "[2m30s]", "a 2m30s"},
		"two within two seconds":  {[]at{{0, says(b)}, {sec(1), says(a("b2", 0, "b", "T", "U"))}, {sec(90), nil}}, sec(60), nil, "[1m30s 2m0.001s 2m2.001s]", "a 2m0.001s b 2m2.001s"},
		"due at once":             {[]at{{0, says(b)}, {sec(120), nil}}, sec(60), nil, "[2m0s 2m2s]", "a 2m2s"},
		"its own timeout":         {[]at{{0, says(timeout(b, sec(20)))}}, sec(60), []at{{sec(8), says(timeout(b, sec(20)))}}, "[0s 20.001s 28.001s]", "a 28.001s"},
		"a session's, short":      {[]at{{0, opens("s")}, {0, says(timeout(b, sec(10)).via("s", 0))}}, sec(60), []at{{sec(10), beats("s")}, {sec(20), beats("s")}}, "[0s 30.001s 50.001s]", "a 50.001s"},
		"a session's":             {[]at{{0, opens("s")}, {0, says(b.via("s", 0))}, {sec(20), nil}}, sec(60), nil, "[20s]", ""},
		"a session that ran out":  {[]at{{0, opens("s")}, {0, says(b.via("s", 0))}, {sec(70), nil}}, sec(60), nil, "[1m10s 2m0.001s]", "a 2m0.001s"},
		"leaves by itself":        {[]at{{0, says(b)}, {sec(90), nil}}, sec(60), []at{{sec(100), func(w *world) { w.unregister(b) }}}, "[1m30s 2m0.001s]", ""},
		"comes, and is too short": {[]at{{0, says(b)}, {sec(90), nil}}, sec(60), []at{{sec(100), says(timeout(a("b2", 0, "b", "T", "U"), sec(10)))}}, "[1m30s 2m0.001s]", "a 2m0.001s b 2m0.001s"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sweep()
			for _, s := range c.before {
				if w.now = epoch.Add(s.Duration); s.do != nil {
					s.do(w)
				}
			}
			swept, passes, err := w.stays(w.now.Sub(epoch)+c.until, c.during...)
			w.must(err)
			w.equal("passes", fmt.Sprint(passes), c.passes)
			var evicted []string
			for _, e := range swept.Evicted {
				evicted = append(evicted, fmt.Sprint(e.Addr, " ", e.At.Sub(epoch)))
			}
			w.equal("evicted", fmt.Sprint(evicted), "["+c.evicted+"]")
		})
	}

	t.Run("a thousand that are always near their end", func(t *testing.T) {
		reads := &noted{Store: memory.New()}
		w := newWorldOver(t, reads)
		var script []at
		for n := range 1000 {
			broker := timeout(a(fmt.Sprint("b", n), 0, fmt.Sprint("a", n), "T", "U"), sec(10))
			w.now = epoch.Add(time.Duration(n) * ms)
			w.register(broker)
			for d := time.Duration(n) * 3 * ms; d < sec(60); d += sec(3) {
				script = append(script, at{sec(1) + d, func(w *world) { w.beat(broker) }})
			}
		}
		slices.SortStableFunc(script, func(a, b at) int { return int(a.Duration - b.Duration) })
		w.now = epoch.Add(sec(1))
		reads.took()
		swept, passes, err := w.stays(sec(61), script...)
		if w.must(err); len(swept.Evicted) != 0 || len(passes) > 31 {
			t.Fatalf("%d evicted in %d passes", len(swept.Evicted), len(passes))
		}
	})
}

func TestSweepTriesAgainWhatFailed(t *testing.T) {
	b := a("b1", 0, "a", "T", "U")
	sec := time.Second
	w := newWorldOver(t, newFaulty(memory.New()))
	w.register(b)
	w.now = epoch.Add(121 * sec)
	store := w.store.(*faulty)
	failing := func(calls int) { // the next calls that write
		store.fault = func(int, string) (before, after error) {
			if calls--; calls >= 0 {
				return errFault, nil
			}
			return nil, nil
		}
	}
	failing(2)
	swept, passes, err := w.stays(181 * sec)
	if w.must(err); len(swept.Evicted) != 1 {
		t.Fatal("not evicted", swept)
	}
	w.equal("passes", fmt.Sprint(passes), "[2m1s 2m3s 2m5s]")

	w.register(b)
	w.now = w.now.Add(121 * sec)
	failing(1000)
	if _, passes, err = w.stays(w.now.Sub(epoch) + 60*sec); !errors.Is(err, errFault) || len(passes) != 3 {
		t.Fatal("stays for what fails again and again", passes, err)
	}
	// Others are still announced in time.
	w.store.(*faulty).fault = nil
	w.register(a("b2", 0, "b", "T", "U").change(func(b *broker) { b.Timeout = 30 * sec }))
	store.fault = func(_ int, name string) (before, after error) {
		if g, _ := store.Store.Group(w.ctx, "b2"); name == "PutGroup" && len(g.Replicas) == 1 && g.Replicas[0].Alive(nil, w.now) {
			return errFault, nil
		}
		return nil, nil
	}
	due := w.now.Add(30 * sec)
	swept, _, _ = w.stays(w.now.Sub(epoch) + 60*sec)
	if i := slices.IndexFunc(swept.Evicted, func(e core.Event) bool { return e.Addr == "b" }); i < 0 || swept.Evicted[i].At.Sub(due) > 5*sec {
		t.Fatal("not announced in time:", swept.Evicted)
	}

	t.Run("no waiting", func(t *testing.T) {
		w := newWorld(t)
		w.register(b)
		w.step(90 * sec)
		stop := errors.New("stop")
		_, err := w.SweepUntil(w.ctx, func() time.Time { return w.now }, w.now.Add(60*sec), func(context.Context, time.Duration) error { return stop })
		w.refused(err, stop)
	})
	t.Run("a clock that stands still", func(t *testing.T) {
		w := newWorld(t)
		w.register(b)
		w.step(90 * sec)
		_, err := w.SweepUntil(w.ctx, func() time.Time { return w.now }, w.now.Add(60*sec), func(context.Context, time.Duration) error { return nil })
		w.must(err)
	})
}
