package core

import "context"

type waitingKey struct{}

// WithWaiting returns a context whose calls say when they begin to wait for
// something slow: a disk, a network, another call. wait is called then, and
// what it returns when the wait is over. A front that bounds how many calls
// work at a time lets another one in meanwhile.
func WithWaiting(ctx context.Context, wait func() (resume func())) context.Context {
	return context.WithValue(ctx, waitingKey{}, wait)
}

// Waiting says that the call behind ctx begins to wait; the function returned
// says that the wait is over. Stores call it, and whatever waits for a lock
// that is held over such a wait.
func Waiting(ctx context.Context) (resume func()) {
	if wait, ok := ctx.Value(waitingKey{}).(func() func()); ok {
		return wait()
	}
	return func() {}
}
