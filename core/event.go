package core

import (
	"context"
	"time"
)

// EventKind names what happened. The names are API from the first release.
type EventKind string

// The events of the model.
const (
	BrokerRegistered   EventKind = "BrokerRegistered"
	BrokerUnregistered EventKind = "BrokerUnregistered"
	BrokerEvicted      EventKind = "BrokerEvicted"
	MasterChanged      EventKind = "MasterChanged"
	TopicRouteChanged  EventKind = "TopicRouteChanged"
	BrokerNameConflict EventKind = "BrokerNameConflict"
	MassExpiryHeld     EventKind = "MassExpiryHeld"
)

// maxEventTopics bounds the names in one event; Count tells how many there were.
const maxEventTopics = 100

// Event is one thing that happened to a group. It waits in the group's outbox
// until a Sink accepted it.
type Event struct {
	Kind     EventKind
	Revision Revision // the revision that it raised; 0 until that is stored
	At       time.Time
	Cluster  string
	Broker   string
	ID       int64
	Addr     string
	OldAddr  string   // MasterChanged: the address before; BrokerNameConflict: the address that was refused
	Topics   []string // TopicRouteChanged: at most 100 names
	Count    int      // TopicRouteChanged: how many topics changed; 0 if that was lost with a crash
}

// same says whether two events, both with their revision, are one.
func (e Event) same(o Event) bool {
	return e.Kind == o.Kind && e.Revision == o.Revision && e.Broker == o.Broker && e.ID == o.ID && e.Addr == o.Addr &&
		e.OldAddr == o.OldAddr && e.At.Equal(o.At)
}

// Sink receives events, at least once and in no promised order. An event that
// comes again is the same in all its fields, its Revision included.
type Sink interface {
	// Publish returns how many of the events, from the first on, it has
	// accepted; an error says why it stopped.
	Publish(ctx context.Context, events []Event) (accepted int, err error)
}

// Discard is a Sink that wants nothing.
type Discard struct{}

// Publish accepts everything.
func (Discard) Publish(_ context.Context, events []Event) (int, error) { return len(events), nil }

// MinBrokerChange says that a group's lowest living brokerId has changed. The
// 5.x brokers of the group want to know it at once (request code 905).
type MinBrokerChange struct {
	Broker      string
	MinID       int64
	MinAddr     string
	OfflineAddr string   // who left, if that is why
	HAAddr      string   // HA address of the newcomer, if that is why
	Tell        []string // addresses of the brokers to tell, sorted
}
