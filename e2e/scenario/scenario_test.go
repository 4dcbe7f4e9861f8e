package scenario

import (
	"regexp"
	"strings"
	"testing"

	"signpost/internal/remoting"
)

var versions = []string{v480, v497, v533}

func TestScenariosAreWellFormed(t *testing.T) {
	slug := regexp.MustCompile(`^[a-z0-9.-]+$`)
	names := map[string]bool{}
	for _, sc := range All() {
		if !slug.MatchString(sc.Name) || names[sc.Name] {
			t.Errorf("scenario %q: the name is no slug, or there are two of it", sc.Name)
		}
		names[sc.Name] = true
		if sc.About == "" {
			t.Errorf("scenario %s does not say what it is about", sc.Name)
		}
		for _, v := range versions {
			if !sc.AppliesTo(v) {
				continue
			}
			for _, s := range sc.For(v) {
				if strings.ContainsAny(s.Name, " /") {
					t.Errorf("%s %s: a step named %q", v, sc.Name, s.Name)
				}
				if s.Kind == Await && s.wanted == nil {
					t.Errorf("%s %s/%s waits for nothing", v, sc.Name, s.Name)
				}
			}
		}
	}
}

// What a scenario leaves in a server would show in the next one's recording.
func TestScenariosTellOfTheirTraces(t *testing.T) {
	for _, sc := range All() {
		for _, v := range versions {
			for _, s := range sc.For(v) {
				var cmd remoting.Command
				if len(s.Send) < 8 || remoting.DecodeFrame(s.Send[4:], &cmd) != nil || cmd.IsResponse() {
					continue
				}
				if (cmd.Code == remoting.PutKVConfig || cmd.Code == remoting.UpdateNameServerConfig) && !sc.Traces {
					t.Errorf("%s/%s sends %v, but the scenario says that it leaves no traces", sc.Name, s.Name, cmd.Code)
				}
			}
		}
	}
}

// Together the scenarios send every request code that a NameServer knows.
func TestScenariosCoverAllCodes(t *testing.T) {
	for _, v := range versions {
		sent := map[remoting.Code]bool{}
		for _, sc := range All() {
			if !sc.AppliesTo(v) {
				continue
			}
			for _, s := range sc.For(v) {
				var cmd remoting.Command
				if len(s.Send) >= 8 && remoting.DecodeFrame(s.Send[4:], &cmd) == nil {
					sent[cmd.Code] = true
				}
			}
		}
		for c := remoting.Code(1); c < 1000; c++ {
			if c.Known() && !sent[c] && c != 2 && c != 3 && c != 16 && c != 17 && c != 22 {
				t.Errorf("%s: no scenario sends %v", v, c)
			}
		}
	}
}
