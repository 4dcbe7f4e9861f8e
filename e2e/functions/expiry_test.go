//go:build e2e

package functions_test

import (
	"testing"
	"time"

	"signpost/e2e/functions/stack"
)

// A broker is gone when its time is over, by the clock of DynamoDB alone:
// nothing has to run for that. The functions take that clock from the Date of
// answers, which is how these two minutes pass here.
func TestABrokerIsGoneWhenItsTimeIsOver(t *testing.T) {
	s := start(t, nil)
	revision := s.register(stack.Registrar, s.registration("a"))
	for _, c := range []struct {
		later time.Duration
		found bool
	}{{118 * time.Second, true}, {122 * time.Second, false}} { // Date is cut to the second
		s.DynamoDB.SetClock(func() time.Time { return time.Now().Add(c.later) })
		s.found("a", revision+1) // a reading whose answer tells the time to those after it
		if s.found("a", revision+2) != c.found {
			t.Errorf("%v after its registration it is there: %v", c.later, !c.found)
		}
	}
}

// For real, with a timeout of its own: the sweeper that looked before stays and
// announces it when it is due, once, while reads never wait for that.
func TestABrokerExpiresForReal(t *testing.T) {
	s := start(t, nil)
	revision := s.register(stack.Registrar, s.registration("a").with("heartbeatTimeoutMillis", 4000))
	if !s.found("a", revision) {
		t.Fatal("it is not there")
	}
	s.tick()
	if s.found("a", revision) {
		t.Error("the sweeper announced it, and it is there")
	}
	if got := s.announced("BrokerEvicted"); len(got) != 1 {
		t.Errorf("it is announced as %v", got)
	}
	s.tick()
	if got := s.announced("BrokerEvicted"); len(got) != 1 {
		t.Errorf("the second sweep announced it again: %v", got)
	}
	// A beat does not bring it back; its registration does.
	if got := s.beats(stack.Registrar, s.beat()); got[0] == "ok" {
		t.Errorf("a beat of the dead is answered %v", got)
	}
	back := s.register(stack.Registrar, s.registration("a"))
	if back <= revision || !s.found("a", back) {
		t.Errorf("it does not come back with revision %d", back)
	}
}

// Without any sweep, the route is gone all the same.
func TestABrokerExpiresWithoutASweep(t *testing.T) {
	s := start(t, nil)
	revision := s.register(stack.Registrar, s.registration("a").with("heartbeatTimeoutMillis", 2000))
	s.eventually("the route is gone", func() bool { return !s.found("a", revision) })
	if calls := s.Functions[stack.Sweeper].Timings().Invokes; len(calls) != 0 {
		t.Errorf("the sweeper ran %d times", len(calls))
	}
}

// An old tick is dropped: it was answered by those after it.
func TestAnOldTickIsDropped(t *testing.T) {
	s := start(t, nil)
	s.register(stack.Registrar, s.registration("a").with("heartbeatTimeoutMillis", 1000))
	s.eventually("it has expired", func() bool { return !s.found("a", 1) })
	if err := s.Tick(t.Context(), time.Now().Add(-2*time.Minute)); err != nil {
		t.Errorf("an old tick: %v", err)
	}
	if got := s.announced("BrokerEvicted"); len(got) != 0 {
		t.Errorf("an old tick announced %v", got)
	}
	s.tick()
	if got := s.announced("BrokerEvicted"); len(got) != 1 {
		t.Errorf("a tick in time announced %v", got)
	}
}
