// Package follow keeps what the cloud's API told of routes and of order
// configuration, and knows what of it still holds.
//
// A gateway's session beats every few seconds. The answer to a beat has the
// revision with the log of its changes, and all sessions. What a change may
// touch is asked for again before it is answered the next time; so is what
// rests on leases that may run out, and everything when a session stops
// beating. Nothing else is asked for: in the steady state there is one small
// call each interval, for any number of brokers, clients and topics.
//
// While the cloud cannot be reached, what was known last is answered. It is
// also in a file, for the time right after a restart.
package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// Cloud is what is asked of the API: an *api.Client.
type Cloud interface {
	OpenSession(ctx context.Context, id, gateway string, known core.Revision) (api.SessionHead, error)
	BeatSession(ctx context.Context, id string, known core.Revision) (api.SessionHead, error)
	Routes(ctx context.Context, q api.RoutesQuery) (api.Routes, error)
	KV(ctx context.Context, namespace string) (map[string]string, api.Meta, error)
}

// Listener is told what concerns the brokers that are held here, in order and
// one thing at a time. It may wait for the cloud: beats do not wait for it.
type Listener interface {
	// Opened tells of a new session, which holds nothing yet.
	Opened(ctx context.Context, now time.Time, session string)
	// Changed tells what the revision's log says; with all, that anything may
	// have changed.
	Changed(ctx context.Context, now time.Time, changes []core.Change, all bool)
	// Missed tells that a beat which began then had no answer.
	Missed(ctx context.Context, now, began time.Time)
}

// Observer is told of what metrics show. Its methods must not block.
type Observer interface {
	Beaten(took time.Duration, err error)            // a beat of the session
	Asked(topics int, took time.Duration, err error) // a call for routes
	Opened()                                         // a session
}

// Options are what a Follower works with. Cloud, Gateway and NewID are required.
type Options struct {
	Cloud    Cloud
	Listener Listener // nil: see Listen
	Gateway  string   // the stable id of this gateway
	// Interval is from one beat to the next; 0 is 5 s. It is at most 7 s: a
	// session that stops has to be noticed before its leases run out.
	Interval time.Duration
	File     string // keeps what was known last; "" is none
	Routes   int    // how many are kept; 0 is 50,000
	Bytes    int64  // about how much memory they may take; 0 is 48 MiB
	Log      *slog.Logger
	Observer Observer
	Now      func() time.Time // nil is time.Now
	NewID    func() string    // makes ids of sessions, unique for ever
}

const (
	defaultInterval = 5 * time.Second
	maxInterval     = 7 * time.Second
	minInterval     = 10 * time.Millisecond
	defaultRoutes   = 50_000
	defaultBytes    = 48 << 20
)

func (o Options) withDefaults() (Options, error) {
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Routes == 0 {
		o.Routes = defaultRoutes
	}
	if o.Bytes == 0 {
		o.Bytes = defaultBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Interval < minInterval || o.Interval > maxInterval {
		return o, &core.FieldError{Field: "interval", Reason: fmt.Sprintf("is not between %v and %v", minInterval, maxInterval)}
	}
	return o, nil
}

type unobserved struct{}

func (unobserved) Beaten(time.Duration, error)     {}
func (unobserved) Asked(int, time.Duration, error) {}
func (unobserved) Opened()                         {}

// Follower keeps routes and follows the revision. Its methods may be used at
// the same time by many.
type Follower struct {
	o     Options
	epoch time.Time // moments are kept as what passed since then
	table table
	file  *file // nil: none
	// followed is history's, when what has changed up to it is marked.
	followed atomic.Uint64
	told     told

	wake chan struct{} // the beats' loop: look whether one is due
	due  chan struct{} // the rounds' loop: something is to be asked for again

	ctx    context.Context // of calls; ends with Close
	cancel context.CancelFunc
	calls  sync.WaitGroup

	mu      sync.Mutex // guards what follows, and writes to the table
	link    link
	session session
	history history
	newest  newest // revision that anybody told
	order   order
	asker   asker
	// generation counts the moments from which on answers are doubted that were
	// asked for earlier, since what was heard then is not in the log; era, those
	// at which another history began.
	generation uint64
	era        uint64
	lived      map[string]struct{} // sessions that went on beating, by the last beat
	good       time.Time           // when the last beat was sent that was answered
	guarded    bool
	// restoredAge is how long before the start it was right what the file had.
	restoredAge time.Duration
	round       time.Time     // when what is used was asked for again the last time
	turn        chan struct{} // closed when a beat has ended
	closed      bool
}

// New returns a Follower that knows what its file has. It makes no call yet.
func New(o Options) (*Follower, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &Follower{
		o: o, epoch: o.Now(),
		wake: make(chan struct{}, 1), due: make(chan struct{}, 1), turn: make(chan struct{}),
		asker: newAsker(), order: newOrder(),
	}
	f.good = f.epoch
	f.table.init()
	f.link.begin(f.epoch)
	f.told.init(o.Listener)
	if o.File != "" {
		if err := f.restore(); err != nil {
			return nil, fmt.Errorf("open %s: %w", o.File, err)
		}
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f, nil
}

// Listen sets the Listener, before Run.
func (f *Follower) Listen(l Listener) { f.told.init(l) }

// Run beats and follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){f.beats, f.rounds, f.tell, f.writes} {
		loops.Go(func() { loop(ctx) })
	}
	loops.Wait()
	return nil
}

