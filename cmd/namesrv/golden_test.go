package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/e2e/scenario"
)

const captures = "../../internal/nameserver/testdata/captures"

// replaysAtOnce is far above the number of processors: a replay mostly waits.
const replaysAtOnce = 48

// TestAnswersAreThoseOfTheRealServers replays what the Java NameServers 4.8.0,
// 4.9.7 and 5.3.3 were asked, and compares the answers. What may differ, and
// why, is in accepted.
func TestAnswersAreThoseOfTheRealServers(t *testing.T) {
	j := newJudge()
	used := make([]bool, len(j.cases))
	for _, d := range replayAll(t, j, replaysAtOnce, nil) {
		if i := j.find(d); i >= 0 {
			used[i] = true
		} else {
			t.Errorf("%s", d)
		}
	}
	for i, ok := range used {
		if c := j.cases[i]; !ok {
			t.Errorf("nothing differs any more at %q of %v: take it out of %q", c.keys, c.versions, c.reason)
		}
	}
}

// replayAll replays all captures, so many at once, against servers with these
// flags besides the captures' own, and returns what differs.
func replayAll(t *testing.T, j *judge, atOnce int, flags func() ([]string, error)) []scenario.Difference {
	goldens, err := scenario.ReadGoldens(captures)
	if err != nil {
		t.Fatal(err)
	}
	if len(goldens) < 200 {
		t.Fatalf("only %d captures in %s", len(goldens), captures)
	}
	found := make([][]scenario.Difference, len(goldens))
	next := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				found[i] = replay(t, goldens[i], j, flags)
			}
		})
	}
	for i := range goldens {
		next <- i
	}
	close(next)
	workers.Wait()

	return slices.Concat(found...)
}

// replay asks this server, with the properties that the real one had, what the
// real one was asked. It is called by goroutines of the test's, so it must not
// end the test.
func replay(t *testing.T, g *scenario.Golden, j *judge, flags func() ([]string, error)) []scenario.Difference {
	fail := func(err error) []scenario.Difference {
		t.Errorf("%s/%s: %v", g.Version, g.Scenario, err)
		return nil
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.conf")
	props := slices.Concat([]string{"rocketmqHome=home"}, g.Props, []string{"allowRemoteConfig=" + strings.Join(remotelyChanged, ";")})
	if err := os.WriteFile(file, []byte(strings.Join(props, "\n")+"\n"), 0o600); err != nil {
		return fail(err)
	}
	args := []string{"-c", file}
	if flags != nil {
		more, err := flags()
		if err != nil {
			return fail(err)
		}
		args = append(args, more...)
	}
	p, err := start(t, dir, args...)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	differences, err := scenario.Replay(ctx, p.addr, g, j.accepts)
	if err != nil {
		return fail(err)
	}
	if err := p.stop(); err != nil {
		return fail(err)
	}
	return differences
}

// TestCompatTellsWhatDiffers keeps COMPAT.md and accepted together.
func TestCompatTellsWhatDiffers(t *testing.T) {
	text, err := os.ReadFile("../../COMPAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range accepted {
		if !strings.Contains(string(text), r.reason) {
			t.Errorf("COMPAT.md does not say %q", r.reason)
		}
	}
}
