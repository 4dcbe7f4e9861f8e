package core

import (
	"context"
	"sync"
)

// nameLocks serialises the writers of one group within this process. Writers
// in other processes meet at the store's conditions.
type nameLocks struct {
	mu   sync.Mutex
	held map[string]*nameLock
}

type nameLock struct {
	wait  chan struct{} // holds one token while the lock is taken
	users int
}

func (l *nameLocks) lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]*nameLock{}
	}
	n := l.held[name]
	if n == nil {
		n = &nameLock{wait: make(chan struct{}, 1)}
		l.held[name] = n
	}
	n.users++
	l.mu.Unlock()

	select {
	case n.wait <- struct{}{}:
		return func() { <-n.wait; l.release(name, n) }, nil
	default:
	}
	defer Waiting(ctx)()
	select {
	case n.wait <- struct{}{}:
		return func() { <-n.wait; l.release(name, n) }, nil
	case <-ctx.Done():
		l.release(name, n)
		return nil, context.Cause(ctx)
	}
}

func (l *nameLocks) release(name string, n *nameLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(l.held, name)
	}
}