// Close ends the calls under way and closes the file, with all in it that is
// known. It is to be called after Run. The session is left to run out.
func (f *Follower) Close() error {
	f.cancel()
	f.mu.Lock()
	f.closed = true
	f.asker.fail(errClosed)
	f.mu.Unlock()
	f.calls.Wait()
	if f.file == nil {
		return nil
	}
	return f.file.close(f.marks())
}

var errClosed = errors.New("the gateway stops")

// Found is what is known of a topic.
type Found struct {
	Route *core.Route // nil if there is none
	// Revision is up to where all that has changed is in it, that it has no route
	// as well. What is answered as it was known last may be from long before.
	Revision core.Revision
}

// found is what is kept of a topic.
func (f *Follower) found(e *entry) Found {
	followed := f.followed.Load() // before it is looked at: else what is marked meanwhile would count as right
	if time.Duration(e.until.Load()) == stale {
		followed = e.revision.Load()
	}
	return Found{e.route, core.Revision(followed)}
}

// Known returns what may be answered of a topic at once: a route, or that it
// has none. It never waits. Without ok Route is to be asked.
func (f *Follower) Known(now time.Time, topic string) (found Found, err error, ok bool) {
	e := f.table.find(topic)
	if e == nil {
		return Found{}, nil, false
	}
	at := now.Sub(f.epoch)
	e.used(at)
	switch {
	case e.route == nil && f.link.cut.Load():
		return Found{}, nil, false // what has come since would be in a log that is not heard
	case at <= time.Duration(e.until.Load()):
	case e.route == nil || !f.link.cut.Load():
		return Found{}, nil, false
	}
	if e.route == nil {
		return f.found(e), e.absent, true
	}
	return f.found(e), nil, true
}

// Route returns where a topic is, and asks for it if need be. The error is a
// *core.NoTopicError or, if it is not known and cannot be asked, an
// *api.UnreachableError. What cannot be asked for again is answered as it was
// known last.
func (f *Follower) Route(ctx context.Context, now time.Time, topic string) (Found, error) {
	found, err, ok := f.Known(now, topic)
	if !ok {
		found, err = f.ask(ctx, now, topic)
	}
	if err != nil {
		return found, fmt.Errorf("route of %s: %w", topic, err)
	}
	return found, nil
}

// Kept returns the routes that are kept, in the order of when they were known to
// be right, and when all of them were.
func (f *Follower) Kept(now time.Time) (routes []*core.Route, right time.Time) {
	type one struct {
		route *core.Route
		right time.Duration
	}
	f.mu.Lock()
	at, good := now.Sub(f.epoch), f.good.Sub(f.epoch)
	all := make([]one, 0, f.table.routes)
	for e := range f.table.all() {
		if e.route != nil {
			all = append(all, one{e.route, e.right(at, good)})
		}
	}
	f.mu.Unlock()
	slices.SortFunc(all, func(a, b one) int {
		return cmp.Or(cmp.Compare(a.right, b.right), cmp.Compare(a.route.Topic, b.route.Topic))
	})
	right = now
	for i, o := range all {
		if routes = append(routes, o.route); i == 0 {
			right = f.epoch.Add(o.right)
		}
	}
	return routes, right
}

// Standing is how a Follower stands with the cloud.
type Standing struct {
	Trouble error // why it is not worth asking now: it is said to peers; nil while it is
	// Connected says that what was answered at the revision that is followed holds
	// while its time lasts.
	Connected bool
	Revision  core.Revision
	// Era counts the cloud's histories: revisions of two of them say nothing of
	// each other.
	Era uint64
}

// Standing returns how it stands.
func (f *Follower) Standing() Standing {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Standing{Connected: f.link.state == connected, Revision: f.history.followed, Era: f.era}
	if f.link.state == unreachable {
		s.Trouble = f.link.trouble()
	}
	return s
}

// State is how a Follower does.
type State struct {
	Connected bool
	Since     time.Time // when Connected became what it is
	Reason    string    // why it is not connected, fit for a peer
	// OldestAnswer is how long ago it was known that all was right that is
	// answered from what is kept.
	OldestAnswer time.Duration
	Session      string // "" while there is none
	Revision     core.Revision
	Guarded      bool // by the cloud's mass-expiry guard
	Routes       int  // kept
	Bytes        int64
	Unwritten    int // topics of which the file does not have yet what is known
}

// State returns how it does.
func (f *Follower) State(now time.Time) State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := State{
		Connected: f.link.state == connected, Since: f.link.since, Reason: f.link.reason(),
		Session: f.session.id, Revision: f.history.followed, Guarded: f.guarded,
		Routes: f.table.routes, Bytes: f.table.bytes,
	}
	if f.file != nil {
		s.Unwritten = f.file.unwritten()
	}
	at, good := now.Sub(f.epoch), f.good.Sub(f.epoch)
	oldest := good
	for e := range f.table.all() {
		if e.route != nil && e.inUse(at) {
			oldest = min(oldest, e.right(at, good))
		}
	}
	s.OldestAnswer = max(0, at-oldest)
	return s
}

// signal wakes a loop.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
