package follow

import (
	"context"
	"sync"
	"time"

	"signpost/core"
)

// toldBound limits the changes that wait for the Listener; beyond it anything
// may have changed.
const toldBound = 4096

// told is what the Listener is to be told next.
type told struct {
	ready chan struct{}

	mu       sync.Mutex
	listener Listener
	next     news
}

// news is what the Listener has not heard yet.
type news struct {
	session string // that was opened; "": none
	changes []core.Change
	all     bool
	missed  time.Time // when the last beat began that had no answer; zero: none
}

func (t *told) init(l Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listener = l
	if t.ready == nil {
		t.ready = make(chan struct{}, 1)
	}
}

// opened is to be told before what changes from now on. What changed before is
// told by it: everything is confirmed through a new session.
func (t *told) opened(session string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next.session, t.next.changes, t.next.all = session, nil, false
	signal(t.ready)
}

func (t *told) changed(changes []core.Change, all bool) {
	if len(changes) == 0 && !all {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := &t.next
	if n.changes = append(n.changes, changes...); all || len(n.changes) > toldBound {
		n.all = true
	}
	if n.all {
		n.changes = nil
	}
	signal(t.ready)
}

func (t *told) miss(began time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next.missed = began
	signal(t.ready)
}

func (t *told) take() (Listener, news) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.next
	t.next = news{}
	return t.listener, n
}

// tell is the loop that tells the Listener.
func (f *Follower) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.told.ready:
		}
		l, n := f.told.take()
		if l == nil {
			continue
		}
		if !n.missed.IsZero() {
			l.Missed(ctx, f.o.Now(), n.missed)
		}
		if n.session != "" {
			l.Opened(ctx, f.o.Now(), n.session)
		}
		if (len(n.changes) > 0 || n.all) && ctx.Err() == nil {
			l.Changed(ctx, f.o.Now(), n.changes, n.all)
		}
	}
}

// writes is the loop that writes to the file what has changed.
func (f *Follower) writes(ctx context.Context) {
	if f.file == nil {
		return
	}
	timer := time.NewTicker(writeEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			f.file.write(f.marks())
		}
	}
}
