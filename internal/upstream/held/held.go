// Package held keeps the brokers that are connected to this gateway: what they
// have said, and what the cloud has accepted of it.
//
// A broker's statements are taken by a local registry first, which judges them
// as a NameServer would that hears only these brokers: whether they make sense,
// who takes whose id or address, who has missed its own timeout. What the
// registry then holds is desired of the cloud; a pump carries the difference
// there, in the order in which it was said, one call a group at a time. What the
// cloud says is right wherever the two differ.
//
// What nothing is to be told of ends here: unchanged registrations, beats, and
// whatever a broker said and took back while the cloud could not be reached.
package held

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// Cloud is the API as held brokers need it. Every call may be repeated. Its
// errors are what the API says (core's), or a core.ErrUnavailable.
type Cloud interface {
	Register(ctx context.Context, session string, r api.Registration) (api.Registered, error)
	Beats(ctx context.Context, session string, beats []api.Beat) ([]api.Confirmed, api.Meta, error)
	Unregister(ctx context.Context, session string, d api.Departure) (api.Meta, error)
	Leases(ctx context.Context, session string) ([]core.Held, error)
}

// Session is the gateway's session, for which somebody else beats.
type Session interface {
	// ID returns the open session; an error if there is none.
	ID(ctx context.Context) (string, error)
	// Lost tells that the cloud called the session closed.
	Lost(id string)
	// Seen returns when what was kept here from before that revision is not
	// answered any more, or after a bounded time.
	Seen(ctx context.Context, rev core.Revision)
}

// Local is a registry of this process alone, in memory, in which only held
// brokers are. A *core.Registry over internal/memory is one.
type Local interface {
	Register(ctx context.Context, now time.Time, r core.Registration) (core.Registered, error)
	Beat(ctx context.Context, now time.Time, b core.Beat) (core.BeatAnswer, error)
	Unregister(ctx context.Context, now time.Time, d core.Departure) (core.Revision, error)
	DataVersion(ctx context.Context, now time.Time, cluster, broker, addr string) (core.DataVersion, error)
	Group(ctx context.Context, now time.Time, name string) (core.Group, error)
	Route(ctx context.Context, now time.Time, topic string) (*core.Route, error)
	Sweep(ctx context.Context, now time.Time) (core.Swept, error)
	Rules() core.Rules
}

var _ Local = (*core.Registry)(nil)

// Observer is told of what metrics show. Its methods must not block.
type Observer interface {
	// Answered tells that a broker's statement was answered without the cloud's
	// word, which is to follow.
	Answered()
	// Said tells how a statement ended: "accepted", "refused", or "gone" for a
	// broker that is to speak for itself again.
	Said(outcome string)
}

// Options are what Brokers work with. Cloud, Session and Local are required.
type Options struct {
	Cloud   Cloud
	Session Session
	Local   Local
	// OnMinBroker, if set, is told when the lowest id of a group changed, with
	// the brokers connected here to tell. It must not block.
	OnMinBroker func(core.MinBrokerChange)
	Log         *slog.Logger // nil logs nothing
	Observer    Observer     // nil is told nothing
	Now         func() time.Time
}

const (
	// answerTime is how long a broker waits for the cloud's word. Java's brokers
	// wait 3 s for the answer to a 104, and 24 s at least to a 103; clients that
	// look for a broker that has just started wait for neither.
	answerTime = 3 * time.Second
	// sweepTime is from one look for missed timeouts to the next.
	sweepTime = time.Second
	// reconcileTime is from one look at what is leased to this session to the
	// next (rule 12).
	reconcileTime = 30 * time.Minute
)

// Brokers are the brokers connected here. Its methods may be used at the same
// time by many.
type Brokers struct {
	o       Options
	seed    maphash.Seed
	packing chan struct{}  // bounds how many bodies are decoded and compressed at a time
	locks   [64]sync.Mutex // by group: held while a statement is taken by the local registry and noted here
	wake    chan struct{}  // the pump
	visible atomic.Int64   // groups that look otherwise here than by the cloud's last word
	newest  atomic.Uint64  // the newest revision of these words

	mu       sync.Mutex
	groups   map[string]*group
	session  string // the newest that is known; "" is none yet
	queue    []*group
	running  int       // calls under way
	calls    int       // that may be
	good     int       // calls answered since that was changed
	halved   time.Time // when that became less
	checking bool      // one of them confirms
	checkAt  time.Time // before which none is to
	renewed  time.Time // when it was looked last what has to be told again
	batch    int       // how many brokers such a call confirms at most
	trouble  trouble
	overlays map[string]overlaid // by topic
}

// New returns Brokers of which there are none yet.
func New(o Options) *Brokers {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Brokers{
		o: o, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1),
		packing: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))),
		groups:  map[string]*group{}, calls: maxCalls, batch: api.MaxBatch, trouble: trouble{began: make(chan struct{})},
	}
}

// Run carries what is said to the cloud, until ctx ends. Stopping drops
// nothing: the session runs out by itself, or another gateway takes over.
func (b *Brokers) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, loop := range []func(context.Context){b.pump, b.sweeps, b.reconciles} {
		loops.Go(func() { loop(ctx) })
	}
	loops.Wait()
	return nil
}

// Held is how many brokers are connected here.
func (b *Brokers) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, g := range b.groups {
		for _, r := range g.replicas {
			if r.held {
				n++
			}
		}
	}
	return n
}

// Pending is how many of them the cloud has not yet accepted as they are, and
// how many have left that it has not been told of.
func (b *Brokers) Pending() (adds, drops int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.groups {
		for _, r := range g.replicas {
			switch {
			case !r.held && r.drop != nil:
				drops++
			case r.held && (r.unsaid() != nil || !r.gone && !r.accepted(b.session)):
				adds++
			}
		}
	}
	return adds, drops
}

// statement serialises what is said of one group.
func (b *Brokers) statement(group string) (done func()) {
	m := &b.locks[maphash.String(b.seed, group)%uint64(len(b.locks))]
	m.Lock()
	return m.Unlock
}

// local is the group as the local registry holds it; without replicas if it
// does not.
func (b *Brokers) local(ctx context.Context, now time.Time, name string) (core.Group, error) {
	g, err := b.o.Local.Group(ctx, now, name)
	if errors.Is(err, core.ErrNotFound) {
		return core.Group{Name: name}, nil
	}
	return g, err
}

type unobserved struct{}

func (unobserved) Answered()   {}
func (unobserved) Said(string) {}
