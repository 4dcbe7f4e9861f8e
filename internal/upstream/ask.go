package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"signpost/core"
	"signpost/internal/upstream/api"
	"signpost/internal/upstream/follow"
)

const (
	// askTime bounds one question: where there is an older answer, renewTime
	// does, and while the API was not reached yet, blindTime. mqadmin waits 5 s.
	askTime   = 10 * time.Second
	renewTime = 4 * time.Second
	blindTime = 2500 * time.Millisecond
	// maxAnswers bounds the answers that are kept.
	maxAnswers = 256
	// catchUpPause is from one try to the next, catchUps of them, when an answer
	// is from before what is known here: a function follows the revision within 2 s.
	catchUpPause = 500 * time.Millisecond
	catchUps     = 4
	// useTime is for how long an answer that may not hold counts after it was given.
	useTime = 10 * time.Minute
	// guessTime is for how long a guess is good: it takes a look at all routes.
	guessTime = 10 * time.Second
)

// question is one to the API that is asked seldom. Its answer is kept: while it
// holds, and longer for when the API cannot be asked.
type question[T any] struct {
	name string
	ask  func(context.Context) (T, api.Meta, error)
	// write and read are for the file, where the answer is for after a restart.
	// write returns nil where it is not worth that; without them none is.
	write func(T) []byte
	read  func([]byte) (T, error)
	// guess is the answer by what else is known here, and when that was right.
	guess func() (T, time.Time, bool)
}

// answers keeps what was answered. What is kept is not modified.
type answers struct {
	asking singleflight.Group

	mu   sync.Mutex
	kept map[string]kept // by question
}

type kept struct {
	value    any
	revision core.Revision
	era      uint64    // of that; 0 if it is from the file, or guessed
	until    time.Time // it holds while the revision stays, and not longer
	right    time.Time // when it was
	old      time.Time // when somebody was given it last though it may not hold
	guessed  time.Time // when it was guessed; zero if it was answered
}

func newAnswers() answers { return answers{kept: map[string]kept{}} }

func (a *answers) find(question string) (kept, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok := a.kept[question]
	return one, ok
}

func (a *answers) keep(question string, one kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was, ok := a.kept[question]
	if ok && (was.era > one.era || was.era == one.era && was.revision > one.revision) {
		return
	}
	if !ok && len(a.kept) >= maxAnswers {
		for other := range a.kept {
			delete(a.kept, other)
			break
		}
	}
	a.kept[question] = one
}

// given notes that somebody is given what may not hold.
func (a *answers) given(question string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one, ok := a.kept[question]; ok {
		one.old = now
		a.kept[question] = one
	}
}

// age is how old the oldest answer is of those that were given since then though
// they may not hold.
func (a *answers) age(now, since time.Time) (oldest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.kept {
		if one.old.After(since) {
			oldest = max(oldest, now.Sub(one.right))
		}
	}
	return oldest
}

// ask returns what the API answers to a question; where it cannot be asked, what
// it answered last, or would by what is known here.
func ask[T any](ctx context.Context, r *Registry, now time.Time, q question[T]) (answer T, err error) {
	standing := r.known.Standing()
	last, ok := r.answers.find(q.name)
	if ok && standing.Connected && last.era == standing.Era && last.revision >= standing.Revision && now.Before(last.until) {
		return last.value.(T), nil
	}
	if err = standing.Trouble; err == nil {
		within := askTime
		switch {
		case ok:
			within = renewTime
		case !standing.Connected:
			within = blindTime
		}
		if answer, err = asked(ctx, r, now, q, standing, within); err == nil {
			return answer, nil
		}
	}
	if !errors.Is(err, core.ErrUnavailable) {
		return answer, told(err)
	}
	if last, ok = remembered(r, now, q); !ok {
		return answer, told(err)
	}
	r.answers.given(q.name, now)
	return last.value.(T), nil
}

// asked asks the API. Those who ask the same at the same time share a call.
func asked[T any](ctx context.Context, r *Registry, now time.Time, q question[T], standing follow.Standing, within time.Duration) (answer T, err error) {
	defer core.Waiting(ctx)()
	// Who asks after a change must not share a call from before it.
	done := r.answers.asking.DoChan(fmt.Sprint(standing.Era, " ", standing.Revision, " ", q.name), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		value, meta, err := q.ask(ctx)
		for n := 0; n < catchUps && err == nil && meta.Revision < standing.Revision && api.Pause(ctx, catchUpPause); n++ {
			value, meta, err = q.ask(ctx)
		}
		if err != nil {
			return nil, err
		}
		r.answers.keep(q.name, kept{value: value, revision: meta.Revision, era: standing.Era, until: now.Add(meta.ValidFor), right: now})
		if q.write != nil {
			if body := q.write(value); body != nil {
				r.known.KeepAnswer(q.name, body, now)
			}
		}
		return value, nil
	})
	select {
	case <-ctx.Done():
		return answer, ctx.Err()
	case said := <-done:
		if said.Err != nil {
			return answer, said.Err
		}
		return said.Val.(T), nil
	}
}

// remembered is what the API answered last, the file has, or else is known here.
func remembered[T any](r *Registry, now time.Time, q question[T]) (kept, bool) {
	one, ok := r.answers.find(q.name)
	if ok && (one.guessed.IsZero() || now.Sub(one.guessed) < guessTime) {
		return one, true
	}
	one, ok = kept{}, false
	if q.read != nil {
		var body []byte
		if body, one.right, ok = r.known.KeptAnswer(q.name); ok {
			var err error
			one.value, err = q.read(body)
			ok = err == nil
		}
	}
	if !ok {
		one.value, one.right, ok = q.guess()
		one.guessed = now
	}
	if ok {
		r.answers.keep(q.name, one)
	}
	return one, ok
}
