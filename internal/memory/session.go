package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"signpost/core"
)

// closedKept bounds the ids of closed sessions that are remembered, the last
// ones. Ids are random: one that is forgotten is not used again.
const closedKept = 4096

// closedSessions are the ids of sessions that were closed.
type closedSessions struct {
	ids   map[string]struct{}
	order []string // oldest first
}

func (c *closedSessions) has(id string) bool {
	_, ok := c.ids[id]
	return ok
}

// add remembers the id and returns one that is forgotten for it.
func (c *closedSessions) add(id string) (forgotten string, ok bool) {
	if c.ids == nil {
		c.ids = map[string]struct{}{}
	}
	c.ids[id] = struct{}{}
	c.order = append(c.order, id)
	if len(c.order) <= closedKept {
		return "", false
	}
	forgotten = c.order[0]
	c.order = c.order[1:]
	delete(c.ids, forgotten)
	return forgotten, true
}

// Sessions returns the open sessions.
func (s *Store) Sessions(context.Context) (core.Sessions, error) { return s.head.Load().sessions, nil }

// OpenSession stores a new session.
func (s *Store) OpenSession(_ context.Context, session core.Session) error {
	if err := checkName("session", session.ID); err != nil {
		return err
	}
	s.headMu.Lock()
	defer s.headMu.Unlock()
	next := *s.head.Load()
	i, there := findSession(next.sessions, session.ID)
	if there || s.ledger.closed.has(session.ID) {
		return fmt.Errorf("open session %s: %w", session.ID, core.ErrSessionClosed)
	}
	next.sessions = slices.Insert(slices.Clip(next.sessions), i, session)
	s.head.Store(&next)
	s.disk.put(map[item][]byte{{sessionsBucket, session.ID}: seal(session.ID, appendSession(nil, &session))})
	return nil
}

// BeatSession moves the session's Last forward. It is not written to disk, as
// with Renew.
func (s *Store) BeatSession(_ context.Context, id, owner string, now time.Time) error {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	next := *s.head.Load()
	i, there := findSession(next.sessions, id)
	switch {
	case !there || !next.sessions[i].Alive(now):
		return fmt.Errorf("beat session %s: %w", id, core.ErrSessionClosed)
	case next.sessions[i].Owner != owner:
		return fmt.Errorf("beat session %s: %w", id, core.ErrForbidden)
	case !now.After(next.sessions[i].Last):
		return nil
	}
	next.sessions = slices.Clone(next.sessions)
	next.sessions[i].Last = now
	s.head.Store(&next)
	return nil
}

// CloseSession closes the session if its last beat is still that one. A
// session that is not there is closed already.
func (s *Store) CloseSession(_ context.Context, id string, last time.Time) error {
	s.headMu.Lock()
	defer s.headMu.Unlock()
	next := *s.head.Load()
	i, there := findSession(next.sessions, id)
	switch {
	case !there:
		return nil
	case !next.sessions[i].Last.Equal(last):
		return fmt.Errorf("close session %s: %w", id, core.ErrConflict)
	}
	closed := next.sessions[i]
	closed.Closed = true
	next.sessions = slices.Delete(slices.Clone(next.sessions), i, i+1)
	s.head.Store(&next)
	records := map[item][]byte{{sessionsBucket, id}: seal(id, appendSession(nil, &closed))}
	if forgotten, ok := s.ledger.closed.add(id); ok {
		records[item{sessionsBucket, forgotten}] = nil
	}
	s.disk.put(records)
	return nil
}

func findSession(sessions core.Sessions, id string) (int, bool) {
	return slices.BinarySearchFunc(sessions, id, func(s core.Session, id string) int { return cmp.Compare(s.ID, id) })
}
