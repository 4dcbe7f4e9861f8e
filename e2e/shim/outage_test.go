package shim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/e2e/shim/link"
	"signpost/internal/remoting"
)

// inFlight is how much longer a fault lasts, for calls that are under way when
// it ends.
func inFlight(f link.Fault) time.Duration {
	if f == slow {
		return slowness
	}
	return 0
}

const slowness = 20 * time.Second

// noticed is within what a shim knows that the API does not answer: three
// attempts.
const noticed = 20 * time.Second

var slow = link.Slow(slowness)

// faults are the ways in which the API may fail.
var faults = []link.Fault{
	link.Cut, link.Hung, link.Lost, link.Half, link.Answer(429), link.Answer(500), link.Answer(503), slow,
}

// An outage shorter than the lease: nobody hears of it, clients and the bus
// alike.
func TestShortOutage(t *testing.T) {
	for _, f := range faults {
		t.Run(f.String(), func(t *testing.T) {
			play(t, 2, func(s *scene) {
				a, b := s.start(newBroker("a", "t", "u")), s.start(newBroker("bb", "u"))
				end := s.watch("t", "u")
				s.always(f)
				time.Sleep(lease - 2*beat)
				b.has("u", "new")
				s.same(soon, "t", "u", "new") // both see what happens at both
				s.mend()
				time.Sleep(inFlight(f))
				s.same(soon, "t", "u", "new")
				s.cloudHas(soon, "new", "bb")
				time.Sleep(3 * time.Minute)
				if err := s.cloud.sweep(); err != nil {
					t.Error(err)
				}
				if gone := s.cloud.gone(); len(gone) > 0 {
					t.Errorf("announced: %v", gone)
				}
				end()
				a.die()
				b.die()
			})
		})
	}
}

// An outage longer than the lease: the shims go on by what they see, and the
// cloud has everything again one beat after it ends.
func TestLongOutage(t *testing.T) {
	for _, f := range faults {
		t.Run(f.String(), func(t *testing.T) {
			play(t, 2, func(s *scene) {
				a, b := s.start(newBroker("a", "t", "u")), s.start(newBroker("bb", "u"))
				end := s.watch("t", "u")
				s.always(f)
				time.Sleep(3 * time.Minute)
				if err := s.cloud.sweep(); err != nil {
					t.Error(err)
				}
				b.die()
				c := newBroker("ccc", "u", "v") // it is new in the outage
				c.start(s, s.fronts()...)
				c.has("u", "v", "w")
				s.sameRoutes(noticed, "t", "u", "v", "w")
				s.mend()
				time.Sleep(inFlight(f))
				s.cloudHas(soon, "t", "a")
				s.cloudHas(soon, "u", "a", "ccc")
				s.cloudHas(soon, "w", "ccc")
				s.same(soon, "t", "u", "v", "w")
				time.Sleep(3 * time.Minute)
				s.same(soon, "t", "u", "v", "w")
				end()
				a.die()
				c.die()
			})
		})
	}
}

// What a shim does not know in an outage it does not deny.
func TestUnknownTopicInAnOutage(t *testing.T) {
	play(t, 1, func(s *scene) {
		s.always(link.Cut)
		time.Sleep(2 * beat)
		a, err := s.shims[0].ask(remoting.GetRouteInfoByTopic, nil, "topic", "unknown")
		if err != nil || a.Code != remoting.SystemError || a.Remark == "" {
			t.Errorf("code %d %q, %v", a.Code, a.Remark, err)
		}
		s.mend()
		s.same(soon, "unknown")
	})
}

// One shim is killed and comes back: brokers stay by the other one.
func TestOneShimIsKilled(t *testing.T) {
	play(t, 2, func(s *scene) {
		a := s.start(newBroker("a", "t"))
		end := s.watch("t")
		for _, sh := range s.shims {
			sh.kill()
			time.Sleep(time.Minute)
			s.same(soon, "t")
			sh.start()
			s.same(soon, "t")
			time.Sleep(a.period) // its broker is there again
		}
		time.Sleep(5 * time.Minute)
		s.same(soon, "t")
		if err := s.cloud.sweep(); err != nil {
			t.Error(err)
		}
		if gone := s.cloud.gone(); len(gone) > 0 {
			t.Errorf("announced: %v", gone)
		}
		end()
		a.die()
	})
}

// All shims are killed while the API is away: what they knew is on their disks,
// routes and lists.
func TestKilledInAnOutage(t *testing.T) {
	play(t, 2, func(s *scene) {
		a := s.start(newBroker("a", "t"))
		end := s.watch("t")
		time.Sleep(time.Minute)
		s.always(link.Cut)
		for _, sh := range s.shims {
			sh.kill()
		}
		questions := append(slices.Clone(lists), routeOf("t"), membersOf("a"))
		for _, sh := range s.shims {
			sh.start()
			for _, q := range questions {
				if got, want := sh.say(q), s.java.say(q); got != want {
					t.Errorf("the first answer of %s to %s is %s, want %s", sh.name, q, got, want)
				}
			}
		}
		time.Sleep(time.Minute)
		b := newBroker("bb", "t", "u") // it is new in the outage
		b.start(s, s.fronts()...)
		s.same(noticed, "t", "u")
		b.die()
		s.sameRoutes(noticed, "t")
		time.Sleep(10 * time.Minute)
		s.mend()
		s.cloudHas(soon, "t", "a")
		s.same(soon, "t")
		end()
		a.die()
		s.same(soon, "t")
	})
}

