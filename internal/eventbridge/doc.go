// Package eventbridge is the core.Sink on an EventBridge bus.
//
// An event's Source is "signpost", its DetailType the core.EventKind, its
// Detail a small versioned JSON object (see detail.go, and infra/events for
// the schema of each kind). Delivery is at least once: receivers drop what has
// an id that they have seen.
package eventbridge
