package memory

import (
	"context"
	"fmt"
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

// Head returns where the store stands and what changed after since, as it is now.
func (s *Store) Head(_ context.Context, since core.Revision, _ bool) (core.Head, error) {
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
	raised core.Revision // the last one given to a change
	staged []core.Change // raised, and not in the head before they are committed
	names  int           // in the head's log
	closed closedSessions
}

// Raise appends the changes to the log, each with a revision of its own. When
// it returns, everything written before is in the file, and only then the
// changes are seen. After an error they will be, once a later commit succeeds.
func (s *Store) Raise(ctx context.Context, changes []core.Change) (core.Revision, error) {
	raised, commit := s.stage(changes)
	if commit != nil {
		resume := core.Waiting(ctx)
		err := commit.wait(ctx)
		resume()
		if err != nil {
			return 0, fmt.Errorf("raise the revision to %d: %w", raised, err)
		}
	}
	return raised, nil
}

// stage gives the changes their revisions and returns the last one with its
// commit, or puts them into the head at once if there is no file.
func (s *Store) stage(changes []core.Change) (core.Revision, *commit) {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	for _, c := range changes {
		if len(c.Topics) > changeNames {
			c.Topics, c.Many = nil, true
		}
		c.Topics = slices.Clone(c.Topics)
		s.ledger.raised++
		c.Revision = s.ledger.raised
		s.ledger.staged = append(s.ledger.staged, c)
	}
	if s.disk == nil {
		s.publish(s.ledger.raised)
		return s.ledger.raised, nil
	}
	return s.ledger.raised, s.disk.raise(s.ledger.raised)
}

// publish moves the changes up to the revision into the head. The caller
// holds headMu.
func (s *Store) publish(upTo core.Revision) {
	next := *s.head.Load()
	if upTo <= next.revision {
		return
	}
	l := &s.ledger
	n := 0
	for n < len(l.staged) && l.staged[n].Revision <= upTo {
		next.log = l.appendChange(next.log, l.staged[n])
		n++
	}
	next.revision = upTo
	l.staged = slices.Delete(l.staged, 0, n)
	s.head.Store(&next)
}

// appendChange returns the log with c at its end and without what is beyond
// the bounds. Earlier logs stay as they are: what they hold is not written to.
func (l *ledger) appendChange(log []core.Change, c core.Change) []core.Change {
	log = append(log, c)
	l.names += len(c.Topics)
	for len(log) > logChanges || l.names > logNames {
		l.names -= len(log[0].Topics)
		log = log[1:]
	}
	return log
}
