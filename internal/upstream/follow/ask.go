package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

const (
	// gatherTime is how long a lookup waits for others to join its call.
	gatherTime = 2 * time.Millisecond
	// askTime bounds one call for routes with its repetitions.
	askTime = 4 * time.Second
	// Clients wait 3 s. Who can be answered as it was known last waits less.
	patience      = 2500 * time.Millisecond
	stalePatience = time.Second
	// repeats is how often a lookup asks again since changes overtook it.
	repeats = 3
	// maxCalls is how many calls for routes are under way at the same time.
	maxCalls = 4
	// maxQueued bounds the topics that wait for a call because somebody asks.
	maxQueued = 20_000
	// maxNames bounds the names in one call, in bytes as they are sent: the API
	// takes 1 MiB.
	maxNames = 768 << 10
)

// flight is a topic that is asked for. Several lookups may wait for it.
type flight struct {
	topic      string
	urgent     bool   // somebody waits for it
	was        *entry // what is kept of it; nil: nothing
	sent       bool
	etag       string        // of was, when it was sent
	named      core.Revision // the newest one, when it was sent
	generation uint64        // then
	era        uint64        // then
	done       chan struct{}

	// These are what came of it, when done is closed.
	route    *core.Route
	absent   *core.NoTopicError
	revision core.Revision // of the answer
	err      error
	old      bool // it may be from before what was heard meanwhile
}

// known is the route that was known when it was asked for; nil if none was.
func (fl *flight) known() *core.Route {
	if fl.was == nil {
		return nil
	}
	return fl.was.route
}

// asker asks for topics, many in one call.
type asker struct {
	flights map[string]*flight // the last one of each topic
	urgent  []*flight          // to be sent, those that somebody waits for first
	others  []*flight          // some of which became urgent since
	queued  int
	armed   bool
	running int
	// most is how many topics one call asks for at most: half as many when a
	// call had no answer, twice as many when one of so many had. So a slow cloud
	// is asked for what it can tell in time.
	most int
}

func newAsker() asker { return asker{flights: map[string]*flight{}, most: api.MaxBatch} }

// answered takes in that a call for so many topics had an answer, or had not.
func (a *asker) answered(topics int, yes bool) {
	switch {
	case !yes:
		a.most = max(1, a.most/2)
	case topics >= a.most:
		a.most = min(2*a.most, api.MaxBatch)
	}
}

// ask looks a topic up that is not known, or no more. If changes overtake the
// answer, it asks again: something was promised meanwhile that it may not have.
func (f *Follower) ask(ctx context.Context, now time.Time, topic string) (Found, error) {
	if !askable(topic) {
		return Found{}, &core.NoTopicError{ValidUntil: now.Add(absentTime)}
	}
	began := f.o.Now()
	fl, last, err := f.askOnce(ctx, topic, patience)
	for range repeats {
		if err != nil || !fl.old {
			break
		}
		again, _, failed := f.askOnce(ctx, topic, patience-f.o.Now().Sub(began))
		if failed != nil {
			break // so it is all there is
		}
		fl = again
	}
	switch {
	case err == nil && fl.route == nil:
		return Found{nil, fl.revision}, fl.absent
	case err == nil:
		return Found{fl.route, fl.revision}, nil
	case last.Route != nil:
		return last, nil
	}
	return Found{}, err
}

// askOnce waits for one answer, for that long at most, and returns what was
// known last.
func (f *Follower) askOnce(ctx context.Context, topic string, most time.Duration) (fl *flight, last Found, err error) {
	if fl, last, err = f.want(topic); err != nil {
		return nil, last, err
	}
	if last.Route != nil {
		most = min(most, stalePatience)
	}
	return fl, last, fl.wait(ctx, most)
}

