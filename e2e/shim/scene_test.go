package shim_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signpost/core"
	"signpost/e2e/shim/link"
	"signpost/internal/memory"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

const (
	// beat is from one beat of a shim's session to the next.
	beat = 5 * time.Second
	// lease is the shortest that a session's beat is good for.
	lease = 30 * time.Second
	// soon is within what a change made through one shim has to be seen through
	// another.
	soon = 6 * time.Second
	// latency is what a call of the API takes at the least.
	latency = 20 * time.Millisecond
)

// scene is a world with some shims and a NameServer beside them.
type scene struct {
	t     *testing.T
	ids   atomic.Int64
	cloud *cloud
	shims []*shim
	java  *front // what it would answer: the NameServer that hears everybody
	log   *record
}

// play runs a test in a world of its own.
func play(t *testing.T, shims int, test func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, log: &record{}}
		s.cloud = newCloud(s.newID)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the shims said:\n%s", s.log)
			}
		})
		s.java = s.startNameServer()
		for i := range shims {
			s.shims = append(s.shims, s.newShim(fmt.Sprint("shim-", i)))
			s.shims[i].start()
			t.Cleanup(s.shims[i].stop)
		}
		s.mend()
		test(s)
	})
}

func (s *scene) newID() string { return strconv.FormatInt(s.ids.Add(1), 10) }

// startNameServer starts the NameServer beside the shims.
func (s *scene) startNameServer() *front {
	f := &front{name: "NameServer", log: slog.New(slog.DiscardHandler)}
	r := core.New(memory.New(memory.WithClock(time.Now)), core.Options{NewID: s.newID, Rules: rules})
	f.serve(r, func(o *nameserver.Options) { o.Local = true })
	s.t.Cleanup(func() { f.shut(s.t) })
	return f
}

// fronts are the shims and the NameServer: what a broker is given.
func (s *scene) fronts() []*front {
	all := []*front{s.java}
	for _, sh := range s.shims {
		all = append(all, &sh.front)
	}
	return all
}

// start starts a broker that registers with everybody, and waits until
// everybody has it.
func (s *scene) start(b *broker) *broker {
	s.t.Helper()
	b.start(s, s.fronts()...)
	s.same(soon, b.topics...)
	return b
}

// eventually waits for something at most that long; why says what is missing.
func (s *scene) eventually(within time.Duration, what string, why func() string) {
	s.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(100 * time.Millisecond) {
		missing := why()
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: not within %v: %s", what, within, missing)
		}
	}
}

// lists are what is compared beside routes.
var lists = []question{
	{remoting.GetBrokerClusterInfo, nil}, {remoting.GetAllTopicListFromNameServer, nil},
	{remoting.GetTopicsByCluster, []string{"cluster", "c"}}, {remoting.GetSystemTopicListFromNameServer, nil},
}

// same waits until every shim says of the topics, and in its lists, what the
// NameServer says.
func (s *scene) same(within time.Duration, topics ...string) {
	s.t.Helper()
	s.alike(within, lists, topics...)
}

// sameRoutes is same in an outage: of topics whose last broker has left, lists
// may have the names until the cloud can be asked.
func (s *scene) sameRoutes(within time.Duration, topics ...string) {
	s.t.Helper()
	s.alike(within, lists[:1], topics...)
}

func (s *scene) alike(within time.Duration, questions []question, topics ...string) {
	s.t.Helper()
	questions = slices.Clone(questions)
	for _, t := range topics {
		questions = append(questions, routeOf(t))
	}
	s.eventually(within, "the shims say what the NameServer says", func() string {
		for _, q := range questions {
			want := s.java.say(q)
			for _, sh := range s.shims {
				if sh.dead.Load() {
					continue
				}
				if got := sh.say(q); got != want {
					return fmt.Sprintf("%s of %s: %.500s, want %.500s", q, sh.name, got, want)
				}
			}
		}
		return ""
	})
}

// cloudHas waits until the API has these brokers in the topic's route, by
// itself and without any shim.
func (s *scene) cloudHas(within time.Duration, topic string, brokers ...string) {
	s.t.Helper()
	s.eventually(within, fmt.Sprintf("the cloud has %v in the route of %s", brokers, topic), func() string {
		if got := s.cloud.brokers(topic); !slices.Equal(got, brokers) {
			return fmt.Sprint(got)
		}
		return ""
	})
}

// watch has a client ask every shim for the topics all the time. The function
// that it returns ends that, and fails the test if one of the topics was not
// found.
func (s *scene) watch(topics ...string) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var failures []string
	var clients sync.WaitGroup
	for _, topic := range topics {
		clients.Go(func() {
			for began := time.Now(); ctx.Err() == nil; time.Sleep(250 * time.Millisecond) {
				for _, sh := range s.shims {
					if sh.dead.Load() {
						continue
					}
					if got := sh.say(routeOf(topic)); !strings.HasPrefix(got, "{") && !sh.dead.Load() {
						mu.Lock()
						failures = append(failures, fmt.Sprintf("after %v %s says of %s: %s", time.Since(began), sh.name, topic, got))
						mu.Unlock()
					}
				}
			}
		})
	}
	s.t.Cleanup(func() { cancel(); clients.Wait() })
	return func() {
		s.t.Helper()
		cancel()
		clients.Wait()
		if len(failures) > 0 {
			s.t.Errorf("%d lookups of topics with a living broker failed, the first: %s", len(failures), failures[0])
		}
	}
}

// always breaks or mends all links.
func (s *scene) always(f link.Fault) {
	for _, sh := range s.shims {
		sh.link.Set(link.Always(f))
	}
}

// mend has all links work as they do.
func (s *scene) mend() { s.always(link.Slow(latency)) }

// record keeps what is logged, for tests that fail.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !bytes.Contains(line, []byte("connection closed")) { // every question ends one
		r.lines = append(r.lines, string(line))
	}
	return len(line), nil
}

// String is the end of it.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines[max(0, len(r.lines)-60):], "")
}
