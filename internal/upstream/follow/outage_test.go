package follow_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// withRoutes is a Follower that knows T, U and that X is nowhere.
func withRoutes(t *testing.T, c *cloud) *shim {
	t.Cleanup(c.gateway(other))
	c.register(other, "a", 0, "T", "U")
	s := start(t, c)
	pass(time.Second)
	s.want("T", "a 0/8")
	s.want("U", "a 0/8")
	s.want("X", "none")
	return s
}

// atOnce checks that something takes no time.
func (s *shim) atOnce(f func()) {
	s.t.Helper()
	began := time.Now()
	if f(); time.Since(began) > 0 {
		s.t.Errorf("it took %v", time.Since(began))
	}
}

func TestOutage(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		state := s.State(time.Now())
		if !state.Connected || state.Session == "" || state.OldestAnswer > 5*time.Second {
			t.Errorf("before: %+v", state)
		}
		c.set(func() { c.fault = down })
		began := time.Now()
		pass(10 * time.Second)
		c.register(other, "b", 0, "T") // nobody hears it
		c.reset()
		for range 120 {
			s.atOnce(func() {
				s.want("T", "a 0/8")
				s.want("U", "a 0/8")
				s.want("new", "unavailable")
			})
			pass(5 * time.Second)
		}
		if n := c.total(); n < 120 || n > 600 || c.count("routes")+c.count("kv") > 0 {
			t.Errorf("in 10 minutes: %v", c.calls)
		}
		state = s.State(time.Now())
		if state.Connected || state.Reason != errDown.Reason || state.Since.Before(began) || state.Since.After(began.Add(10*time.Second)) {
			t.Errorf("while unreachable: %+v", state)
		}
		if age := time.Since(began); state.OldestAnswer < age-5*time.Second || state.OldestAnswer > age+10*time.Second {
			t.Errorf("the oldest answer is %v old, after %v", state.OldestAnswer, age)
		}
		var no *api.UnreachableError
		if _, err := s.Route(context.Background(), time.Now(), "new"); !errors.As(err, &no) || no.Reason != errDown.Reason {
			t.Errorf("unknown topic: %v", err)
		}
		s.atOnce(func() { s.Seen(context.Background(), 1000) })
		c.reset()
		c.set(func() { c.fault = nil })
		pass(5100 * time.Millisecond)
		s.wantKnown("T", "a 0/8 b 0/8")
		s.wantKnown("U", "a 0/8")
		s.want("new", "none")
		if c.consistent != 1 || c.count("open") != 1 || c.count("routes") != 2 {
			t.Errorf("on recovery: %v, %d for what is there then", c.calls, c.consistent)
		}
		if n, m := s.log.with("cannot be reached"), s.log.with("connected to"); n != 1 || m != 2 {
			t.Errorf("log lines: %d of the outage, %d of connections", n, m)
		}
		if state := s.State(time.Now()); !state.Connected || state.Reason != "" || state.OldestAnswer > 5*time.Second {
			t.Errorf("afterwards: %+v", state)
		}
	})
}

func TestOneLostBeatIsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		s.heard.take()
		for range 5 {
			c.reset()
			c.set(func() {
				lost := false
				c.fault = func(context.Context, string) (bool, error) {
					if lost {
						return false, nil
					}
					lost = true
					return true, errDown
				}
			})
			pass(10 * time.Second)
			if c.count("routes") > 0 || c.count("open") > 0 || c.count("beat") > 4 {
				t.Errorf("calls: %v", c.calls)
			}
		}
		s.wantKnown("T", "a 0/8")
		if s.log.with("cannot") > 0 || !s.State(time.Now()).Connected {
			t.Error("it counts as unreachable")
		}
		if opened, changes, all := s.heard.take(); len(opened)+len(changes)+all > 0 {
			t.Error("the listener heard of it")
		}
	})
}

