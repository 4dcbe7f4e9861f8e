package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// sync brings the view up to the store's revision and returns it. Where nothing
// is known there is nothing to forget, and nothing is read to forget it.
func (v *view) sync(ctx context.Context) (Revision, error) {
	rev := v.revision()
	head, err := v.store.Head(ctx, rev, false)
	if err != nil {
		return 0, fmt.Errorf("read revision: %w", err)
	}
	if head.Revision <= rev {
		return rev, nil
	}
	var sets map[string][]TopicFlag
	read := head.Complete && !v.blank()
	if read {
		if sets, err = v.sets(ctx, head.Changes); err != nil {
			return 0, err
		}
	}
	v.follow.Lock()
	defer v.follow.Unlock()
	if rev = v.revision(); head.Revision <= rev {
		return rev, nil // somebody else did
	}
	if !head.Complete || !read && v.known() > 0 {
		v.forgetAll()
	}
	for _, c := range head.Changes {
		if c.Revision > rev {
			v.apply(c, sets[c.Broker])
		}
	}
	v.rev.Store(uint64(head.Revision))
	return head.Revision, nil
}

// sets reads the topics of the groups of which a change does not name what it
// touches: before follow is taken, so that nobody waits for the store. Who is
// in a group counts for topics that are known to have a row of it; a row that
// comes is named, or one of many.
func (v *view) sets(ctx context.Context, changes []Change) (map[string][]TopicFlag, error) {
	var sets map[string][]TopicFlag
	for _, c := range changes {
		if !c.Many {
			continue
		}
		if _, ok := sets[c.Broker]; ok {
			continue
		}
		set, err := v.store.TopicSet(ctx, c.Broker)
		if err != nil {
			return nil, fmt.Errorf("read topics of %s: %w", c.Broker, err)
		}
		if sets == nil {
			sets = map[string][]TopicFlag{}
		}
		sets[c.Broker] = set
	}
	return sets, nil
}

// apply forgets what a change touches; set is what the group has. The caller
// holds follow.
func (v *view) apply(c Change, set []TopicFlag) {
	for _, t := range c.Topics {
		v.forget(t)
	}
	if !c.Many && !c.Replicas {
		return
	}
	delete(v.groups, c.Broker)
	// What has a row of the group is filed under it; what has got one since is in its set.
	for t := range v.topics[c.Broker] {
		v.forget(t)
	}
	if len(set) > v.known() {
		v.forgetIn(set)
		return
	}
	for _, t := range set {
		v.forget(t.Name)
	}
}

// blank says whether nothing is known of any topic.
func (v *view) blank() bool {
	v.follow.Lock()
	defer v.follow.Unlock()
	return v.known() == 0
}

// known is of how many topics something is known. The caller holds follow.
func (v *view) known() (n int) {
	for i := range v.shards {
		n += len(v.shards[i].routes) + len(v.shards[i].absent)
	}
	return n
}

// forgetIn forgets what is known of the topics of a large set, which is sorted.
// The caller holds follow.
func (v *view) forgetIn(set []TopicFlag) {
	drop := func(topic string) {
		if _, ok := slices.BinarySearchFunc(set, topic, func(t TopicFlag, name string) int { return strings.Compare(t.Name, name) }); ok {
			v.forget(topic)
		}
	}
	for i := range v.shards {
		for topic := range v.shards[i].routes {
			drop(topic)
		}
		for topic := range v.shards[i].absent {
			drop(topic)
		}
	}
}
