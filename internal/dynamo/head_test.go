package dynamo

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/core"
)

// replicated answers queries of the head: who reads consistently is told now,
// who does not what was there a moment ago.
type replicated struct {
	mu      sync.Mutex
	now     core.Revision
	lagging core.Revision
	wait    chan struct{} // answers come once it is closed
}

func (r *replicated) say(_ int64, body string) answer {
	if r.wait != nil {
		<-r.wait
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	revision := r.lagging
	if strings.Contains(body, `"ConsistentRead":true`) {
		revision = r.now
	}
	return answer{200, fmt.Sprintf(`{"Items":[{"pk":{"S":"V"},"sk":{"S":"rev"},"f":{"N":"1"},"n":{"N":"%d"},"l":{"L":[]}}]}`, revision)}
}

func TestHeadIsReadWhenItHasToBe(t *testing.T) {
	machine := &ticker{at: epoch}
	table := &replicated{now: 5, lagging: 5}
	s, calls := standIn(t, machine.now, table.say, WithClock(machine.now))
	for _, step := range []struct {
		name         string
		passes       time.Duration
		now, lagging core.Revision
		since        core.Revision
		fresh        bool
		want         core.Revision
		calls        int64
	}{
		{"the first", 0, 5, 4, 0, false, 5, 1}, // as it is now: nothing is known
		{"again", time.Second, 9, 9, 0, false, 5, 0},
		{"fresh", 0, 9, 8, 0, true, 9, 1},
		{"within two seconds", 1999 * time.Millisecond, 10, 10, 9, false, 9, 0},
		{"after two seconds", time.Millisecond, 11, 10, 9, false, 10, 1},
		{"who knows more", 0, 12, 11, 12, false, 12, 2},
		{"behind what was handed out", 2 * time.Second, 12, 3, 0, false, 12, 2},
		{"a clock that was put back", -time.Minute, 13, 13, 0, false, 13, 1},
	} {
		machine.at = machine.at.Add(step.passes)
		table.now, table.lagging = step.now, step.lagging
		before := calls.Load()
		head, err := s.Head(t.Context(), step.since, step.fresh)
		if err != nil || head.Revision != step.want || calls.Load()-before != step.calls {
			t.Errorf("%s: revision %d by %d calls, %v; want %d by %d", step.name, head.Revision, calls.Load()-before, err, step.want, step.calls)
		}
	}
}

// A gateway hears with each beat what changed before it, however short ago
// another asked: it beats each 5 s, and changes are to be seen within 6 s.
func TestABeatHearsWhatIsNew(t *testing.T) {
	machine := &ticker{at: epoch}
	table := &replicated{now: 5, lagging: 5}
	overtaken := false
	say := func(attempt int64, body string) answer {
		switch {
		case !strings.Contains(body, "UpdateExpression"):
			return table.say(attempt, body)
		case overtaken:
			last := machine.at.UnixMilli()
			return answer{400, refusedBody(fmt.Sprintf(`"pk":{"S":"V"},"sk":{"S":"s#x"},"f":{"N":"1"},"o":{"S":"me"},"b":{"N":"%d"},"l":{"N":"%d"}`, last, last))}
		}
		return answer{200, `{}`}
	}
	s, _ := standIn(t, machine.now, say, WithClock(machine.now))
	registry := core.New(s, core.Options{})
	for i := range core.Revision(6) {
		overtaken = i%2 == 1
		if _, err := registry.Head(t.Context(), 0, false); err != nil { // somebody asks
			t.Fatal(err)
		}
		table.now, table.lagging = table.now+1, table.now+1 // another process changes something
		machine.at = machine.at.Add(time.Millisecond)
		head, err := registry.BeatSession(t.Context(), machine.at, "x", "me", 5)
		if err != nil || head.Revision != 6+i {
			t.Errorf("overtaken %v: revision %d, %v; want %d", overtaken, head.Revision, err, 6+i)
		}
	}
}

func TestOneReadsTheHeadForAll(t *testing.T) {
	table := &replicated{now: 5, lagging: 5, wait: make(chan struct{})}
	s, calls := standIn(t, time.Now, table.say, WithHeadAge(time.Hour))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if head, err := s.Head(t.Context(), 0, false); err != nil || head.Revision != 5 {
				t.Errorf("%+v, %v", head, err)
			}
		})
	}
	close(table.wait)
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("it was read %d times", n)
	}
}
