// Package quiet bounds a log: of each one that lines are about there is one a
// minute, however often it happens.
package quiet

import (
	"sync"
	"time"
)

const (
	// For is how long nothing more is logged of one that was logged.
	For = time.Minute
	// Most bounds how many are remembered for it. More share one place.
	Most = 1024
)

// Lines are log lines of one kind. K is what they are about; it is kept, so it
// has to be small. Its zero value is for all for whom there is no room.
type Lines[K comparable] struct {
	mu   sync.Mutex
	last map[K]*hush
}

// hush is one that was logged.
type hush struct {
	since time.Time
	count int // times since that were not told
}

// Say reports whether a line is to be logged, and how many times it was not
// since the last one about the same.
func (l *Lines[K]) Say(now time.Time, about K) (before int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.last[about]
	if h == nil {
		if len(l.last) >= Most {
			l.forget(now)
		}
		if len(l.last) >= Most {
			about = *new(K)
			h = l.last[about]
		}
	}
	switch {
	case h == nil:
		if l.last == nil {
			l.last = map[K]*hush{}
		}
		l.last[about] = &hush{since: now}
		return 0, true
	case now.Sub(h.since) < For:
		h.count++
		return 0, false
	}
	before = h.count
	*h = hush{since: now}
	return before, true
}

// forget drops those that have been quiet long enough.
func (l *Lines[K]) forget(now time.Time) {
	for about, h := range l.last {
		if now.Sub(h.since) >= For {
			delete(l.last, about)
		}
	}
}
