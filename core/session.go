package core

import (
	"context"
	"fmt"
	"time"
)

// OpenSession begins a gateway's session; its leases stand while it beats.
// ErrSessionClosed if the id was used before.
func (r *Registry) OpenSession(ctx context.Context, now time.Time, s Session) error {
	if s.ID == "" {
		return &FieldError{Field: "id", Reason: "is missing"}
	}
	s.Opened, s.Last, s.Closed = now, now, false
	if err := r.store.OpenSession(ctx, s); err != nil {
		return fmt.Errorf("open session %s: %w", s.ID, err)
	}
	return nil
}

// BeatSession renews a session and returns what changed since the revision
// that the gateway knows, with the remaining times of all sessions.
func (r *Registry) BeatSession(ctx context.Context, now time.Time, id, owner string, since Revision) (Head, error) {
	if err := r.store.BeatSession(ctx, id, owner, now); err != nil {
		return Head{}, fmt.Errorf("beat of session %s: %w", id, err)
	}
	return r.Head(ctx, since, false)
}
