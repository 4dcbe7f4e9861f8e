package follow

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"signpost/internal/upstream/api"
)

const (
	// downAfter is how many calls in a row have no answer before the cloud
	// counts as unreachable: one is nothing.
	downAfter = 2
	// backoff bounds the pause after the first call without an answer; it
	// doubles up to the beats' interval.
	backoff = 200 * time.Millisecond
)

// trouble is what one kind of calls suffers.
type trouble struct {
	failures int // in a row
	err      error
	retryAt  time.Time
}

// failed takes in a call without an answer. Pauses are random, so that many
// gateways do not come back at the same moment.
func (t *trouble) failed(now time.Time, err error, most time.Duration) {
	pause := rand.N(min(most, backoff<<min(t.failures, 16)))
	if no := noAnswer(err); no != nil {
		pause = max(pause, min(no.RetryAfter, most))
	}
	t.failures++
	t.err, t.retryAt = err, now.Add(pause)
}

// linkState is how the way to the cloud is.
type linkState uint8

const (
	starting linkState = iota // not reached yet
	connected
	unreachable
)

// link is what is known of the way to the cloud. Lookups may fail while beats
// are answered: what reads may be throttled alone.
type link struct {
	beats, asks trouble
	ever        bool // a beat was answered
	state       linkState
	since       time.Time

	// cut says that what cannot be asked for again is answered as it is.
	cut atomic.Bool
}

func (l *link) begin(now time.Time) {
	l.since = now
	l.cut.Store(true)
}

// down says that only beats are worth trying.
func (l *link) down() bool { return l.beats.failures >= downAfter }

// mayAsk says whether a lookup may be tried.
func (l *link) mayAsk(now time.Time) bool {
	return !l.down() && (l.asks.failures == 0 || !now.Before(l.asks.retryAt))
}

// judge takes in what has changed, and says whether the state did.
func (l *link) judge(now time.Time) (turned bool) {
	l.cut.Store(!l.ever || l.down() || l.asks.failures > 0)
	state := l.state
	switch {
	case l.down() || l.asks.failures >= downAfter:
		state = unreachable
	case l.ever:
		state = connected
	}
	if turned = state != l.state; turned {
		l.state, l.since = state, now
	}
	return turned
}

// trouble returns why a call is not worth trying, or had no answer.
func (l *link) trouble() error {
	switch {
	case l.beats.failures > 0 && (l.down() || l.asks.err == nil):
		return l.beats.err
	case l.asks.err != nil:
		return l.asks.err
	}
	return &api.UnreachableError{Call: "beatSession", Reason: "the API was not reached yet"}
}

func (l *link) reason() string {
	if l.state == connected {
		return ""
	}
	if no := noAnswer(l.trouble()); no != nil {
		return no.Reason
	}
	return refusedReason
}

const refusedReason = "the API refused the call"

func noAnswer(err error) *api.UnreachableError {
	var no *api.UnreachableError
	errors.As(err, &no)
	return no
}

// failure is err as one that there is no answer: what the API has against this
// gateway's calls is not for those who ask it.
func failure(call string, err error) error {
	if noAnswer(err) != nil {
		return err
	}
	return fmt.Errorf("%w: %w", &api.UnreachableError{Call: call, Reason: refusedReason}, err)
}

// late is what is said to those who cannot wait any longer.
func late() error {
	return &api.UnreachableError{Call: "getRoutes", Reason: "the API did not answer in time"}
}

// rewound is what is said of a topic that is missing in an answer from before
// the revision that was named.
func rewound() error {
	return &api.UnreachableError{Call: "getRoutes", Reason: "the API answers from before what it has told"}
}
