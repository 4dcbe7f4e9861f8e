// Package api is the client of API v1 (infra/openapi.yaml): one method a call,
// signed anew at each attempt, with answers and problems as core values.
package api

import (
	"time"

	"signpost/core"
)

// Meta is what every answer says beside its body.
type Meta struct {
	Revision core.Revision
	ValidFor time.Duration // for which the answer may be kept while the revision stays
	Guarded  bool
}

// Registration is a broker's registration with what has to be known to send
// it, perhaps several times: its age is stamped at each attempt.
type Registration struct {
	core.Registration           // Age, Digest, Content, Owner, Front and Clusters are not used
	Said              time.Time // when the broker said it, by this process's monotonic clock
	Body              Body      // what is in core.Content
}

// Body is the content of a registration as it is sent, kept compressed: one
// member of a gzip file (RFC 1952, 2.2), which follows the member that an
// attempt begins with.
type Body struct{ gzipped []byte }

// Size is how many bytes it takes.
func (b Body) Size() int { return len(b.gzipped) }

// Registered answers a registration.
type Registered struct {
	Meta
	core.Registered
	Group Group
}

// Beat confirms that a session holds a broker.
type Beat struct {
	core.Beat           // Age, Owner and Front are not used
	Said      time.Time // when the broker was heard last
}

// Confirmed answers one Beat.
type Confirmed struct {
	Answer core.BeatAnswer
	Group  Group // as it is now; without replicas if there is none
}

// Departure is a broker that leaves, or with LeaseOnly one session's lease.
type Departure struct {
	core.Departure           // Age, Owner and Front are not used
	Said           time.Time // when it left
}

// Group is a broker group as it is now: its living replicas.
type Group struct {
	core.Group               // leases have only their Session, or none and Front "direct"
	ValidFor   time.Duration // before a lease in it could run out, were all living sessions to go on beating
}

// SessionHead answers a session's beat.
type SessionHead struct {
	Meta
	Changes  []core.Change // since the revision that was named; all of them only if Complete
	Complete bool
	Sessions []SessionLeft
}

// SessionLeft is a session that is not closed.
type SessionLeft struct {
	ID        string
	Gateway   string
	Age       time.Duration // since its last beat
	Remaining time.Duration // in which it has to beat again; 0 if it ran out
}

// RoutesQuery asks for several routes, of which only those come back that are
// not what the asker has.
type RoutesQuery struct {
	Revision   core.Revision // the newest that the asker knows
	Consistent bool          // from what is there now, whatever is kept
	Topics     []KnownRoute  // at most MaxBatch
}

// KnownRoute is a topic with the ETag of what the asker has of it, "" if nothing.
type KnownRoute struct{ Topic, ETag string }

// Routes answers a RoutesQuery, in its order.
type Routes struct {
	Meta
	Routes []RouteAnswer
}

// RouteStatus is what is said of one topic.
type RouteStatus string

// What a batch says of a topic.
const (
	RouteChanged   RouteStatus = "changed"
	RouteUnchanged RouteStatus = "unchanged" // the asker's ETag holds
	RouteAbsent    RouteStatus = "absent"    // no living broker has it
	RouteLater     RouteStatus = "later"     // the answer was full: ask again
)

// RouteAnswer is one of them.
type RouteAnswer struct {
	Topic    string
	Status   RouteStatus
	ETag     string
	ValidFor time.Duration // were all living sessions to go on beating
	Silent   []string      // brokers that have the topic and do not live, sorted
	Body     []byte        // the route in standard JSON, if it changed: wire.DecodeRoute
}

// MaxBatch is how many beats, or topics, fit one call.
const MaxBatch = 1000
