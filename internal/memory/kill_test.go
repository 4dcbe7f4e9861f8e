package memory_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// childPath is the variable that makes the test binary a process that writes
// to the store at that path until it is killed.
const childPath = "MEMORY_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := writeForEver(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // nobody killed it
	}
	os.Exit(m.Run())
}

const (
	killBrokers = 4
	killTopics  = 300 // of each broker, in several chunks
	killRounds  = 12
	mostSteps   = 100_000 // of a child that is not killed
)

// writeForEver makes steps of which each group, its topics and KV say the
// number, and tells each of them once it is confirmed.
func writeForEver(path string) error {
	s, err := memory.Open(path, epoch)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, killBrokers)
	var out sync.Mutex
	for n := range killBrokers {
		wg.Go(func() {
			broker := fmt.Sprint("broker-", n)
			errs <- step(s, broker, func(kind string, number int64, r core.Revision) {
				out.Lock()
				defer out.Unlock()
				fmt.Println(kind, broker, number, uint64(r))
			})
		})
	}
	wg.Wait()
	return <-errs
}

func step(s *memory.Store, broker string, confirmed func(kind string, number int64, r core.Revision)) error {
	ctx := context.Background()
	for range mostSteps {
		g, err := s.Group(ctx, broker)
		if err != nil {
			return err
		}
		number := g.Dropped + 1
		put := make([]core.Topic, killTopics)
		for i := range put {
			put[i] = core.Topic{Name: fmt.Sprint("topic-", i), Queues: core.Queues{Read: int32(number)}}
		}
		if _, err := s.WriteTopics(ctx, core.TopicWrite{Broker: broker, Put: put}); err != nil {
			return err
		}
		g = g.Clone()
		g.Dropped = number
		if _, err := s.PutGroup(ctx, g); err != nil {
			return err
		}
		r, err := s.Raise(ctx, []core.Change{{Broker: broker, Replicas: true}})
		if err != nil {
			return err
		}
		confirmed("raised", number, r)
		if err := s.PutKV(ctx, "ns", broker, strconv.FormatInt(number, 10)); err != nil {
			return err
		}
		confirmed("kv", number, 0)
	}
	return nil
}

// TestKilledProcessLosesNothingConfirmed kills a writing process with SIGKILL
// again and again, and looks at what the next one finds.
func TestKilledProcessLosesNothingConfirmed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	var lastRevision core.Revision
	for round := range killRounds {
		raised, kv, revision := killedChild(t, path, 1+rand.IntN(60))
		s := openStore(t, path)
		lastRevision = max(lastRevision, revision)
		if r := raise(t, s, core.Change{Broker: "b"}); r <= lastRevision {
			t.Errorf("round %d: raised to %d after %d", round, r, lastRevision)
		} else {
			lastRevision = r
		}
		for n := range killBrokers {
			checkSteps(t, s, fmt.Sprint("broker-", n), raised, kv)
		}
		closeStore(t, s)
		if t.Failed() {
			return
		}
	}
}

func checkSteps(t *testing.T, s *memory.Store, broker string, raised, kv map[string]int64) {
	t.Helper()
	ctx := context.Background()
	g, err := s.Group(ctx, broker)
	must(t, err)
	if g.Dropped < raised[broker] {
		t.Errorf("%s: step %d was confirmed, found %d", broker, raised[broker], g.Dropped)
	}
	for i := range killTopics {
		rows, err := s.Rows(ctx, fmt.Sprint("topic-", i))
		must(t, err)
		found := int64(0)
		for _, row := range rows {
			if row.Broker == broker {
				found = int64(row.Queues.Read)
			}
		}
		// The topics were written before the group; the next step's may be too.
		if found != g.Dropped && found != g.Dropped+1 {
			t.Errorf("%s is at step %d, its topic %d at %d", broker, g.Dropped, i, found)
		}
	}
	if kv[broker] == 0 {
		return
	}
	keys, err := s.KV(ctx, "ns")
	must(t, err)
	if found, err := strconv.ParseInt(keys[broker], 10, 64); err != nil || found < kv[broker] {
		t.Errorf("%s: value %d was confirmed, found %q", broker, kv[broker], keys[broker])
	}
}

// killedChild starts a process that writes, kills it after some confirmations
// and returns the last ones, which may be more.
func killedChild(t *testing.T, path string, after int) (raised, kv map[string]int64, revision core.Revision) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	raised, kv = map[string]int64{}, map[string]int64{}
	lines := bufio.NewScanner(out)
	n := 0
	for ; lines.Scan(); n++ {
		if n == after {
			must(t, child.Process.Kill())
		}
		var kind, broker string
		var number int64
		var r core.Revision
		if _, err := fmt.Sscan(lines.Text(), &kind, &broker, &number, &r); err != nil {
			t.Fatalf("the child said %q: %v", lines.Text(), err)
		}
		switch kind {
		case "raised":
			raised[broker], revision = number, max(revision, r)
		case "kv":
			kv[broker] = number
		}
	}
	must(t, lines.Err())
	if err := child.Wait(); n <= after || child.ProcessState.Exited() {
		t.Fatalf("the child ended by itself after %d lines: %v\n%s", n, err, stderr.String())
	}
	return raised, kv, revision
}
