package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// WipeWrite takes the write permission from all topics of a broker group
// (request code 205) and returns how many topics it has, and the revision that
// this raised; 0 if nothing changed.
func (r *Registry) WipeWrite(ctx context.Context, now time.Time, broker string) (int, Revision, error) {
	return r.override(ctx, now, broker, Override.wipe)
}

// AddWrite makes all topics of a broker group readable and writable (request
// code 327); it returns what WipeWrite returns.
func (r *Registry) AddWrite(ctx context.Context, now time.Time, broker string) (int, Revision, error) {
	return r.override(ctx, now, broker, func(Override) Override { return Added })
}

// override changes the group's state and leaves the rows as the broker sent
// them (rule 10). A group without topics has nothing to override.
func (r *Registry) override(ctx context.Context, now time.Time, broker string, next func(Override) Override) (int, Revision, error) {
	set, err := r.store.TopicSet(ctx, broker)
	if err != nil {
		return 0, 0, fmt.Errorf("read topics of %s: %w", broker, err)
	}
	count := 0
	rev, err := r.update(ctx, now, broker, func(t *transition) (bool, error) {
		count = 0
		if len(t.group.Replicas) == 0 || len(set) == 0 {
			return t.changed(), nil
		}
		count = len(set)
		was := t.group.Override
		t.group.Override = next(was)
		t.group.Overridden = later(t.group.Overridden, now)
		t.replicas = t.replicas || t.group.Override != was
		return true, nil
	})
	return count, rev, err
}

// overridden returns the topics that an override covers; none if there is no
// override.
func (r *Registry) overridden(ctx context.Context, t *transition) ([]TopicFlag, error) {
	if t.group.Override == NoOverride {
		return nil, nil
	}
	set, err := r.store.TopicSet(ctx, t.group.Name)
	if err != nil {
		return nil, fmt.Errorf("read topics of %s: %w", t.group.Name, err)
	}
	return set, nil
}

// namesAll says whether the body has every topic of a set: only such a one ends
// the override (rule 10). Java restores the topics that a changed registration
// names, and a 5.x broker sends the one that was created: the broker that was
// drained stays drained then.
func (c Content) namesAll(set []TopicFlag) bool {
	if len(c.Topics) < len(set) {
		return false
	}
	named := make(map[string]struct{}, len(c.Topics))
	for _, t := range c.Topics {
		named[t.Name] = struct{}{}
	}
	return !slices.ContainsFunc(set, func(t TopicFlag) bool {
		_, ok := named[t.Name]
		return !ok
	})
}
