package follow

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/internal/wire"
)

const (
	// namespaces bounds the other namespaces that are remembered.
	namespaces = 64
	// namespacePrefix begins what the file calls the question for one.
	namespacePrefix = "kv "
	// kvTime bounds one question for a namespace with its repetitions.
	kvTime = patience
)

// order is the order configuration, which is followed, and the other
// namespaces of KV, which are not.
type order struct {
	kept atomic.Pointer[orderTable] // nil: it is not known

	// These are guarded by Follower.mu, as is writing to kept.
	call  *kvCall
	other map[string]map[string]string // as they were answered last
}

// orderTable is the order configuration as it was answered. It is never
// modified.
type orderTable struct {
	values map[string]string // nil: the namespace never held one
	stale  bool              // to be asked for again
}

// kvCall is a question for the order configuration that is under way.
type kvCall struct {
	generation uint64
	followed   core.Revision // when it was asked
	done       chan struct{}
	err        error // valid when done is closed
}

func newOrder() order { return order{other: map[string]map[string]string{}} }

// due says whether it is to be asked for.
func (o *order) due() bool {
	kept := o.kept.Load()
	return kept == nil || kept.stale
}

// expire makes it stale. The caller holds mu.
func (o *order) expire() {
	if kept := o.kept.Load(); kept != nil {
		o.kept.Store(&orderTable{kept.values, true})
	}
}

func (o *order) mark(t touched) {
	if t.order > 0 || t.all > 0 {
		o.expire()
	}
}

// KnownOrder returns the order configuration if it may be answered at once, as
// Known does of routes; nil if there is none. It never waits. It is not to be
// modified.
func (f *Follower) KnownOrder() (table map[string]string, ok bool) {
	kept := f.order.kept.Load()
	if kept == nil || kept.stale && !f.link.cut.Load() {
		return nil, false
	}
	return kept.values, true
}

// KV returns the values of a namespace; they are not to be modified.
// core.ErrNotFound if it never held one. That of order configuration is kept;
// the others are asked for each time, and are what they were last while that
// has no answer.
func (f *Follower) KV(ctx context.Context, namespace string) (map[string]string, error) {
	table, err := f.kv(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", namespace, err)
	}
	return table, nil
}

func (f *Follower) kv(ctx context.Context, namespace string) (map[string]string, error) {
	if namespace != core.OrderNamespace {
		return f.otherKV(ctx, namespace)
	}
	table, ok := f.KnownOrder()
	if !ok {
		f.mu.Lock()
		call, err := f.askOrder()
		f.mu.Unlock()
		if err == nil {
			err = f.awaitOrder(ctx, call)
		}
		kept := f.order.kept.Load()
		switch {
		case kept == nil && err == nil:
			return nil, errClosed
		case kept == nil:
			return nil, err
		}
		table = kept.values
	}
	if table == nil {
		return nil, core.ErrNotFound
	}
	return table, nil
}

// askOrder has the order configuration asked for, or says why it cannot be. The
// caller holds mu.
func (f *Follower) askOrder() (*kvCall, error) {
	switch {
	case f.closed:
		return nil, errClosed
	case !f.link.mayAsk(f.o.Now()):
		return nil, f.link.trouble()
	}
	return f.launchOrder(), nil
}

// awaitOrder waits for the answer, and for another one if that is from before
// what is known now.
func (f *Follower) awaitOrder(ctx context.Context, call *kvCall) error {
	defer core.Waiting(ctx)()
	wait := patience
	if f.order.kept.Load() != nil {
		wait = stalePatience
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for call != nil {
		select {
		case <-call.done:
		case <-timer.C:
			return late()
		case <-ctx.Done():
			return ctx.Err()
		}
		if call.err != nil {
			return call.err
		}
		f.mu.Lock()
		call = nil
		if f.order.due() && !f.closed {
			call = f.launchOrder()
		}
		f.mu.Unlock()
	}
	return nil
}

// launchOrder asks for the order configuration, unless that is under way. The
// caller holds mu.
func (f *Follower) launchOrder() *kvCall {
	if f.order.call != nil {
		return f.order.call
	}
	call := &kvCall{generation: f.generation, followed: f.history.followed, done: make(chan struct{})}
	f.order.call = call
	f.calls.Go(func() {
		ctx, cancel := context.WithTimeout(f.ctx, kvTime)
		defer cancel()
		table, meta, err := f.o.Cloud.KV(ctx, core.OrderNamespace)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.takeInOrder(call, table, max(meta.Revision, call.followed), err)
	})
	return call
}

// takeInOrder keeps the order configuration as it is at the revision or later:
// it is never read from what was kept elsewhere. The caller holds mu.
func (f *Follower) takeInOrder(call *kvCall, table map[string]string, revision core.Revision, err error) {
	defer close(call.done)
	f.order.call = nil
	if errors.Is(err, core.ErrNotFound) {
		table, err = nil, nil
	} else if err == nil && table == nil {
		table = map[string]string{}
	}
	if err != nil {
		call.err = failure("getKV", err)
		if f.ctx.Err() == nil {
			f.link.asks.failed(f.o.Now(), call.err, f.o.Interval)
			f.judge(f.o.Now())
			signal(f.due) // to come again
		}
		return
	}
	f.link.asks = trouble{}
	f.judge(f.o.Now())
	changed := f.history.since(revision)
	f.order.kept.Store(&orderTable{table, call.generation != f.generation || changed.order > 0 || changed.all > 0})
	if f.file != nil {
		f.file.keepOrder(table)
	}
}

func (f *Follower) otherKV(ctx context.Context, namespace string) (map[string]string, error) {
	f.mu.Lock()
	var err error
	if !f.link.mayAsk(f.o.Now()) {
		err = f.link.trouble()
	}
	f.mu.Unlock()
	var table map[string]string
	if err == nil {
		resume := core.Waiting(ctx)
		ctx, cancel := context.WithTimeout(ctx, kvTime)
		table, _, err = f.o.Cloud.KV(ctx, namespace)
		cancel()
		resume()
	}
	f.mu.Lock()
	last := f.order.other[namespace]
	if err == nil {
		f.order.remember(namespace, table)
	}
	f.mu.Unlock()
	switch question := namespacePrefix + namespace; {
	case err == nil:
		f.KeepAnswer(question, wire.AppendKVTable(nil, table), f.o.Now())
	case !errors.Is(err, core.ErrUnavailable):
	case last != nil:
		return last, nil
	default:
		if body, _, ok := f.KeptAnswer(question); ok {
			if last, unread := wire.DecodeKVTable(body); unread == nil {
				return last, nil
			}
		}
	}
	return table, err
}

func (o *order) remember(namespace string, table map[string]string) {
	if len(o.other) >= namespaces && o.other[namespace] == nil {
		for old := range o.other {
			delete(o.other, old)
			break
		}
	}
	o.other[namespace] = table
}
