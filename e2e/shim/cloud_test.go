package shim_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
)

// remembered is for how long a function may follow by what it has read
// (internal/dynamo's default).
const remembered = 2 * time.Second

// cloud is API v1 as two functions serve it over one table: what one has
// written, the other may hear of a moment later.
type cloud struct {
	newID  func() string
	logger *slog.Logger

	mu          sync.Mutex
	write, read http.Handler
	registry    *core.Registry // over the table, remembering nothing
	told        []core.Event
}

func newCloud(newID func() string) *cloud {
	c := &cloud{newID: newID, logger: slog.New(slog.DiscardHandler)}
	c.empty()
	return c
}

// empty begins anew with an empty table, and functions that know nothing.
func (c *cloud) empty() {
	store := memory.New(memory.WithClock(time.Now))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registry = c.newRegistry(store)
	c.write, c.read = c.function(store), c.function(&remembering{Store: store})
}

func (c *cloud) newRegistry(store core.Store) *core.Registry {
	return core.New(store, core.Options{NewID: c.newID, Rules: rules, Sink: c})
}

// function is one function's registry behind the HTTP front.
func (c *cloud) function(store core.Store) http.Handler {
	r := c.newRegistry(store)
	return httpapi.New(httpapi.Options{Read: r, Write: r, Identity: httpapi.Anyone, Now: time.Now, Log: c.logger})
}

// rules are the operator's choices, here and at the NameServer beside it.
var rules = core.Rules{ActingMaster: true, OrderMessages: true}

// ServeHTTP leads a call to its function.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	h := c.write
	if strings.HasPrefix(r.URL.Path, "/v1/read/") {
		h = c.read
	}
	c.mu.Unlock()
	h.ServeHTTP(w, r)
}

// remembering is a store as a function sees it that follows by what it has
// read a moment ago.
type remembering struct {
	core.Store

	mu   sync.Mutex
	seen core.Head
	at   time.Time
}

// Head is the store's, or an older one that reaches far enough.
func (s *remembering) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	now, err := s.Store.Head(ctx, since, fresh)
	if err != nil {
		return core.Head{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh || s.at.IsZero() || s.seen.Revision < since || time.Since(s.at) >= remembered {
		s.seen, s.at = now, time.Now()
		return now, nil
	}
	old := core.Head{Revision: s.seen.Revision, Sessions: s.seen.Sessions, Complete: now.Complete}
	for _, c := range now.Changes {
		if c.Revision <= old.Revision {
			old.Changes = append(old.Changes, c)
		}
	}
	return old, nil
}

// Publish takes what goes to the bus.
func (c *cloud) Publish(_ context.Context, events []core.Event) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, events...)
	return len(events), nil
}

// sweep is what the schedule does each minute.
func (c *cloud) sweep() error {
	c.mu.Lock()
	r := c.registry
	c.mu.Unlock()
	_, err := r.Sweep(context.Background(), time.Now())
	return err
}

// gone are the brokers that were announced as gone, and how.
func (c *cloud) gone() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.told {
		if e.Kind == core.BrokerEvicted || e.Kind == core.BrokerUnregistered {
			names = append(names, fmt.Sprint(e.Kind, " ", e.Broker))
		}
	}
	return names
}

// brokers are those in a topic's route by what is in the table now.
func (c *cloud) brokers(topic string) (names []string) {
	c.mu.Lock()
	r := c.registry
	c.mu.Unlock()
	route, err := r.Route(context.Background(), time.Now(), topic)
	if errors.Is(err, core.ErrNoTopic) {
		return nil
	} else if err != nil {
		return []string{err.Error()}
	}
	for _, b := range route.Brokers {
		names = append(names, b.Name)
	}
	return names
}
