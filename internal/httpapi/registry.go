package httpapi

import (
	"context"
	"time"

	"signpost/core"
)

// Reader is the route model as the calls of class read use it. It has no
// method that changes anything.
type Reader interface {
	Header
	Router
	Lister
	Values
}

// Writer is the route model as the calls of classes register and admin use it.
type Writer interface {
	Header
	Values
	Registrar
	Gateways
	Administrator
	// Group tells which cluster a broker is in.
	Group(ctx context.Context, now time.Time, name string) (core.Group, error)
}

var (
	_ Reader = (*core.Registry)(nil)
	_ Writer = (*core.Registry)(nil)
)

// Header tells where the store stands.
type Header interface {
	// Head returns the revision with what changed after since, and the
	// sessions. It reads again rather than return a revision below since from
	// memory; fresh asks it to remember nothing at all. Calls that follow see
	// at least that revision.
	Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error)
}

// Router finds topics.
type Router interface {
	Route(ctx context.Context, now time.Time, topic string) (*core.Route, error)
}

// Lister lists what is alive.
type Lister interface {
	Topics(ctx context.Context, now time.Time, kind core.TopicKind, cluster string) (names []string, validUntil time.Time, err error)
	Groups(ctx context.Context, now time.Time) ([]core.Group, error)
	Group(ctx context.Context, now time.Time, name string) (core.Group, error)
	Leases(ctx context.Context, session string) ([]core.Held, error)
}

// Values reads the operators' configuration.
type Values interface {
	KV(ctx context.Context, namespace string) (map[string]string, error)
}

// Registrar takes what brokers say of themselves.
type Registrar interface {
	Register(ctx context.Context, now time.Time, r core.Registration) (core.Registered, error)
	Beat(ctx context.Context, now time.Time, b core.Beat) (core.BeatAnswer, error)
	Unregister(ctx context.Context, now time.Time, d core.Departure) (core.Revision, error)
	RegisterQueues(ctx context.Context, now time.Time, topic string, rows []core.Row) (core.Revision, error)
}

// Gateways takes what gateways say of themselves.
type Gateways interface {
	OpenSession(ctx context.Context, now time.Time, s core.Session) error
	BeatSession(ctx context.Context, now time.Time, id, owner string, since core.Revision) (core.Head, error)
}

// Administrator does what operators ask for.
type Administrator interface {
	WipeWrite(ctx context.Context, now time.Time, broker string) (count int, raised core.Revision, err error)
	AddWrite(ctx context.Context, now time.Time, broker string) (count int, raised core.Revision, err error)
	DeleteTopic(ctx context.Context, now time.Time, topic, cluster string) (core.Revision, error)
	PutKV(ctx context.Context, namespace, key, value string) (core.Revision, error)
	DeleteKV(ctx context.Context, namespace, key string) (core.Revision, error)
}
