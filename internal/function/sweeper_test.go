package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/function"
)

// tick sweeps; the time of what it waits for passes at once.
func tick(t *testing.T, i *instance, s *function.Sweeper, late time.Duration) error {
	t.Helper()
	s.Wait(func(_ context.Context, d time.Duration) error { i.table.step(d); return nil })
	return s.Handle(t.Context(), function.Tick{Time: i.table.Now().Add(-late).Format(time.RFC3339)})
}

func TestSweeperStaysForWhatIsDue(t *testing.T) {
	i := newInstance(t, nil)
	call(t, i.Register(), register(), 200)
	s := i.Sweeper()
	i.table.step(20 * time.Second)
	if err := tick(t, i, s, 0); err != nil {
		t.Fatal(err)
	}
	if now := i.table.Now().Sub(epoch); now != 20*time.Second {
		t.Errorf("it stayed until %v for what is due at 2m0s", now)
	}
	i.table.step(time.Minute)
	if err := tick(t, i, s, 0); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(i.box.kinds(), core.BrokerEvicted) {
		t.Fatalf("published %v", i.box.kinds())
	}
	if now := i.table.Now().Sub(epoch); now < 2*time.Minute || now > 2*time.Minute+5*time.Second {
		t.Errorf("it was announced at %v, and due at 2m0s", now)
	}
	evicted := false
	for _, m := range metrics(t, i) {
		evicted = evicted || m["Evictions"] == 1.0
	}
	if !evicted {
		i.table.step(time.Minute)
		if err := tick(t, i, s, 0); err != nil {
			t.Fatal(err)
		}
		if m := metrics(t, i); len(m) != 1 || m[0]["Evictions"] != 1.0 {
			t.Errorf("metrics %v", m)
		}
	}
}

func TestSweeperDropsOldTicks(t *testing.T) {
	i := newInstance(t, nil)
	call(t, i.Register(), register(), 200)
	i.table.step(time.Hour)
	s := i.Sweeper()
	if err := tick(t, i, s, 61*time.Second); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(i.box.kinds(), core.BrokerEvicted) {
		t.Error("an old tick was swept for")
	}
	if err := tick(t, i, s, time.Minute); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(i.box.kinds(), core.BrokerEvicted) {
		t.Error("a tick of a minute was dropped")
	}
}

func TestSweeperRefusesAWrongClock(t *testing.T) {
	i := newInstance(t, nil)
	call(t, i.Register(), register(), 200)
	i.table.step(time.Hour)
	i.table.skew = errors.New("wrong")
	if err := tick(t, i, i.Sweeper(), 0); !errors.Is(err, i.table.skew) {
		t.Errorf("swept: %v", err)
	}
	if slices.Contains(i.box.kinds(), core.BrokerEvicted) {
		t.Error("evicted by a wrong clock")
	}
}

func TestSweeperTicks(t *testing.T) {
	i := newInstance(t, nil)
	s := i.Sweeper()
	if err := s.Handle(t.Context(), function.Tick{}); err != nil {
		t.Errorf("called by hand: %v", err)
	}
	if err := s.Handle(t.Context(), function.Tick{Time: "yesterday"}); err == nil || !strings.HasPrefix(err.Error(), "time: ") {
		t.Errorf("a time that is none: %v", err)
	}
	b, err := os.ReadFile("../../functions/sweeper/events/tick.json")
	if err != nil {
		t.Fatal(err)
	}
	var e function.Tick
	if err := json.Unmarshal(b, &e); err != nil || e.Time == "" {
		t.Errorf("%s is %+v, %v", b, e, err)
	}
}

// TestSweeperEndsInTime: an invocation that is about to end does not wait on.
func TestSweeperEndsInTime(t *testing.T) {
	i := newInstance(t, nil)
	call(t, i.Register(), register(), 200)
	i.table.step(119 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // less than a sweep leaves of it
	defer cancel()
	if err := i.Sweeper().Handle(ctx, function.Tick{}); err == nil {
		t.Error("it stayed beyond the end of its invocation")
	}
}
