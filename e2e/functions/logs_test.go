//go:build e2e

package functions_test

import (
	"encoding/json"
	"slices"
	"testing"

	"signpost/e2e/functions/stack"
)

// Logs are JSON with the keys that Lambda filters by, and cost nothing where
// nothing happens: neither a beat nor a registration that changes nothing nor a
// lookup leaves a line.
func TestLogs(t *testing.T) {
	s := start(t, nil)
	r := s.registration("a", "b")
	s.register(stack.Registrar, r)
	s.want(200, nil, stack.GatewayA, "PUT", "/v1/register/session?open=true&gateway=a&id="+s.broker, nil)
	s.found("a", 1)
	s.tick()
	lines := func() []string {
		var all []string
		for _, id := range []string{stack.Register, stack.Route, stack.Sweeper} {
			all = append(all, s.Functions[id].Lines()...)
		}
		return all
	}
	before := lines()
	for range 3 {
		s.register(stack.Registrar, r)
		if got := s.beats(stack.Registrar, s.beat(), s.beat().with("brokerName", "none-"+s.broker)); !slices.Equal(got, []string{"ok", "register"}) {
			t.Errorf("beats are answered %v", got)
		}
		s.want(200, nil, stack.GatewayA, "PUT", "/v1/register/session?id="+s.broker, nil)
		s.found("a", 0)
		s.found("none", 0)
		s.tick()
	}
	after := lines()
	for _, l := range after {
		var line struct {
			Timestamp, Level, Message string
			EMF                       json.RawMessage `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(l), &line); err != nil || line.EMF == nil && (line.Timestamp == "" || line.Level == "" || line.Message == "") {
			t.Errorf("no line that Lambda understands: %.200s", l)
		}
	}
	if len(after) != len(before) {
		t.Errorf("what changes nothing left %d lines", len(after)-len(before))
	}
}