// The table is empty: everything is said again.
func TestTheTableIsEmpty(t *testing.T) {
	play(t, 2, func(s *scene) {
		a, b := s.start(newBroker("a", "t")), s.start(newBroker("bb", "t", "u"))
		end := s.watch("t", "u")
		time.Sleep(time.Minute)
		s.cloud.empty()
		s.cloudHas(2*soon, "t", "a", "bb")
		s.cloudHas(soon, "u", "bb")
		s.same(soon, "t", "u")
		end()
		b.die()
		s.same(soon, "t", "u")
		a.die()
	})
}

// A broker that moves from one shim to the other is there all the time.
func TestABrokerMoves(t *testing.T) {
	play(t, 2, func(s *scene) {
		a := newBroker("a", "t")
		a.start(s, s.java, &s.shims[0].front)
		s.same(soon, "t")
		end := s.watch("t")
		a.join(&s.shims[1].front)
		time.Sleep(time.Second)
		a.quit(&s.shims[0].front)
		time.Sleep(5 * time.Minute)
		s.same(soon, "t")
		end()
		a.quit(&s.shims[1].front)
		s.cloudHas(time.Second, "t") // it was the last one
		a.die()
		s.same(soon, "t")
	})
}

// The end of one of two connections keeps a broker, that of the last one does
// not.
func TestConnectionsClose(t *testing.T) {
	play(t, 2, func(s *scene) {
		a := s.start(newBroker("a", "t"))
		end := s.watch("t")
		a.quit(&s.shims[0].front)
		time.Sleep(5 * time.Minute)
		s.same(soon, "t")
		end()
		a.die()
		s.cloudHas(time.Second, "t")
		s.same(soon, "t")
	})
}

// What is made through one shim is seen through the other, though functions
// answer by what they knew a moment ago.
func TestChangesAreSeenElsewhere(t *testing.T) {
	play(t, 2, func(s *scene) {
		a := newBroker("a", "t")
		a.start(s, s.java, &s.shims[0].front)
		s.same(soon, "t", "made")
		for i := range 20 {
			made := fmt.Sprint("made-", i)
			a.has("t", made)
			s.same(soon, "t", made) // and it was asked for before, in vain
			time.Sleep(time.Duration(i) * 300 * time.Millisecond)
		}
		a.die()
		s.same(soon, "t")
	})
}

// A shim is gone for ever: what only it held goes when its time is over,
// whether anybody sweeps or not, and not before.
func TestAnothersSessionRunsOut(t *testing.T) {
	play(t, 2, func(s *scene) {
		a := newBroker("a", "t")
		a.start(s, s.java, &s.shims[0].front)
		s.same(soon, "t")
		s.shims[0].kill()
		end := s.watch("t")
		time.Sleep(110 * time.Second) // of 120
		end()
		s.eventually(20*time.Second, "it is gone", func() string {
			if got := s.shims[1].say(routeOf("t")); !strings.HasPrefix(got, "code 17") {
				return got
			}
			return ""
		})
		a.die()
	})
}

// A lost beat of the session is nothing, for a broker with a short timeout too.
func TestALostBeat(t *testing.T) {
	for _, f := range []link.Fault{link.Cut, link.Lost, link.Hung, link.Slow(10 * time.Second)} {
		t.Run(f.String(), func(t *testing.T) {
			play(t, 2, func(s *scene) {
				a := newBroker("a", "t")
				a.timeout, a.period = 10*time.Second, 3*time.Second
				s.start(a)
				end := s.watch("t")
				for range 5 {
					time.Sleep(30 * time.Second)
					s.always(f)
					time.Sleep(beat)
					s.mend()
				}
				s.same(soon, "t")
				if err := s.cloud.sweep(); err != nil {
					t.Error(err)
				}
				if gone := s.cloud.gone(); len(gone) > 0 {
					t.Errorf("announced: %v", gone)
				}
				end()
				a.freeze() // its own timeout is exact all the same
				time.Sleep(13 * time.Second)
				s.cloudHas(0, "t")
				s.same(soon, "t")
				a.die()
			})
		})
	}
}

// A group's brokers are told of its lowest id by the shim that they are
// connected to, wherever the one was that left or came.
func TestTheLowestIDIsTold(t *testing.T) {
	play(t, 2, func(s *scene) {
		master := func() *broker {
			b := newBroker("g", "t")
			b.acting = true
			b.start(s, s.java, &s.shims[0].front)
			return b
		}
		first := master()
		slave := newBroker("g", "t")
		slave.acting, slave.id, slave.addr = true, 1, "10.0.0.9:10911"
		slave.start(s, s.java, &s.shims[1].front)
		s.same(soon, "t")
		told := func(id int64) {
			t.Helper()
			s.eventually(soon, fmt.Sprintf("the slave is told of %d", id), func() string {
				all := s.shims[1].minimums()
				if n := len(all); n == 0 || all[n-1].MinID != id || !slices.Contains(all[n-1].Tell, slave.addr) {
					return fmt.Sprintf("%+v", all)
				}
				return ""
			})
		}
		first.die()
		told(1)
		s.same(soon, "t")
		master()
		told(0)
		s.same(soon, "t")
	})
}
