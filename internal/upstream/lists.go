package upstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"signpost/core"
	"signpost/internal/upstream/api"
)

const (
	// listTime bounds one question for a list: where there is an older answer,
	// renewTime does, and while the API seems out of reach, blindTime. mqadmin
	// waits 5 s.
	listTime  = 10 * time.Second
	renewTime = 4 * time.Second
	blindTime = 2500 * time.Millisecond
	// maxLists bounds the lists that are kept.
	maxLists = 256
	// catchUpPause is from one try to the next, catchUps of them, when an answer
	// is from before what is known here: a function follows the revision within 2 s.
	catchUpPause = 500 * time.Millisecond
	catchUps     = 4
)

// lists keeps the answers to questions for lists: while they hold, and longer
// for when the API cannot be asked. What is kept is not modified.
type lists struct {
	asking singleflight.Group

	mu   sync.Mutex
	kept map[string]list // by question
}

type list struct {
	value    any
	revision core.Revision
	until    time.Time // it holds while the revision stays, and not longer
}

func newLists() lists { return lists{kept: map[string]list{}} }

func (l *lists) find(question string) (list, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.kept[question]
	return one, ok
}

func (l *lists) keep(question string, one list) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.kept[question]; ok && old.revision > one.revision {
		return
	} else if !ok && len(l.kept) >= maxLists {
		for old := range l.kept {
			delete(l.kept, old)
			break
		}
	}
	l.kept[question] = one
}

// ask returns what the API answers to a question. Those who ask the same at the
// same time share a call.
func ask[T any](ctx context.Context, r *Registry, now time.Time, question string, call func(context.Context) (T, api.Meta, error)) (answer T, err error) {
	state := r.known.State(now)
	last, ok := r.lists.find(question)
	if ok && (!state.Connected || last.revision >= state.Revision && now.Before(last.until)) {
		return last.value.(T), nil
	}
	within := listTime
	switch {
	case ok:
		within = renewTime
	case !state.Connected:
		within = blindTime
	}
	defer core.Waiting(ctx)()
	// Who asks after a change must not share a call from before it.
	done := r.lists.asking.DoChan(fmt.Sprint(state.Revision, " ", question), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		value, meta, err := call(ctx)
		for n := 0; n < catchUps && err == nil && meta.Revision < state.Revision && pause(ctx, catchUpPause); n++ {
			value, meta, err = call(ctx)
		}
		if err != nil {
			return nil, err
		}
		r.lists.keep(question, list{value, meta.Revision, now.Add(meta.ValidFor)})
		return value, nil
	})
	select {
	case <-ctx.Done():
		return answer, ctx.Err()
	case said := <-done:
		switch {
		case said.Err == nil:
			return said.Val.(T), nil
		case ok && errors.Is(said.Err, core.ErrUnavailable):
			return last.value.(T), nil
		}
		return answer, told(said.Err)
	}
}

// pause waits, or returns false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Topics lists the topics of a kind, sorted: of one cluster or, with "", of all.
func (r *Registry) Topics(ctx context.Context, now time.Time, kind core.TopicKind, cluster string) ([]string, time.Time, error) {
	if cluster != "" && !nameable(cluster) {
		return nil, now, nil
	}
	names, err := ask(ctx, r, now, fmt.Sprintf("topics %d %s", kind, cluster), func(ctx context.Context) ([]string, api.Meta, error) {
		return r.cloud.Topics(ctx, kind, cluster)
	})
	if err != nil {
		return nil, now, err
	}
	if adds, _ := r.held.Pending(); adds > 0 {
		here, _, err := r.local.Topics(ctx, now, kind, cluster)
		if err != nil {
			return nil, now, fmt.Errorf("topics of the brokers here: %w", err)
		}
		names = slices.Concat(names, here)
		slices.Sort(names)
		names = slices.Compact(names)
	}
	return names, now, nil
}

// Groups lists the living broker groups, sorted by name.
func (r *Registry) Groups(ctx context.Context, now time.Time) ([]core.Group, error) {
	groups, err := ask(ctx, r, now, "clusters", r.cloud.Clusters)
	if err != nil {
		return nil, err
	}
	if adds, drops := r.held.Pending(); adds+drops == 0 {
		return groups, nil
	}
	here, err := r.local.Groups(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("brokers here: %w", err)
	}
	byName := map[string]core.Group{}
	for _, g := range slices.Concat(here, groups) { // the API's word, or what is only known here
		byName[g.Name] = g
	}
	for name := range byName {
		if g, ok := r.held.Group(now, name); ok {
			byName[name] = g
		}
	}
	maps.DeleteFunc(byName, func(_ string, g core.Group) bool { return len(g.Replicas) == 0 })
	return slices.SortedFunc(maps.Values(byName), func(a, b core.Group) int { return strings.Compare(a.Name, b.Name) }), nil
}

// Group returns a group. core.ErrNotFound if no broker of it lives.
func (r *Registry) Group(ctx context.Context, now time.Time, name string) (core.Group, error) {
	g, ok := r.held.Group(now, name)
	if !ok && nameable(name) {
		var err error
		g, err = ask(ctx, r, now, "group "+name, func(ctx context.Context) (core.Group, api.Meta, error) {
			g, meta, err := r.cloud.Group(ctx, name)
			return g.Group, meta, err
		})
		if err != nil {
			return core.Group{}, err
		}
	}
	if len(g.Replicas) == 0 {
		return core.Group{}, fmt.Errorf("group %s: %w", name, core.ErrNotFound)
	}
	return g, nil
}
