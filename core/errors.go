package core

import (
	"errors"
	"fmt"
	"time"
)

// Sentinel errors. The edges map each of them to a response code or an HTTP
// status in one table; wrap them with context, compare with errors.Is.
var (
	// ErrNoTopic says that no live broker has the topic.
	ErrNoTopic = errors.New("no route for the topic")
	// ErrNotFound says that the named thing (a KV namespace or key, a group) does not exist.
	ErrNotFound = errors.New("not found")
	// ErrRefused says that a registration was understood and turned down;
	// the broker tries again with its next one.
	ErrRefused = errors.New("registration refused")
	// ErrNameConflict says that a living broker of another cluster holds the brokerName.
	ErrNameConflict = errors.New("broker name is in use by another cluster")
	// ErrConflict says that an item changed between the read and the conditional write.
	ErrConflict = errors.New("changed by someone else meanwhile")
	// ErrChanged says that a renewal does not find the state it was to renew:
	// the full registration is needed.
	ErrChanged = errors.New("not what is registered here")
	// ErrStale says that a statement is older than what it would overwrite,
	// remove or bring back.
	ErrStale = errors.New("older than what is known")
	// ErrBusy says that another writer is storing the group's topics; try again shortly.
	ErrBusy = errors.New("another writer is storing this group's topics")
	// ErrSessionClosed says that the session ran out or was closed. It never
	// comes back: open a new one and confirm what it held.
	ErrSessionClosed = errors.New("session is closed")
	// ErrForbidden says that the session, or the cluster, is not the caller's.
	ErrForbidden = errors.New("not the owner")
	// ErrUnavailable says that the store cannot answer now: it throttles, or
	// takes too long. What was asked for may have been done or not; try later.
	ErrUnavailable = errors.New("the store cannot answer now")
)

// NoTopicError is an ErrNoTopic that tells how long it may be believed, were
// no change raised before.
type NoTopicError struct {
	ValidUntil time.Time
	// Settled says that only a change ends it, which raises the revision: there
	// is no lease behind it. ValidUntil is then a bound like any other's.
	Settled bool
}

func (e *NoTopicError) Error() string { return ErrNoTopic.Error() }

func (e *NoTopicError) Unwrap() error { return ErrNoTopic }

// ClusterError is an ErrForbidden: the caller may not write that cluster.
type ClusterError struct{ Cluster string }

func (e *ClusterError) Error() string {
	return fmt.Sprintf("the caller may not write the cluster %q", e.Cluster)
}

func (e *ClusterError) Unwrap() error { return ErrForbidden }

// FieldError is bad input: which field, and why. Its text is fit for the peer.
type FieldError struct {
	Field  string // RocketMQ's own field name, such as brokerAddr
	Reason string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }
