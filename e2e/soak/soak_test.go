//go:build e2e

package soak

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signpost/e2e/shim/link"
)

var (
	stepsFlag     = flag.Int("soak.steps", 24, "how many things go wrong")
	functionsFlag = flag.Bool("soak.functions", false, "the API is the functions, over DynamoDB Local")
	seedFlag      = flag.Uint64("soak.seed", 1, "of what goes wrong; 0 is any")
)

const (
	brokers = 1000
	// ownTopics is how many topics only this broker may have.
	ownTopics = 2
	// startTime bounds the first registrations, settleTime is how long the shims
	// may take in the end: what a killed one held lives for one lease more. A
	// machine that has other things to do needs a multiple of either.
	startTime  = 8 * time.Minute
	settleTime = 4 * time.Minute
	// cutEvery is how many steps there are to one link that is cut for longer
	// than a lease.
	cutEvery = 60
	// stepTime bounds the time from one step to the next.
	stepTime = 2500 * time.Millisecond
	lookers  = 3 // clients of each shim
	// shown is how many failures and differences are told.
	shown = 10
)

// shared are topics of four brokers each.
var shared = func() (all []string) {
	for i := range brokers / 2 {
		all = append(all, fmt.Sprintf("topic-%03d", i))
	}
	return all
}()

// soak is a run.
type soak struct {
	t       *testing.T
	began   time.Time
	fronts  [2]*front
	brokers []*broker
	having  map[string][]*broker // by shared topic
	judged  atomic.Int64
	random  *rand.Rand      // what goes wrong: for who decides on it only
	suspect map[string]bool // topics that were not as they should be

	happening sync.WaitGroup
	dying     sync.Mutex // held while a shim is killed and young

	mu       sync.Mutex
	failures []string
}

func (s *soak) log(format string, args ...any) {
	s.t.Logf("%6.2f s: %s", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// report notes what must not be.
func (s *soak) report(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, fmt.Sprintf("%6.2f s: ", time.Since(s.began).Seconds())+fmt.Sprintf(format, args...))
}

func TestSoak(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	s := &soak{t: t, began: time.Now(), having: map[string][]*broker{}, random: rand.New(rand.NewPCG(seed, 0)), suspect: map[string]bool{}}
	s.log("%d steps of -soak.seed %d", *stepsFlag, seed)
	defer s.tell()
	cloud := memoryCloud
	if *functionsFlag {
		cloud = functionsCloud
	}
	start := cloud(t)
	for i := range s.fronts {
		s.fronts[i] = newFront(t, start, i)
	}
	s.populate()

	ctx, end := context.WithCancel(context.Background())
	var all sync.WaitGroup
	stop := sync.OnceFunc(func() { end(); all.Wait() })
	t.Cleanup(stop)
	for _, b := range s.brokers {
		for _, l := range b.lines {
			all.Go(func() { l.run(ctx, s.report) })
		}
		b.start()
	}
	s.settled(startTime, "all have registered")
	for _, f := range s.fronts {
		for range lookers {
			all.Go(func() { s.lookUp(ctx, f) })
		}
	}
	s.goWrong(t.Context())
	for _, f := range s.fronts {
		f.broken(link.Pass)
	}
	s.settled(settleTime, "all is well again")
	stop()
	if s.judged.Load() == 0 {
		t.Error("no answer could be judged")
	}
	s.log("%d times a broker was looked for in an answer", s.judged.Load())
}

// tell fails the test by what was reported.
func (s *soak) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.failures[:min(len(s.failures), shown)] {
		s.t.Error(f)
	}
	if n := len(s.failures); n > shown {
		s.t.Errorf("and %d failures more", n-shown)
	}
}

// populate makes the brokers: most know both shims, the others one.
func (s *soak) populate() {
	for i := range brokers {
		b := newBroker(i, s.fronts[:])
		b.change(func(topics map[string]int32) {
			topics[b.name] = 1
			for n := range 2 {
				topic := shared[(i+n*brokers/4)%len(shared)]
				topics[topic] = 4
				s.having[topic] = append(s.having[topic], b)
			}
		})
		only := s.random.IntN(6)
		for j, l := range b.lines {
			l.wanted = only > 1 || only == j
		}
		s.brokers = append(s.brokers, b)
	}
}

// goWrong has things happen, one after the other and together.
func (s *soak) goWrong(ctx context.Context) {
	happenings := s.happenings()
	for i := range *stepsFlag {
		if i%cutEvery == 0 {
			cut := s.fronts[s.random.IntN(len(s.fronts))]
			s.happening.Go(func() { s.linkIsCut(ctx, cut) })
		}
		happenings[s.random.IntN(len(happenings))](ctx)
		wait(ctx, upTo(s.random, stepTime))
	}
	s.happening.Wait()
}

// settled waits until both shims answer what the model has.
func (s *soak) settled(within time.Duration, what string) {
	s.t.Helper()
	began := time.Now()
	var differences []string
	for time.Since(began) < within {
		differences = nil
		for _, f := range s.fronts {
			differences = append(differences, s.differences(f, shown)...)
		}
		if len(differences) == 0 {
			s.log("%s, after %v", what, time.Since(began).Round(time.Millisecond))
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	for _, d := range differences {
		s.t.Error(d)
	}
	s.t.Fatalf("%s: not within %v", what, within)
}