// wait waits for what comes of it, for that long at most.
func (fl *flight) wait(ctx context.Context, most time.Duration) error {
	defer core.Waiting(ctx)()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-fl.done:
		return fl.err
	case <-timer.C:
		return late()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// askable says whether the API takes a name; it refuses a call with another one
// in it. No broker has such a topic.
func askable(topic string) bool {
	return topic != "" && api.CheckName("topic", topic) == nil
}

// want has a topic asked for, and returns what was known of it last.
func (f *Follower) want(topic string) (fl *flight, last Found, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	e := f.table.find(topic)
	if e != nil {
		last = f.found(e)
	}
	switch {
	case f.closed:
		return nil, last, errClosed
	case e != nil && now.Sub(f.epoch) <= time.Duration(e.until.Load()):
		return &flight{route: e.route, absent: e.absent, revision: last.Revision, done: landed}, last, nil // since it was looked for
	case !f.link.mayAsk(now):
		return nil, last, f.link.trouble()
	case len(f.asker.urgent) >= maxQueued:
		return nil, last, &api.UnreachableError{Call: "getRoutes", Reason: "too many lookups wait for the API"}
	}
	return f.launchLater(topic, e, true), last, nil
}

// landed is the end of what did not have to be asked for.
var landed = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// launchLater has a topic asked for, unless that is under way. The caller holds
// mu.
func (f *Follower) launchLater(topic string, e *entry, urgent bool) *flight {
	a := &f.asker
	fl := a.flights[topic]
	switch {
	case fl == nil, fl.sent && (fl.named < f.history.followed || fl.generation != f.generation):
		// What is under way may be from before what is known now.
		fl = &flight{was: e, done: make(chan struct{})}
		if e != nil {
			fl.topic = e.topic
		} else {
			fl.topic = strings.Clone(topic) // it may be a part of what somebody sent
		}
		a.flights[fl.topic] = fl
		a.queue(fl, urgent)
	case !fl.sent && urgent && !fl.urgent:
		a.queued-- // it stands in others, too
		a.queue(fl, true)
	}
	f.arm(gatherTime)
	return fl
}

func (a *asker) queue(fl *flight, urgent bool) {
	a.queued++
	if fl.urgent = urgent; urgent {
		a.urgent = append(a.urgent, fl)
	} else {
		a.others = append(a.others, fl)
	}
}

// next takes what goes into one call.
func (a *asker) next() (batch []*flight) {
	size := 0
	for _, queue := range []*[]*flight{&a.urgent, &a.others} {
		for len(*queue) > 0 && len(batch) < a.most {
			fl := (*queue)[0]
			if !fl.sent && (queue == &a.urgent || !fl.urgent) {
				// As JSON a byte may become six.
				if size += 6*len(fl.topic) + 64; size > maxNames {
					break
				}
				fl.sent = true
				batch = append(batch, fl)
			}
			(*queue)[0] = nil // with what it was asked for instead of
			*queue = (*queue)[1:]
		}
		if len(*queue) == 0 {
			*queue = nil // a round over all that is known leaves much room
		}
	}
	a.queued -= len(batch)
	return batch
}

// fail ends all lookups that wait for a call to be made.
func (a *asker) fail(err error) {
	for batch := a.next(); len(batch) > 0; batch = a.next() {
		for _, fl := range batch {
			a.end(fl, nil, nil, err)
		}
	}
}

func (a *asker) end(fl *flight, route *core.Route, absent *core.NoTopicError, err error) {
	fl.route, fl.absent, fl.err = route, absent, err
	if a.flights[fl.topic] == fl {
		delete(a.flights, fl.topic)
	}
	close(fl.done)
}

// arm has calls made after that time. The caller holds mu.
func (f *Follower) arm(after time.Duration) {
	if a := &f.asker; !a.armed && a.queued > 0 && a.running < f.mayRun() && !f.closed {
		a.armed = true
		time.AfterFunc(after, f.launch)
	}
}

// mayRun is how many calls may be under way: one, to see whether it works again.
func (f *Follower) mayRun() int {
	if f.link.asks.failures > 0 {
		return 1
	}
	return maxCalls
}

// launch makes calls.
func (f *Follower) launch() {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := &f.asker
	a.armed = false
	switch {
	case f.closed:
		return
	case !f.link.mayAsk(f.o.Now()):
		a.fail(f.link.trouble())
		return
	}
	for a.queued > 0 && a.running < f.mayRun() {
		batch := a.next()
		a.running++
		q := api.RoutesQuery{Revision: f.newest.revision, Topics: make([]api.KnownRoute, len(batch))}
		for i, fl := range batch {
			fl.named, fl.generation, fl.era = f.newest.revision, f.generation, f.era
			if e := fl.was; e != nil {
				fl.etag = e.etag
				q.Consistent = q.Consistent || e.consistent
			}
			q.Topics[i] = api.KnownRoute{Topic: fl.topic, ETag: fl.etag}
		}
		f.calls.Go(func() { f.call(q, batch) })
	}
}

// call makes one call and takes in its answer.
func (f *Follower) call(q api.RoutesQuery, batch []*flight) {
	ctx, cancel := context.WithTimeout(f.ctx, askTime)
	defer cancel()
	sent := f.o.Now()
	routes, err := f.o.Cloud.Routes(ctx, q)
	var answers []answer
	if err == nil {
		answers, err = read(routes, batch)
	} else {
		err = failure("getRoutes", err)
	}
	f.o.Observer.Asked(len(batch), f.o.Now().Sub(sent), err)

	f.mu.Lock()
	defer f.mu.Unlock()
	f.asker.running--
	f.asker.answered(len(batch), err == nil)
	now := f.o.Now()
	switch {
	case err == nil:
		f.link.asks = trouble{}
		f.takeIn(answers, batch, routes.Revision, sent)
	default:
		if f.ctx.Err() == nil {
			f.link.asks.failed(now, err, f.o.Interval)
			signal(f.due) // to come again
		}
		for _, fl := range batch {
			f.asker.end(fl, nil, nil, err)
		}
	}
	f.judge(now)
	f.arm(0)
	if f.closed {
		f.asker.fail(errClosed) // what was left for later
	}
}

// damaged is what an answer is that does not fit what was asked.
func damaged(err error) error {
	return fmt.Errorf("%w: %w", &api.UnreachableError{Call: "getRoutes", Reason: "the answer of the API is damaged"}, err)
}

var errOthers = errors.New("it is about other topics")
