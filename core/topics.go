package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DeleteTopic removes a topic (request code 216): from the groups of one
// cluster, or from all if cluster is empty. A broker that still has it brings
// it back with its next registration, as in Java 5.x. It returns the revision
// that it raised.
func (r *Registry) DeleteTopic(ctx context.Context, now time.Time, topic, cluster string) (Revision, error) {
	rows, err := r.store.Rows(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("read rows of %s: %w", topic, err)
	}
	var raised Revision
	for _, row := range rows {
		rev, err := r.changeTopics(ctx, now, row.Broker, func(t *transition) (TopicWrite, bool) {
			if cluster != "" && t.group.Cluster != cluster {
				return TopicWrite{}, false
			}
			t.forget() // so that a broker that still has it is heard
			t.group.Deleted = later(t.group.Deleted, now)
			return TopicWrite{Remove: []string{topic}}, true
		})
		if err != nil {
			return raised, err
		}
		raised = max(raised, rev)
	}
	if raised != 0 {
		return raised, nil
	}
	// An attempt before this one may have removed the rows and told nobody.
	return r.raiseTopic(ctx, topic)
}

// raiseTopic raises the revision for one topic, whoever has it.
func (r *Registry) raiseTopic(ctx context.Context, topic string) (Revision, error) {
	rev, err := r.store.Raise(ctx, []Change{{Topics: []string{topic}}})
	if err != nil {
		return 0, fmt.Errorf("raise the revision for %s: %w", topic, err)
	}
	return rev, nil
}

// RegisterQueues stores one topic's queues as they are given (request code
// 217), in their order, up to the first whose broker is not known; none of
// them if the topic is new and a broker is unknown (Java:
// RouteInfoManager.registerTopic). It returns the revision that it raised; 0 if
// nothing changed.
func (r *Registry) RegisterQueues(ctx context.Context, now time.Time, topic string, rows []Row) (raised Revision, err error) {
	if topic == "" {
		return 0, &FieldError{Field: "topic", Reason: "is missing"}
	}
	known := 0
	for _, row := range rows {
		if _, err := r.Group(ctx, now, row.Broker); errors.Is(err, ErrNotFound) {
			break
		} else if err != nil {
			return 0, err
		}
		known++
	}
	if known < len(rows) {
		switch _, err := r.Route(ctx, now, topic); {
		case errors.Is(err, ErrNoTopic):
			return 0, nil
		case err != nil:
			return 0, err
		}
	}
	for _, row := range rows[:known] {
		row.Name = topic
		rev, err := r.changeTopics(ctx, now, row.Broker, func(t *transition) (TopicWrite, bool) {
			if r.Rules().DeleteTopicsOnRegistration {
				t.forget() // a body without the topic takes it away, though it is the last one again
			}
			return TopicWrite{Put: []Topic{row.Topic}}, true
		})
		if err != nil {
			return raised, err
		}
		raised = max(raised, rev)
	}
	return raised, nil
}

// changeTopics changes some of a living group's topics outside a registration.
// What a group that is gone has left is not touched: nobody sees it, and it
// goes when the group returns.
func (r *Registry) changeTopics(ctx context.Context, now time.Time, broker string, decide func(*transition) (TopicWrite, bool)) (_ Revision, err error) {
	unlock, err := r.locks.lock(ctx, broker)
	if err != nil {
		return 0, err
	}
	defer unlock()
	w := topicWriter{id: r.newID()}
	defer func() {
		if err != nil && w.took {
			w.giveUp(ctx, r, broker)
		}
	}()
	for range maxAttempts {
		t, err := r.begin(ctx, now, broker)
		if err != nil {
			return 0, err
		}
		if len(t.group.Replicas) == 0 {
			return 0, nil
		}
		write, ok := decide(t)
		if !ok {
			return 0, nil
		}
		rev, err := w.commit(ctx, r, t, write)
		if !errors.Is(err, ErrConflict) {
			return rev, err
		}
	}
	return 0, fmt.Errorf("change topics of %s: %w", broker, ErrConflict)
}

// TopicKind chooses topics for a list.
type TopicKind uint8

// The lists of topics. The unit kinds judge a topic by its first row only, as
// Java does.
const (
	AllTopics      TopicKind = iota
	UnitTopics               // 311: unit flag
	UnitSubTopics            // 312: unit-sub flag
	UnitSubNotUnit           // 313: unit-sub flag without the unit flag
)

// Matches says whether a topic whose first row has that flag is of the kind.
func (k TopicKind) Matches(flag int32) bool {
	switch k {
	case UnitTopics:
		return flag&SysFlagUnit != 0
	case UnitSubTopics:
		return flag&SysFlagUnitSub != 0
	case UnitSubNotUnit:
		return flag&SysFlagUnitSub != 0 && flag&SysFlagUnit == 0
	default:
		return true
	}
}

// Topics lists the topics of the living groups, of one cluster unless that is
// empty, sorted, and tells the first moment at which a lease could run out on
// which the list rests; the zero time if there is none.
func (r *Registry) Topics(ctx context.Context, now time.Time, kind TopicKind, cluster string) (names []string, validUntil time.Time, err error) {
	groups, validUntil, err := r.groups(ctx, now, cluster)
	if err != nil {
		return nil, time.Time{}, err
	}
	seen := map[string]struct{}{}
	names = []string{}
	for _, g := range groups { // sorted, so the first seen is the topic's first row
		set, err := r.store.TopicSet(ctx, g.Name)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("read topics of %s: %w", g.Name, err)
		}
		for _, t := range set {
			if _, ok := seen[t.Name]; ok {
				continue
			}
			seen[t.Name] = struct{}{}
			if kind.Matches(t.SysFlag) {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	return names, validUntil, nil
}

// Groups returns the living groups with their living replicas, sorted by name.
func (r *Registry) Groups(ctx context.Context, now time.Time) ([]Group, error) {
	groups, _, err := r.groups(ctx, now, "")
	return groups, err
}

// groups returns the living groups, of one cluster unless that is empty, and
// how long they are what they are.
func (r *Registry) groups(ctx context.Context, now time.Time, cluster string) ([]Group, time.Time, error) {
	groups, err := r.store.Groups(ctx, nil)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read groups: %w", err)
	}
	sessions, err := r.sessions(ctx, now)
	if err != nil {
		return nil, time.Time{}, err
	}
	live := make([]Group, 0, len(groups))
	var v validity
	for _, stored := range groups {
		if cluster != "" && stored.Cluster != cluster {
			continue
		}
		g := stored.Live(sessions, now)
		v.judged(stored, g, sessions, now)
		if len(g.Replicas) > 0 {
			live = append(live, g)
		}
	}
	return live, v.until(now), nil
}

// Group returns one living group with its living replicas. ErrNotFound if it
// has none.
func (r *Registry) Group(ctx context.Context, now time.Time, name string) (Group, error) {
	g, sessions, err := r.read(ctx, now, name)
	if err != nil {
		return Group{}, err
	}
	if g = g.Live(sessions, now); len(g.Replicas) == 0 {
		return Group{}, fmt.Errorf("broker %s: %w", name, ErrNotFound)
	}
	return g, nil
}
