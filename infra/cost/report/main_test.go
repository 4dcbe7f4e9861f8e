package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestFlagsChangeTheMonth(t *testing.T) {
	printed := func(args ...string) string {
		var out bytes.Buffer
		if err := run(args, &out, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	usual := printed()
	for _, want := range []string{"behind 2 shims", "| **all** |", "session beat, answered with the revision", "| HTTP API calls | 1 | million |"} {
		if !strings.Contains(usual, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if other := printed("--shims", "4", "--restarts=10"); !strings.Contains(other, "behind 4 shims") || strings.Contains(usual, "behind 4 shims") {
		t.Error("--shims changes nothing")
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for _, args := range [][]string{{"--beat", "0"}, {"--restarts", "-1"}, {"--nothing", "1"}, {"--shims", "two"}, {"table"}, {"--heartbeat", "120"}} {
		var out bytes.Buffer
		if err := run(args, &out, &out); err == nil || strings.Contains(out.String(), "##") {
			t.Errorf("%q is taken", args)
		}
	}
}
