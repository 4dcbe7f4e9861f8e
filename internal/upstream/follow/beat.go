package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

const (
	// beatTime bounds one beat with its repetitions.
	beatTime = 5 * time.Second
	// maxGap is from one answered beat to the next at most, for what is kept to
	// be right: a session that was heard of in between would be missed later.
	maxGap = 15 * time.Second
	// catchUp is the least time from one beat to the next, for revisions that
	// were raised from here; it doubles while beats do not reach them.
	catchUp = 100 * time.Millisecond
	// seenTime is how long Seen waits at most.
	seenTime = time.Second
	// idTime is how long ID waits at most.
	idTime = 3 * time.Second
	// missedTime is what a session has left, beyond one interval, when it counts
	// as one that stopped.
	missedTime = 2 * time.Second
)

// session is the one that beats for this gateway.
type session struct {
	id     string // "": to be opened
	next   string // as what it is being opened
	began  time.Time
	wanted core.Revision // to be reached soon
	aimed  core.Revision // what was wanted when the last beat began
	pause  time.Duration // from one beat to the next while it is not reached
}

// beats is the loop of the session's beats: one in each interval, and one at
// once when somebody needs it.
func (f *Follower) beats(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		}
		if f.untilBeat() <= 0 {
			f.beat(ctx)
		}
		timer.Reset(f.untilBeat())
	}
}

// untilBeat is how long there is until the next beat.
func (f *Follower) untilBeat() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &f.session
	next := s.began.Add(f.o.Interval)
	switch {
	case f.link.beats.failures > 0:
		next = f.link.beats.retryAt
	case s.id == "":
		next = s.began.Add(catchUp)
	case s.wanted > f.history.followed:
		next = s.began.Add(s.pause)
	}
	return next.Sub(f.o.Now())
}

// beat makes one beat, of a new session if there is none.
func (f *Follower) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	f.mu.Lock()
	began := f.o.Now()
	id, known := f.session.id, f.history.followed
	f.session.began, f.session.aimed = began, f.session.wanted
	f.mu.Unlock()

	var head api.SessionHead
	var err error
	if id != "" {
		head, err = f.o.Cloud.BeatSession(ctx, id, known)
		if over(err) {
			f.lose(id)
			f.o.Log.Warn("the session is over, another one is opened", "session", id, "reason", err)
			id = ""
		}
	}
	opened := id == ""
	if opened {
		id = f.nextID()
		if head, err = f.o.Cloud.OpenSession(ctx, id, f.o.Gateway, known); over(err) {
			f.useUp(id) // it was opened when an answer was lost, and has run out since
		}
	}
	f.o.Observer.Beaten(f.o.Now().Sub(began), err)
	switch {
	case err == nil:
		f.beaten(head, id, opened)
	case errors.Is(ctx.Err(), context.Canceled): // stopping
	default:
		f.unbeaten(failure("beatSession", err))
	}
}

// over says whether a session cannot be used any more: it is closed, or belongs
// to the credentials that this gateway had before.
func over(err error) bool {
	return errors.Is(err, core.ErrSessionClosed) || errors.Is(err, core.ErrForbidden)
}

func (f *Follower) nextID() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session.next == "" {
		f.session.next = f.o.NewID()
	}
	return f.session.next
}

func (f *Follower) useUp(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session.next == id {
		f.session.next = ""
	}
}

func (f *Follower) lose(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == "" || f.session.id != id {
		return false
	}
	f.session.id = ""
	return true
}

// unbeaten takes in that a beat had no answer.
func (f *Follower) unbeaten(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	f.link.beats.failed(now, err, f.o.Interval)
	if f.link.down() {
		f.asker.fail(err)
	}
	f.told.miss(f.session.began)
	f.judge(now)
	f.endTurn()
}

// beaten takes in the answer to a beat that began at session.began.
func (f *Follower) beaten(head api.SessionHead, id string, opened bool) {
	f.mu.Lock()
	now, sent := f.o.Now(), f.session.began
	all := opened || f.link.down() || sent.Sub(f.good) > maxGap
	changes, anything := f.hear(head, opened, now)
	stopped := f.stopped(head.Sessions)
	if stopped || all {
		f.doubt(true)
	}
	f.good = sent
	s := &f.session
	if opened {
		s.id, s.next = id, ""
	}
	if s.pause = min(2*s.pause, f.o.Interval); s.aimed <= f.history.followed {
		s.pause = catchUp
	}
	f.link.beats, f.link.ever = trouble{}, true
	if all {
		f.link.asks = trouble{}
	}
	f.judge(now)
	if f.guarded != head.Guarded {
		f.guarded = head.Guarded
		f.o.Log.Warn("the cloud's mass-expiry guard", "guarded", f.guarded)
	}
	f.table.sweepAbsent(now.Sub(f.epoch))
	f.endTurn()
	f.mu.Unlock()

	signal(f.due)
	if opened {
		f.o.Log.Info("session opened", "session", id)
		f.o.Observer.Opened()
		f.told.opened(id)
		return // what it holds is to be confirmed whole
	}
	// What a session held that stops is in the groups of brokers here, too; and
	// no log tells when it runs out, unless somebody sweeps.
	f.told.changed(changes, anything || stopped)
}

