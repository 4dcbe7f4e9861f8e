package shim_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/e2e/shim/link"
)

// One shim of two is cut off and says what it has to say that much later: it
// undoes nothing that has happened since.
func TestOneShimDeliversLate(t *testing.T) {
	for _, late := range []time.Duration{0, 5 * time.Second, time.Minute, 150 * time.Second} {
		for name, happens := range map[string]func(*scene, *broker, *broker) *broker{
			"a broker leaves": func(s *scene, _, b *broker) *broker {
				b.leave(s.fronts()...)
				return nil
			},
			"a broker dies": func(s *scene, _, b *broker) *broker {
				b.die()
				return nil
			},
			"a broker comes back at once": func(s *scene, _, b *broker) *broker {
				b.die()
				again := newBroker("bb", "t", "u", "v")
				again.version = 2
				again.start(s, s.fronts()...)
				return again
			},
			"a broker has other topics": func(_ *scene, _, b *broker) *broker {
				b.has("t", "v")
				return b
			},
			"another takes its place": func(s *scene, _, b *broker) *broker {
				b.die()
				heir := newBroker("bb", "t", "u")
				heir.addr, heir.version = "10.0.0.2:10911", 2
				heir.start(s, s.fronts()...)
				return heir
			},
			"its connection to the other one closes": func(s *scene, _, b *broker) *broker {
				b.quit(&s.shims[0].front)
				return b
			},
		} {
			t.Run(fmt.Sprint(name, ", ", late), func(t *testing.T) {
				play(t, 2, func(s *scene) {
					a, b := s.start(newBroker("a", "t")), s.start(newBroker("bb", "t", "u"))
					end := s.watch("t")
					s.shims[1].link.Set(link.Always(link.Cut))
					time.Sleep(late / 2)
					left := happens(s, a, b)
					time.Sleep(late / 2)
					s.mend()
					s.same(soon, "t", "u", "v")
					time.Sleep(5 * time.Minute)
					s.same(soon, "t", "u", "v")
					end()
					a.die()
					if left != nil {
						left.die()
					}
					s.same(soon, "t", "u", "v")
				})
			})
		}
	}
}

// Calls come late, and twice, when what they say is long undone.
func TestCallsComeLateAndTwice(t *testing.T) {
	for _, f := range []link.Fault{
		link.Late(time.Second), link.Late(25 * time.Second), link.Again(time.Second), link.Again(25 * time.Second),
	} {
		t.Run(f.String(), func(t *testing.T) {
			play(t, 2, func(s *scene) {
				a, b := s.start(newBroker("a", "t")), s.start(newBroker("bb", "t", "u"))
				end := s.watch("t")
				s.always(f)
				time.Sleep(time.Second)
				b.has("t", "u", "v")
				time.Sleep(5 * time.Second)
				b.leave(s.fronts()...)
				time.Sleep(5 * time.Second)
				c := newBroker("bb", "t", "w")
				c.version = 3
				c.start(s, s.fronts()...)
				time.Sleep(5 * time.Second)
				s.mend()
				time.Sleep(time.Minute)
				s.same(soon, "t", "u", "v", "w")
				end()
				a.die()
				c.leave(s.fronts()...)
				time.Sleep(time.Minute)
				s.same(soon, "t", "u", "v", "w")
			})
		})
	}
}
