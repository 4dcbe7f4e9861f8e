package scenario

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"signpost/internal/remoting"
)

// replayWithin is how long a replay waits for an answer, a close or a wanted
// state before it takes their absence for a difference.
const replayWithin = 8 * time.Second

// Record has the conversation with the server at addr, which runs the given
// release, and returns it as it went. The server must be one that knows
// nothing yet. It is an error when the server does not do what the scenario
// waits for: then the scenario is wrong, or the machine too slow.
func Record(ctx context.Context, addr, version string, sc Scenario) (*Golden, error) {
	steps, err := perform(ctx, addr, sc.For(version), answerWithin, func(s Step, answer []byte) bool {
		var cmd remoting.Command
		return remoting.DecodeFrame(answer[4:], &cmd) == nil && s.wanted(&cmd)
	})
	if err != nil {
		return nil, fmt.Errorf("record %s %s: %w", version, sc.Name, err)
	}
	g := &Golden{Scenario: sc.Name, About: sc.About, Version: version, Props: sc.Props, Steps: steps}
	if err := g.asWritten(); err != nil {
		return nil, fmt.Errorf("record %s %s: %w", version, sc.Name, err)
	}
	return g, nil
}

// asWritten checks that every step came out as its kind says.
func (g *Golden) asWritten() error {
	names := map[string]bool{}
	for _, s := range g.Steps {
		if s.Name == "extra" {
			return fmt.Errorf("a frame that nobody asked for: %s", frameText(s.Answer))
		}
		if names[s.Name] {
			return fmt.Errorf("two steps named %s", s.Name)
		}
		names[s.Name] = true
		want := Nothing
		switch s.Kind {
		case Ask, Await, Settle, Answer, Receive:
			want = Answered
		case Cut:
			want = Closed
		}
		if s.Outcome != want {
			return fmt.Errorf("step %s: want %s, got %s", s.Name, want, outcomeText(s))
		}
		if s.Kind == Await {
			var cmd remoting.Command
			if remoting.DecodeFrame(s.Answer[4:], &cmd) != nil || !s.wanted(&cmd) {
				return fmt.Errorf("step %s: still not as wanted: %s", s.Name, outcomeText(s))
			}
		}
	}
	return nil
}

// Repeat sends the requests of want, in its order, to the server at addr, and
// returns how it went. The server must run with want.Props and know nothing
// yet. What want waited for is waited for here, but not where known (nil: it
// knows none) has all the differences; a server that answers otherwise is no
// error.
func Repeat(ctx context.Context, addr string, want *Golden, known func(Difference) bool) (*Golden, error) {
	// asWanted says whether the step went as in want, but for what is known.
	asWanted := func(s Step) bool {
		i := slices.IndexFunc(want.Steps, func(w Step) bool { return w.Name == s.Name })
		c := &comparison{version: want.Version, scenario: want.Scenario, step: s.Name}
		c.steps(want.Steps[i], s)
		return !slices.ContainsFunc(c.found, func(d Difference) bool { return known == nil || !known(d) })
	}
	p := &performer{addr: addr, within: replayWithin, mute: asWanted}
	p.wanted = func(s Step, answer []byte) bool {
		s.Outcome, s.Answer = Answered, answer
		return asWanted(s)
	}
	steps, err := p.perform(ctx, want.Steps)
	if err != nil {
		return nil, fmt.Errorf("replay %s %s: %w", want.Version, want.Scenario, err)
	}
	got := *want
	got.Steps = steps
	return &got, nil
}

// Replay sends the requests of want to the server at addr, as Repeat does, and
// returns in what its answers differ, see Compare. The differences that known
// accepts are among them.
func Replay(ctx context.Context, addr string, want *Golden, known func(Difference) bool) ([]Difference, error) {
	got, err := Repeat(ctx, addr, want, known)
	if err != nil {
		return nil, err
	}
	return Compare(want, got), nil
}

// Forgets reports whether the server at addr comes to know no broker and no
// topic, now that all connections are closed, so that another scenario may use
// it. It does not see what Scenario.Traces tells of.
func Forgets(ctx context.Context, addr string) (bool, error) {
	const emptyClusters, emptyTopics = `{"brokerAddrTable":{},"clusterAddrTable":{}}`, `{"topicList":[]}`
	steps := Scenario{script: func(s *Script) {
		s.await("client", "clusters", clusters(), has(emptyClusters))
		s.await("client", "topics", allTopics(), has(emptyTopics))
	}}.For(v533)
	done, err := perform(ctx, addr, steps, time.Second, func(s Step, answer []byte) bool {
		return bytes.HasSuffix(answer, []byte(emptyClusters)) || bytes.HasSuffix(answer, []byte(emptyTopics))
	})
	if err != nil {
		return false, fmt.Errorf("forgets: %w", err)
	}
	return len(done) == 2 && bytes.HasSuffix(done[0].Answer, []byte(emptyClusters)) && bytes.HasSuffix(done[1].Answer, []byte(emptyTopics)), nil
}
