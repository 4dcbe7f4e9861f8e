package core

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// DefaultTimeout is how long a broker lives after its last heartbeat unless
// its registration names another time (Java: RouteInfoManager
// DEFAULT_BROKER_CHANNEL_EXPIRED_TIME).
const DefaultTimeout = 120 * time.Second

// SessionTimeout is how long a gateway's session lives after its last beat.
const SessionTimeout = 30 * time.Second

// Session is one run of one gateway (a shim process). The gateway beats for
// its session, not for each broker; it watches its brokers itself.
type Session struct {
	ID      string
	Gateway string    // the gateway's stable id
	Owner   string    // the caller identity that opened it
	Opened  time.Time // when that was
	Last    time.Time // last beat
	Closed  bool

	guard time.Duration // see guarded; no store keeps it
}

// Deadline is the last moment at which the session is alive.
func (s Session) Deadline() time.Time { return s.Last.Add(SessionTimeout) }

// Alive says whether the session can still be renewed at now.
func (s Session) Alive(now time.Time) bool { return !s.Closed && !now.After(s.Deadline()) }

// FollowTime is how old a session's last beat may be for its leases to be left
// to those who hear of the sessions themselves. A session beats several times
// within it, and what is left until its end is time enough to notice.
const FollowTime = 20 * time.Second

// followed says whether the session goes on beating, as far as is known at now.
func (s Session) followed(now time.Time) bool {
	return s.ID != "" && !s.Closed && !now.After(s.Last.Add(FollowTime))
}

// Sessions is sorted by ID and never modified once handed out.
type Sessions []Session

// Find returns the session with that id.
func (s Sessions) Find(id string) (Session, bool) {
	i, ok := slices.BinarySearchFunc(s, id, func(a Session, id string) int { return strings.Compare(a.ID, id) })
	if !ok {
		return Session{}, false
	}
	return s[i], true
}

// Lease keeps a replica alive. It is direct (Session empty, Timeout after the
// broker's own last heartbeat) or held by a gateway's session.
type Lease struct {
	Session string
	// Front tells direct leases apart: the front that hears the broker. What
	// ends at one, as a connection does, leaves the others alone. It is empty
	// where Session is not.
	Front string
	Said  time.Time // the newest statement that this lease rests on
}

// compare is the order of a replica's leases: direct ones first.
func (l Lease) compare(o Lease) int {
	return cmp.Or(strings.Compare(l.Session, o.Session), strings.Compare(l.Front, o.Front))
}

// held says whether l is the lease of that session, or of that front if there
// is none.
func (l Lease) held(session, front string) bool {
	return l.Session == session && (session != "" || l.Front == front)
}

// deadline is the last moment at which the lease holds, as far as is known at
// now; the zero time if it holds no more. A broker is gone when now is strictly
// later, as in Java's scanNotActiveBroker. A session's lease lasts
// max(timeout, SessionTimeout) beyond the session's last beat, since the
// gateway judges the broker's own timeout; and longer while it is guarded.
func (l Lease) deadline(timeout time.Duration, sessions Sessions, now time.Time) time.Time {
	if l.Session == "" {
		return l.Said.Add(timeout)
	}
	s, ok := sessions.Find(l.Session)
	if !ok || s.Closed {
		return time.Time{}
	}
	return sessions.extended(s.Last.Add(max(timeout, SessionTimeout)), s.guard, now)
}
