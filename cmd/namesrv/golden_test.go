package main

import (
	"os"
	"strings"
	"testing"

	"signpost/e2e/golden"
	"signpost/e2e/scenario"
)

// replaysAtOnce is far above the number of processors: a replay mostly waits.
const replaysAtOnce = 48

// TestAnswersAreThoseOfTheRealServers replays what the Java NameServers 4.8.0,
// 4.9.7 and 5.3.3 were asked, and compares the answers. What may differ, and
// why, is in golden.Accepted.
func TestAnswersAreThoseOfTheRealServers(t *testing.T) {
	j := golden.NewJudge()
	found := replayAll(t, j, replaysAtOnce, nil)
	for _, d := range found {
		if !j.Accepts(d) {
			t.Errorf("%s", d)
		}
	}
	for _, text := range j.Needless(found) {
		t.Error(text)
	}
}

// replayAll replays all captures against servers with these flags besides the
// captures' own.
func replayAll(t *testing.T, j *golden.Judge, atOnce int, flags func() ([]string, error)) []scenario.Difference {
	t.Helper()
	return golden.Replays{AtOnce: atOnce, Start: func(dir, file string, _ []string) (golden.Server, error) {
		args := []string{"-c", file}
		if flags != nil {
			more, err := flags()
			if err != nil {
				return golden.Server{}, err
			}
			args = append(args, more...)
		}
		p, err := start(t, dir, args...)
		if err != nil {
			return golden.Server{}, err
		}
		return golden.Server{Addr: p.Addr, Stop: p.Stop}, nil
	}}.All(t, j)
}

// TestCompatTellsWhatDiffers keeps COMPAT.md and golden.Accepted together.
func TestCompatTellsWhatDiffers(t *testing.T) {
	text, err := os.ReadFile("../../COMPAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range golden.Accepted {
		if !strings.Contains(string(text), r.Reason) {
			t.Errorf("COMPAT.md does not say %q", r.Reason)
		}
	}
}
