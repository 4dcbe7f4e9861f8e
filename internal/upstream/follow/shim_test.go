package follow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/upstream/follow"
)

// listener notes what it is told.
type listener struct {
	mu      sync.Mutex
	opened  []string
	changes []core.Change
	all     int
	missed  []time.Time
	block   chan struct{} // nil: it does not
}

func (l *listener) Opened(_ context.Context, _ time.Time, session string) {
	l.mu.Lock()
	l.opened = append(l.opened, session)
	block := l.block
	l.mu.Unlock()
	if block != nil {
		<-block
	}
}

func (l *listener) Changed(_ context.Context, _ time.Time, changes []core.Change, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, changes...)
	if all {
		l.all++
	}
}

func (l *listener) Missed(_ context.Context, _, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missed = append(l.missed, began)
}

func (l *listener) take() (opened []string, changes []core.Change, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	opened, changes, all = l.opened, l.changes, l.all
	l.opened, l.changes, l.all = nil, nil, 0
	return opened, changes, all
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func logTo(l *lines) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) with(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// shim is a Follower that runs, with who asks it.
type shim struct {
	*follow.Follower
	t     tester
	heard *listener
	log   *lines
	stop  func()
}

// tester is a test, or one run of many.
type tester interface {
	Helper()
	Cleanup(func())
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func start(t tester, c *cloud, change ...func(*follow.Options)) *shim {
	t.Helper()
	s := &shim{t: t, heard: &listener{}, log: &lines{}}
	o := follow.Options{
		Cloud: c, Listener: s.heard, Gateway: "gw", NewID: newID,
		Log: logTo(s.log),
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if s.Follower, err = follow.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// shape is a route as text: its brokers with their ids, and queues.
func shape(r *core.Route) string {
	var b strings.Builder
	for _, broker := range r.Brokers {
		fmt.Fprintf(&b, "%s", broker.Name)
		for _, a := range broker.Addrs {
			fmt.Fprintf(&b, " %d", a.ID)
		}
		i := slices.IndexFunc(r.Rows, func(row core.Row) bool { return row.Broker == broker.Name })
		fmt.Fprintf(&b, "/%d ", r.Rows[i].Queues.Read)
	}
	if r.HasOrderConf {
		b.WriteString("order " + r.OrderConf)
	}
	return strings.TrimSpace(b.String())
}

func described(route *core.Route, err error) string {
	switch {
	case errors.Is(err, core.ErrNoTopic):
		return "none"
	case errors.Is(err, core.ErrUnavailable):
		return "unavailable"
	case err != nil:
		return err.Error()
	}
	return shape(route)
}

// route looks a topic up, as a client does.
func (s *shim) route(topic string) string {
	found, err := s.Route(context.Background(), time.Now(), topic)
	return described(found.Route, err)
}

func (s *shim) want(topic, want string) {
	s.t.Helper()
	if got := s.route(topic); got != want {
		s.t.Errorf("route of %s: %q, want %q", topic, got, want)
	}
}

// known is what is answered at once; "" if nothing is.
func (s *shim) known(topic string) string {
	found, err, ok := s.Known(time.Now(), topic)
	if !ok {
		return ""
	}
	return described(found.Route, err)
}

func (s *shim) wantKnown(topic, want string) {
	s.t.Helper()
	if got := s.known(topic); got != want {
		s.t.Errorf("known of %s: %q, want %q", topic, got, want)
	}
}

func TestMain(m *testing.M) {
	child()
	goleak.VerifyTestMain(m)
}