// Nothing is answered, and nothing refused.
func TestSilence(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		c.registerFor("", "d", 0, 20*time.Second, "D")
		s.want("D", "d 0/8")
		pass(15 * time.Second)
		c.set(func() { c.fault = silent })
		pass(6 * time.Second) // D is over
		lookup := func(topic, want string, most time.Duration) {
			t.Helper()
			began := time.Now()
			s.want(topic, want)
			if took := time.Since(began); took > most {
				t.Errorf("%s took %v, at most %v", topic, took, most)
			}
		}
		lookup("T", "a 0/8", 0)
		lookup("D", "d 0/8", time.Second)
		lookup("new", "unavailable", 2500*time.Millisecond)
		pass(5 * time.Second)
		if s.State(time.Now()).Connected {
			t.Error("it counts as reachable")
		}
		for range 20 {
			lookup("T", "a 0/8", 0)
			lookup("D", "d 0/8", 0)
			lookup("new", "unavailable", 0)
			pass(3 * time.Second)
		}
		c.set(func() { c.fault = nil })
		pass(11 * time.Second) // one beat may just have begun
		lookup("new", "none", 5*time.Millisecond)
	})
}

// What reads is throttled alone.
func TestThrottledLookups(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		c.set(func() {
			c.fault = on("routes", &api.UnreachableError{Call: "getRoutes", Status: 429, Reason: "the API is throttled", RetryAfter: time.Second})
		})
		c.register(other, "a", 0, "T:4", "U")
		c.reset()
		pass(20 * time.Second)
		s.atOnce(func() {
			s.want("T", "a 0/8") // as it was known last
			s.wantKnown("U", "a 0/8")
		})
		if state := s.State(time.Now()); state.Connected || state.Reason != "the API is throttled" {
			t.Errorf("throttled: %+v", state)
		}
		if n := c.count("routes"); n < 3 || n > 20 {
			t.Errorf("%d calls in 20 s", n)
		}
		if n := c.count("beat"); n != 4 {
			t.Errorf("%d beats in 20 s", n)
		}
		c.set(func() { c.fault = nil })
		pass(5 * time.Second)
		s.wantKnown("T", "a 0/4")
		if !s.State(time.Now()).Connected {
			t.Error("it counts as unreachable")
		}
	})
}

// After a failure, with nothing to ask for, it is not in doubt for ever.
func TestLookupsWorkAgain(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		c.set(func() { c.fault = on("routes", errDown) })
		for range 5 {
			s.want("new", "unavailable")
			pass(300 * time.Millisecond)
		}
		if s.State(time.Now()).Connected {
			t.Error("it counts as reachable")
		}
		c.set(func() { c.fault = nil })
		pass(11 * time.Second)
		if !s.State(time.Now()).Connected {
			t.Error("it counts as unreachable")
		}
	})
}

func TestSessionIsClosed(t *testing.T) {
	closings := map[string]func(c *cloud, s *shim, id string){
		"by the cloud": func(c *cloud, s *shim, id string) {},
		"said by a beat of its brokers": func(c *cloud, s *shim, id string) {
			s.Lost("another one")
			s.Lost(id)
		},
	}
	for name, closing := range closings {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, c *cloud) {
				ctx := context.Background()
				s := withRoutes(t, c)
				first, err := s.ID(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if opened, _, _ := s.heard.take(); len(opened) != 1 || opened[0] != first {
					t.Errorf("opened %v, want %v", opened, first)
				}
				sessions, _ := c.world().store.Sessions(ctx)
				own, _ := sessions.Find(first)
				if err := c.world().store.CloseSession(ctx, first, own.Last); err != nil {
					t.Fatal(err)
				}
				c.register(other, "b", 0, "T")
				closing(c, s, first)
				pass(5100 * time.Millisecond)
				second, err := s.ID(ctx)
				if err != nil || second == first {
					t.Errorf("%q after %q, %v", second, first, err)
				}
				if opened, changes, all := s.heard.take(); len(opened) != 1 || opened[0] != second || len(changes)+all > 0 {
					t.Errorf("heard %v, %v, %d", opened, changes, all)
				}
				s.wantKnown("T", "a 0/8 b 0/8")
				if n := c.count("open"); n != 2 {
					t.Errorf("%d sessions", n)
				}
			})
		})
	}
}

