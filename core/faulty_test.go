package core_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"signpost/core"
)

var errFault = errors.New("injected fault")

// faulty is a store in which calls fail, lose their answer, or are preceded by
// something else, as told.
type faulty struct {
	core.Store
	mu    sync.Mutex
	calls map[string]int
	total int
	hooks map[string][]hook
	dead  bool
	yield bool // before and after each call
	count int  // calls that write
	fault func(n int, name string) (before, after error)
}

type hook struct {
	n     int
	do    func()
	die   bool // the process ends here
	after bool // the call, not before it
}

func newFaulty(s core.Store) *faulty {
	return &faulty{Store: s, calls: map[string]int{}, hooks: map[string][]hook{}}
}

// anyCall stands for all names together.
const anyCall = ""

// made returns how many calls of that name there were.
func (f *faulty) made(name string) int {
	if name == anyCall {
		return f.total
	}
	return f.calls[name]
}

// before has do run before the n-th call of that name from now on, counted from 1.
func (f *faulty) before(name string, n int, do func()) {
	f.hooks[name] = append(f.hooks[name], hook{n: f.made(name) + n, do: do})
}

// after has do run after the n-th call of that name from now on.
func (f *faulty) after(name string, n int, do func()) {
	f.hooks[name] = append(f.hooks[name], hook{n: f.made(name) + n, do: do, after: true})
}

// die lets the process end at the n-th call of that name from now on: every
// call from then on fails.
func (f *faulty) die(name string, n int, after bool) {
	f.hooks[name] = append(f.hooks[name], hook{n: f.made(name) + n, die: true, after: after})
}

// enter is called before each call. Its errors fail the call before it is made,
// or afterwards; leave is to be run after the call.
func (f *faulty) enter(name string, writes bool) (before, after error, leave func()) {
	f.mu.Lock()
	f.calls[name]++
	f.total++
	var todo, later []func()
	leave = func() {
		for _, do := range later {
			do()
		}
	}
	hooks := slices.DeleteFunc(slices.Clone(f.hooks[name]), func(h hook) bool { return h.n != f.made(name) })
	hooks = append(hooks, slices.DeleteFunc(slices.Clone(f.hooks[anyCall]), func(h hook) bool { return h.n != f.made(anyCall) })...)
	for _, h := range hooks {
		switch {
		case h.die:
			if f.dead = true; h.after {
				f.mu.Unlock()
				return nil, errFault, leave
			}
		case h.after:
			later = append(later, h.do)
		default:
			todo = append(todo, h.do)
		}
	}
	if f.dead {
		f.mu.Unlock()
		return errFault, nil, leave
	}
	if writes && f.fault != nil {
		f.count++
		before, after = f.fault(f.count, name)
	}
	f.mu.Unlock()
	for _, do := range todo {
		do()
	}
	return before, after, leave
}

// call makes one call of the store with whatever fault is due.
func call[R any](f *faulty, name string, writes bool, do func() (R, error)) (R, error) {
	var zero R
	if f.yield {
		runtime.Gosched()
		defer runtime.Gosched()
	}
	before, after, leave := f.enter(name, writes)
	if before != nil {
		return zero, before
	}
	r, err := do()
	leave()
	if err == nil && after != nil {
		return zero, after
	}
	return r, err
}

func (f *faulty) Group(ctx context.Context, name string) (core.Group, error) {
	return call(f, "Group", false, func() (core.Group, error) { return f.Store.Group(ctx, name) })
}

func (f *faulty) Groups(ctx context.Context, names []string) ([]core.Group, error) {
	return call(f, "Groups", false, func() ([]core.Group, error) { return f.Store.Groups(ctx, names) })
}

func (f *faulty) Head(ctx context.Context, since core.Revision, fresh bool) (core.Head, error) {
	return call(f, "Head", false, func() (core.Head, error) { return f.Store.Head(ctx, since, fresh) })
}

func (f *faulty) Sessions(ctx context.Context) (core.Sessions, error) {
	return call(f, "Sessions", false, func() (core.Sessions, error) { return f.Store.Sessions(ctx) })
}

func (f *faulty) BeatSession(ctx context.Context, id, owner string, now time.Time) error {
	_, err := call(f, "BeatSession", true, func() (int, error) { return 0, f.Store.BeatSession(ctx, id, owner, now) })
	return err
}

func (f *faulty) TopicSet(ctx context.Context, broker string) ([]core.TopicFlag, error) {
	return call(f, "TopicSet", false, func() ([]core.TopicFlag, error) { return f.Store.TopicSet(ctx, broker) })
}

func (f *faulty) Rows(ctx context.Context, topic string) ([]core.Row, error) {
	return call(f, "Rows", false, func() ([]core.Row, error) { return f.Store.Rows(ctx, topic) })
}

func (f *faulty) PutGroup(ctx context.Context, g core.Group) (core.Group, error) {
	return call(f, "PutGroup", true, func() (core.Group, error) { return f.Store.PutGroup(ctx, g) })
}

func (f *faulty) RemoveGroup(ctx context.Context, name string, version uint64) error {
	_, err := call(f, "RemoveGroup", true, func() (int, error) { return 0, f.Store.RemoveGroup(ctx, name, version) })
	return err
}

func (f *faulty) Renew(ctx context.Context, now time.Time, r core.Renewal) (core.Group, error) {
	return call(f, "Renew", true, func() (core.Group, error) { return f.Store.Renew(ctx, now, r) })
}

func (f *faulty) WriteTopics(ctx context.Context, w core.TopicWrite) ([]string, error) {
	return call(f, "WriteTopics", true, func() ([]string, error) { return f.Store.WriteTopics(ctx, w) })
}

func (f *faulty) Raise(ctx context.Context, changes []core.Change) (core.Revision, error) {
	return call(f, "Raise", true, func() (core.Revision, error) { return f.Store.Raise(ctx, changes) })
}

func (f *faulty) CloseSession(ctx context.Context, id string, last time.Time) error {
	_, err := call(f, "CloseSession", true, func() (int, error) { return 0, f.Store.CloseSession(ctx, id, last) })
	return err
}

func (f *faulty) KV(ctx context.Context, namespace string) (map[string]string, error) {
	return call(f, "KV", false, func() (map[string]string, error) { return f.Store.KV(ctx, namespace) })
}