// hear takes in the revision's log, marks what it touches, and returns what is
// new in it, or that anything may be. The caller holds mu.
//
// A session that is over may be one that the table was lost with. So the log is
// not believed to go on where it was: what it has may be another history, even
// if its revision is later.
func (f *Follower) hear(head api.SessionHead, opened bool, now time.Time) (changes []core.Change, all bool) {
	h := &f.history
	if head.Revision < h.followed {
		f.o.Log.Warn("the cloud has another history", "revision", head.Revision, "known", h.followed)
	}
	if opened || head.Revision < h.followed {
		h.restart(head.Revision)
		f.era++
		f.newest = newest{head.Revision, now}
		f.session.wanted, f.session.aimed = 0, 0
		f.doubt(true)
		for e := range f.table.all() {
			e.revision.Store(0)
		}
		f.followed.Store(uint64(head.Revision))
		return nil, true
	}
	f.newest.beaten(head.Revision, now)
	t := touched{all: head.Revision}
	if head.Complete {
		for _, c := range head.Changes {
			if c.Revision > h.followed {
				changes = append(changes, c)
			}
		}
		t = touch(changes)
		h.add(changes, head.Revision)
	} else {
		h.restart(head.Revision)
	}
	f.mark(t)
	f.followed.Store(uint64(head.Revision))
	return changes, !head.Complete
}

// mark makes stale what the changes touch. The caller holds mu.
func (f *Follower) mark(t touched) {
	f.order.mark(t)
	if t.none() {
		return
	}
	right := f.good.Sub(f.epoch)
	for e := range f.table.all() {
		switch {
		case !t.hits(e.topic, e.route, e.silent, core.Revision(e.revision.Load())):
		case e.route == nil:
			f.table.remove(e.topic)
		default:
			e.expire(right)
		}
	}
}

// doubt makes everything stale, also what is being asked for. The caller holds
// mu.
func (f *Follower) doubt(consistent bool) {
	f.generation++
	f.order.expire()
	right := f.good.Sub(f.epoch)
	for e := range f.table.all() {
		if e.route == nil {
			f.table.remove(e.topic)
			continue
		}
		e.expire(right)
		e.consistent = e.consistent || consistent
	}
}

// stopped takes in the sessions, and says whether one that went on beating does
// so no more. What it held is in routes until its leases run out, which their
// answers do not tell. The caller holds mu.
func (f *Follower) stopped(sessions []api.SessionLeft) bool {
	least := max(missedTime+f.o.Interval, 5*time.Second)
	lived := make(map[string]struct{}, len(sessions))
	for _, s := range sessions {
		if s.Remaining > least {
			lived[s.ID] = struct{}{}
		}
	}
	stopped := false
	for id := range f.lived {
		if _, lives := lived[id]; !lives {
			stopped = true
		}
	}
	f.lived = lived
	return stopped
}

// endTurn wakes those who wait for the end of a beat. The caller holds mu.
func (f *Follower) endTurn() {
	close(f.turn)
	f.turn = make(chan struct{})
}

// judge takes in what is known of the link now, and says so if it has become
// another. The caller holds mu.
func (f *Follower) judge(now time.Time) {
	since := f.link.since
	switch {
	case !f.link.judge(now):
	case f.link.state == connected:
		f.o.Log.Info("connected to the cloud", "after", now.Sub(since).Round(time.Millisecond))
	default:
		f.o.Log.Warn("the cloud cannot be reached, what was known last is answered", "error", f.link.trouble())
	}
}

// ID returns the session's id; it is opened first if there is none.
func (f *Follower) ID(ctx context.Context) (string, error) {
	var id string
	err := f.await(ctx, idTime, func() (bool, error) {
		id = f.session.id
		if id == "" && f.link.beats.failures > 0 {
			return true, f.link.beats.err
		}
		return id != "", nil
	})
	if err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	return id, nil
}

// Lost tells that the cloud said of the session that it is closed. If it is the
// one that beats, another one is opened at once.
func (f *Follower) Lost(id string) {
	if f.lose(id) {
		f.o.Log.Warn("the session is over, another one is opened", "session", id)
		signal(f.wake)
	}
}

// Seen tells of a revision that a write from here has raised, and returns when
// what was kept from before it is answered no more: after a second at most, and
// at once while the cloud cannot be reached.
func (f *Follower) Seen(ctx context.Context, revision core.Revision) {
	f.mu.Lock()
	f.newest.heard(revision, f.o.Now())
	if revision > f.history.followed {
		if f.session.wanted <= f.history.followed {
			f.session.pause = catchUp
		}
		f.session.wanted = max(f.session.wanted, revision)
	}
	f.mu.Unlock()
	err := f.await(ctx, seenTime, func() (bool, error) {
		return revision <= f.history.followed || f.link.beats.failures > 0 || !f.link.ever, nil
	})
	if err == nil {
		return
	}
	// The beats were answered by who did not know of it yet, or not at all:
	// then it is not known what it changed.
	f.mu.Lock()
	defer f.mu.Unlock()
	if revision > f.history.followed && f.link.state == connected {
		f.doubt(false)
		signal(f.due)
	}
}

// await has beats made until done, which is called with mu held.
func (f *Follower) await(ctx context.Context, most time.Duration, done func() (bool, error)) error {
	var timer *time.Timer
	for {
		f.mu.Lock()
		ok, err := done()
		turn := f.turn
		f.mu.Unlock()
		if ok || err != nil {
			return err
		}
		signal(f.wake)
		if timer == nil {
			defer core.Waiting(ctx)()
			timer = time.NewTimer(most)
			defer timer.Stop()
		}
		select {
		case <-turn:
		case <-timer.C:
			return &api.UnreachableError{Call: "beatSession", Reason: "the API did not answer in time"}
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ctx.Done():
			return errClosed
		}
	}
}