func TestOpeningIsRepeatedWithTheSameID(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		n := 0
		c.fault = func(context.Context, string) (bool, error) {
			n++
			return true, map[bool]error{true: errDown}[n <= 3]
		}
		s := start(t, c)
		pass(5 * time.Second)
		if _, err := s.ID(context.Background()); err != nil {
			t.Error(err)
		}
		if sessions, _ := c.world().store.Sessions(context.Background()); len(sessions) != 1 {
			t.Errorf("%d sessions", len(sessions))
		}
	})
	bubble(t, func(t *testing.T, c *cloud) { // and it runs out before an answer arrives
		n := 0
		c.fault = func(context.Context, string) (bool, error) {
			if n++; n == 1 {
				return true, errDown
			}
			return false, map[bool]error{true: errDown}[n <= 30]
		}
		s := start(t, c)
		pass(3 * time.Minute)
		if id, err := s.ID(context.Background()); err != nil || id != s.State(time.Now()).Session {
			t.Errorf("%q, %v", id, err)
		}
	})
}

func TestIDWhileThereIsNone(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		c.fault = silent
		s := start(t, c)
		began := time.Now()
		if _, err := s.ID(context.Background()); !errors.Is(err, core.ErrUnavailable) || time.Since(began) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		c.set(func() { c.fault = down })
		pass(20 * time.Second)
		s.atOnce(func() {
			if _, err := s.ID(context.Background()); !errors.Is(err, errDown) {
				t.Error(err)
			}
		})
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		c.set(func() { c.fault = silent })
		if _, err := s.ID(ctx); err == nil {
			t.Error("no error")
		}
	})
}

// The credentials have changed: the session belongs to the old ones.
func TestSessionOfOthers(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		first, _ := s.ID(context.Background())
		c.set(func() {
			c.fault = func(_ context.Context, call string) (bool, error) {
				id, _ := s.ID(context.Background())
				return false, map[bool]error{true: core.ErrForbidden}[call == "beat" && id == first]
			}
		})
		pass(6 * time.Second)
		if id, err := s.ID(context.Background()); err != nil || id == first {
			t.Errorf("%q, %v", id, err)
		}
	})
}

// The table is lost, and another one is filled.
func TestAnotherHistory(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		for i := range 20 {
			s.Seen(context.Background(), c.register(other, "a", 0, fmt.Sprint("T:", i+20), "U"))
		}
		s.want("T", "a 0/39")
		c.empty()
		t.Cleanup(c.gateway("another"))
		pass(5100 * time.Millisecond)
		s.heard.take()
		s.want("T", "none")
		s.Seen(context.Background(), c.register("another", "b", 0, "T:2"))
		s.want("T", "b 0/2")
		s.Seen(context.Background(), c.register("another", "b", 0, "T:3"))
		s.want("T", "b 0/3")
		if _, changes, all := s.heard.take(); len(changes) == 0 || all > 0 {
			t.Errorf("heard %d changes, %d times all", len(changes), all)
		}
		if n := s.State(time.Now()).Revision; n > 5 {
			t.Errorf("revision %d", n)
		}
	})
}

// A revision of the lost table, that somebody tells late, is forgotten.
func TestRevisionThatIsNeverReached(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		s.Seen(context.Background(), 1_000_000)
		pass(30 * time.Second)
		c.reset()
		pass(time.Minute)
		if n := c.count("beat"); n != 12 {
			t.Errorf("%d beats in a minute", n)
		}
		s.want("new", "none")
		s.wantKnown("T", "a 0/8")
	})
}

func TestGuard(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		c.set(func() { c.guarded = true })
		pass(6 * time.Second)
		if !s.State(time.Now()).Guarded || s.log.with("guard") != 1 {
			t.Error("it does not say so")
		}
	})
}

// Lookups that cannot be told apart from an attack do not pile up.
func TestLookupsInFlightAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		c.set(func() { c.fault = silent })
		var wg sync.WaitGroup
		for i := range 30_000 {
			wg.Go(func() { s.want(fmt.Sprint("N", i), "unavailable") })
		}
		wg.Wait()
		synctest.Wait()
		s.want("T", "a 0/8")
	})
}

// The process stops while calls are under way.
func TestStopInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud) {
		s := withRoutes(t, c)
		c.set(func() { c.fault = silent })
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() { s.Route(context.Background(), time.Now(), fmt.Sprint("N", i)) })
		}
		wg.Go(func() { s.Seen(context.Background(), 1000) })
		pass(time.Millisecond * 100)
		s.stop()
		wg.Wait()
		if _, err := s.Route(context.Background(), time.Now(), "later"); err == nil {
			t.Error("a lookup after the end")
		}
	})
}
