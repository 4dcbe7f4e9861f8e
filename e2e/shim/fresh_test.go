package shim_test

import (
	"testing"
	"time"
)

// That the table is empty is not to be seen by those either who ask for what
// nobody has asked for before: its broker is connected here.
func TestTheTableIsEmptyForNewTopics(t *testing.T) {
	play(t, 2, func(s *scene) {
		b := newBroker("bb", "t", "fresh")
		b.start(s, s.fronts()...)
		s.same(soon, "t")
		time.Sleep(time.Minute)
		s.cloud.empty()
		end := s.watch("fresh")
		time.Sleep(time.Minute)
		end()
		s.same(soon, "t", "fresh")
	})
}
