// Package upstream is the registry of a NameServer that has none of its own: the
// brokers connected to it (held) and what the API told of all others (follow),
// seen as one.
package upstream

import (
	"context"
	"errors"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/follow"
	"signpost/internal/upstream/held"
)

// Options are what a Registry works with; all are required.
type Options struct {
	Cloud  Cloud
	Held   *held.Brokers
	Follow *follow.Follower
	Local  Local
}

// Cloud is what is asked of the API here: an *api.Client.
type Cloud interface {
	Lister
	Administrator
	RegisterQueues(ctx context.Context, topic string, rows []core.Row) (api.Meta, error)
}

// Lister are the lists of the API.
type Lister interface {
	Topics(ctx context.Context, kind core.TopicKind, cluster string) ([]string, api.Meta, error)
	Clusters(ctx context.Context) ([]core.Group, api.Meta, error)
	Group(ctx context.Context, name string) (api.Group, api.Meta, error)
}

// Administrator are the API's calls of operators.
type Administrator interface {
	WipeWrite(ctx context.Context, broker string) (int, api.Meta, error)
	AddWrite(ctx context.Context, broker string) (int, api.Meta, error)
	DeleteTopic(ctx context.Context, topic, cluster string) (api.Meta, error)
	PutKV(ctx context.Context, namespace, key, value string) (api.Meta, error)
	DeleteKV(ctx context.Context, namespace, key string) (api.Meta, error)
}

// Local knows what the brokers connected here have said: the registry that
// judges them for held.
type Local interface {
	Topics(ctx context.Context, now time.Time, kind core.TopicKind, cluster string) ([]string, time.Time, error)
	Groups(ctx context.Context, now time.Time) ([]core.Group, error)
	Route(ctx context.Context, now time.Time, topic string) (*core.Route, error)
}

var (
	_ Cloud = (*api.Client)(nil)
	_ Local = (*core.Registry)(nil)
)

// Registry is the route model as the TCP front uses it. An error of its methods
// that is about the API rather than about what was asked has a text and a code
// for the peer.
type Registry struct {
	cloud   Cloud
	held    *held.Brokers
	known   *follow.Follower
	local   Local
	answers answers
}

// New returns a Registry.
func New(o Options) *Registry {
	return &Registry{cloud: o.Cloud, held: o.Held, known: o.Follow, local: o.Local, answers: newAnswers()}
}

// Register takes a broker's registration; see held.
func (r *Registry) Register(ctx context.Context, now time.Time, reg core.Registration) (core.Registered, error) {
	answer, err := r.held.Register(ctx, now, reg)
	return answer, told(err)
}

// Renew takes an unchanged registration. It never waits.
func (r *Registry) Renew(ctx context.Context, now time.Time, reg core.Registration) (core.Registered, bool, error) {
	return r.held.Renew(ctx, now, reg)
}

// Beat takes a light heartbeat.
func (r *Registry) Beat(ctx context.Context, now time.Time, b core.Beat) (core.BeatAnswer, error) {
	answer, err := r.held.Beat(ctx, now, b)
	return answer, told(err)
}

// Unregister takes a broker out, or what is held of it here; see held.
func (r *Registry) Unregister(ctx context.Context, now time.Time, d core.Departure) (core.Revision, error) {
	if !nameable(d.Broker, d.Addr) {
		return 0, nil
	}
	raised, err := r.held.Unregister(ctx, now, d)
	return raised, told(err)
}

// DataVersion returns what a broker has registered here.
func (r *Registry) DataVersion(ctx context.Context, now time.Time, cluster, broker, addr string) (core.DataVersion, error) {
	v, err := r.held.DataVersion(ctx, now, cluster, broker, addr)
	return v, told(err)
}

// KnownRoute returns what may be answered of a topic at once. It never waits.
func (r *Registry) KnownRoute(now time.Time, topic string) (*core.Route, error, bool) { //nolint:revive // as nameserver.Known
	found, err, ok := r.known.Known(now, topic)
	if !ok {
		return nil, nil, false
	}
	route, err := r.seen(now, topic, found, err)
	return route, err, true
}

// KnownOrder returns the order configuration if it may be answered at once.
func (r *Registry) KnownOrder() (map[string]string, bool) { return r.known.KnownOrder() }

// Route returns where a topic is: as the API has it, with what is pending here.
func (r *Registry) Route(ctx context.Context, now time.Time, topic string) (*core.Route, error) {
	found, err := r.known.Route(ctx, now, topic)
	return r.seen(now, topic, found, err)
}

// seen is a route, or why there is none, with what is pending here.
func (r *Registry) seen(now time.Time, topic string, cloud follow.Found, err error) (*core.Route, error) {
	route := r.held.Overlay(now, topic, cloud.Route, cloud.Revision)
	switch {
	case route != nil:
		return route, nil
	case err == nil: // its last broker has left from here
		return nil, &core.NoTopicError{ValidUntil: now}
	case errors.Is(err, core.ErrUnavailable):
		// Not known, and it cannot be asked: what is connected here is better
		// than nothing.
		if here, err := r.local.Route(context.Background(), now, topic); err == nil { // in memory: it does not wait
			return here, nil
		}
	}
	return nil, told(err)
}

// OldestAnswer is how long ago it was known that all was right that is answered.
func (r *Registry) OldestAnswer(now time.Time) time.Duration {
	s := r.known.State(now)
	since := now.Add(-useTime)
	if s.Connected && s.Since.After(since) { // it would not be answered again
		since = s.Since
	}
	return max(s.OldestAnswer, r.answers.age(now, since))
}

// KV returns the values of a namespace. core.ErrNotFound if it never held one.
func (r *Registry) KV(ctx context.Context, namespace string) (map[string]string, error) {
	if !nameable(namespace) {
		return nil, core.ErrNotFound
	}
	table, err := r.known.KV(ctx, namespace)
	return table, told(err)
}

// nameable says whether all of these can be names of something. The API refuses
// calls about others; a NameServer answers that there is no such thing.
func nameable(names ...string) bool {
	for _, name := range names {
		if name == "" || api.CheckName("", name) != nil {
			return false
		}
	}
	return true
}
