package quiet

import (
	"testing"
	"time"
)

func TestOneLineAMinute(t *testing.T) {
	var lines Lines[int]
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	say := func(about, before int, ok bool) {
		t.Helper()
		if b, said := lines.Say(now, about); b != before || said != ok {
			t.Errorf("of %d: %d before, %v; want %d, %v", about, b, said, before, ok)
		}
	}
	say(1, 0, true)
	say(1, 0, false)
	say(2, 0, true)
	now = now.Add(For - 1)
	say(1, 0, false)
	now = now.Add(1)
	say(1, 2, true)
	say(1, 0, false)
	say(2, 0, true)
}

// So many at once share a line, and do not stay remembered.
func TestManyAreNotRemembered(t *testing.T) {
	var lines Lines[int]
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	said := 0
	for about := range 2 * Most {
		if _, ok := lines.Say(now, about+1); ok {
			said++
		}
	}
	if said != Most+1 || len(lines.last) != Most+1 {
		t.Errorf("%d lines, and %d are remembered", said, len(lines.last))
	}
	now = now.Add(For)
	if _, ok := lines.Say(now, -1); !ok || len(lines.last) != 1 {
		t.Errorf("a minute later %d are remembered", len(lines.last))
	}
}
