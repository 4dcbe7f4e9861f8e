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
	session  string // that was opened
	changes  []core.Change
	all      bool
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
	t.session, t.changes, t.all = session, nil, false
	signal(t.ready)
}

func (t *told) changed(changes []core.Change, all bool) {
	if len(changes) == 0 && !all {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes = append(t.changes, changes...); all || len(t.changes) > toldBound {
		t.all = true
	}
	if t.all {
		t.changes = nil
	}
	signal(t.ready)
}

func (t *told) take() (l Listener, session string, changes []core.Change, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	session, changes, all = t.session, t.changes, t.all
	t.session, t.changes, t.all = "", nil, false
	return t.listener, session, changes, all
}

// tell is the loop that tells the Listener.
func (f *Follower) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.told.ready:
		}
		l, session, changes, all := f.told.take()
		if l == nil {
			continue
		}
		if session != "" {
			l.Opened(ctx, f.o.Now(), session)
		}
		if (len(changes) > 0 || all) && ctx.Err() == nil {
			l.Changed(ctx, f.o.Now(), changes, all)
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
