package memory

import (
	"context"
	"slices"

	"signpost/core"
)

// Bounds of the log of changes.
const (
	logChanges  = 1024
	changeNames = 4096  // topics that one change names; beyond it only says "many"
	logNames    = 65536 // topics that all changes together name
)

// head is where the store stands. It is never modified.
type head struct {
	revision core.Revision
	log      []core.Change // the last ones, without a gap
	sessions core.Sessions
}

// Head returns where the store stands and what changed after since.
func (s *Store) Head(_ context.Context, since core.Revision) (core.Head, error) {
	h := s.head.Load()
	answer := core.Head{Revision: h.revision, Sessions: h.sessions}
	switch {
	case since == h.revision:
		answer.Complete = true
	case since > h.revision:
		// From another history than this store's.
	default:
		behind := h.revision - since
		answer.Complete = behind <= core.Revision(len(h.log))
		answer.Changes = h.log[len(h.log)-min(int(min(behind, logChanges)), len(h.log)):]
	}
	return answer, nil
}

// ledger is what is known of changes and sessions beyond the head. It is
// guarded by Store.headMu.
type ledger struct {
	raised core.Revision // the last one given to a change; the head follows
	names  int           // in the head's log
	closed closedSessions
}

// Raise appends the changes to the log, each with a revision of its own.
func (s *Store) Raise(_ context.Context, changes []core.Change) (core.Revision, error) {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	next := *s.head.Load()
	for _, c := range changes {
		s.ledger.raised++
		c.Revision = s.ledger.raised
		next.log = s.ledger.appendChange(next.log, c)
		next.revision = c.Revision
	}
	s.head.Store(&next)
	return s.ledger.raised, nil
}

// appendChange returns the log with c at its end and without what is beyond
// the bounds. Earlier logs stay as they are: what they hold is not written to.
func (l *ledger) appendChange(log []core.Change, c core.Change) []core.Change {
	if len(c.Topics) > changeNames {
		c.Topics, c.Many = nil, true
	}
	c.Topics = slices.Clone(c.Topics)
	log = append(log, c)
	l.names += len(c.Topics)
	for len(log) > logChanges || l.names > logNames {
		l.names -= len(log[0].Topics)
		log = log[1:]
	}
	return log
}
