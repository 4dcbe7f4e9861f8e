package dynamo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"signpost/core"
)

// seenHead remembers the head as this store saw it last. It only moves on.
type seenHead struct {
	mu sync.Mutex
	headSeen
}

type headSeen struct {
	log      changeLog
	sessions core.Sessions // never modified
	at       time.Time     // when it was read; zero: it has to be read as it is now
	forgot   int           // counts what a read that began before it does not know
}

func (h *seenHead) last() headSeen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.headSeen
}

// raised takes in a log that a write returned.
func (h *seenHead) raised(l changeLog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.revision >= h.log.revision {
		h.log = l
	}
}

// read takes in what a read found that began at that moment, after so many
// forgets, and returns what is known then.
func (h *seenHead) read(l changeLog, sessions core.Sessions, at time.Time, forgot int) headSeen {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l.revision >= h.log.revision {
		h.log = l
	}
	if forgot == h.forgot {
		for i := range sessions {
			if was, ok := h.sessions.Find(sessions[i].ID); ok && was.Last.After(sessions[i].Last) {
				sessions[i].Last = was.Last
			}
		}
		h.sessions, h.at = sessions, at
	}
	return h.headSeen
}

// beaten moves one session on. Who beats asks what is new: what was seen counts
// as that much older from then on, so that it is read again.
func (h *seenHead) beaten(id string, now time.Time, older time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.at.IsZero() {
		h.at = h.at.Add(-older)
	}
	i := slices.IndexFunc(h.sessions, func(s core.Session) bool { return s.ID == id })
	if now = fromMillis(now.UnixMilli()); i >= 0 && now.After(h.sessions[i].Last) {
		h.sessions = slices.Clone(h.sessions)
		h.sessions[i].Last = now
	}
}

// forget says that a session came or went: the next read has to tell.
func (h *seenHead) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions, h.at = nil, time.Time{}
	h.forgot++
}

// Head returns where the store stands and what changed after since: from
// memory, for as long as WithHeadAge says; else by one query, for half the
// price of a consistent one if that reaches far enough.
func (s *Store) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	seen, err := s.head(ctx, since, fresh)
	if err != nil {
		return core.Head{}, fmt.Errorf("read revision: %w", err)
	}
	head := core.Head{Revision: seen.log.revision, Sessions: seen.sessions}
	head.Changes, head.Complete, err = seen.log.since(since)
	return head, err
}

func (s *Store) head(ctx context.Context, since core.Revision, fresh bool) (headSeen, error) {
	if fresh {
		return s.readHead(ctx, since, true)
	}
	if seen := s.seen.last(); s.serves(seen, since) {
		return seen, nil
	}
	// One reads it for all that wait.
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return headSeen{}, ended(ctx)
	}
	if seen := s.seen.last(); s.serves(seen, since) {
		return seen, nil
	}
	return s.readHead(ctx, since, false)
}

// serves says whether what was seen is young enough, and reaches far enough.
func (s *Store) serves(seen headSeen, since core.Revision) bool {
	age := s.Now().Sub(seen.at)
	return !seen.at.IsZero() && seen.log.revision >= since && age >= 0 && age < s.headAge
}

func (s *Store) readHead(ctx context.Context, since core.Revision, fresh bool) (headSeen, error) {
	began, seen := s.Now(), s.seen.last()
	consistent := fresh || seen.at.IsZero()
	l, sessions, err := s.queryHead(ctx, consistent)
	if err == nil && !consistent && l.revision < max(since, seen.log.revision) {
		l, sessions, err = s.queryHead(ctx, true)
	}
	if err != nil {
		return headSeen{}, err
	}
	s.load.saw(l, len(sessions), began)
	now := s.seen.read(l, sessions, began, seen.forgot)
	if now.at.IsZero() {
		now.sessions = sessions // another came or went since: this is what was there when it was asked
	}
	return now, nil
}

func (s *Store) queryHead(ctx context.Context, consistent bool) (changeLog, core.Sessions, error) {
	items, err := s.queryPrefix(ctx, headPartition, "", consistent)
	if err != nil {
		return changeLog{}, nil, err
	}
	var revision item
	if len(items) > 0 && keyOf(items[0]) == revisionKey() { // sorts before the sessions
		revision, items = items[0], items[1:]
	}
	l, err := logOf(revision)
	if err != nil {
		return changeLog{}, nil, err
	}
	sessions, err := sessionsOf(items)
	return l, sessions, err
}
