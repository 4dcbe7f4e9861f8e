package golden

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/e2e/scenario"
)

// Captures is where the captures are, from a program's folder.
const Captures = "../../internal/nameserver/testdata/captures"

// Replays say how captures are replayed.
type Replays struct {
	AtOnce int // so many
	// Again replays alone what differed in the crowd: an answer that follows what
	// happened after a moment may come too late there.
	Again bool
	// Start starts a server for one replay, with what it keeps in dir, the
	// properties in file, and these among them. It is called by goroutines other
	// than the test's.
	Start func(dir, file string, props []string) (Server, error)
}

// Server is a server that was started for one replay.
type Server struct {
	Addr string
	Stop func() error
}

// All replays all captures, each against a server of its own, and returns what
// differs.
func (r Replays) All(t *testing.T, j *Judge) []scenario.Difference {
	t.Helper()
	goldens, err := scenario.ReadGoldens(Captures)
	if err != nil {
		t.Fatal(err)
	}
	if len(goldens) < 200 {
		t.Fatalf("only %d captures in %s", len(goldens), Captures)
	}
	found := make([][]scenario.Difference, len(goldens))
	next := make(chan int)
	var workers sync.WaitGroup
	for range r.AtOnce {
		workers.Go(func() {
			for i := range next {
				found[i] = r.one(t, goldens[i], j)
			}
		})
	}
	for i := range goldens {
		next <- i
	}
	close(next)
	workers.Wait()
	for i, differences := range found {
		if r.Again && !j.acceptsAll(differences) {
			found[i] = r.one(t, goldens[i], j)
		}
	}
	return slices.Concat(found...)
}

// one replays a capture.
func (r Replays) one(t *testing.T, g *scenario.Golden, j *Judge) []scenario.Difference {
	differences, err := r.replay(t, g, j)
	if err != nil {
		t.Errorf("%s/%s: %v", g.Version, g.Scenario, err)
	}
	return differences
}

// replay asks a server, with the properties that the real one had, what the real
// one was asked.
func (r Replays) replay(t *testing.T, g *scenario.Golden, j *Judge) ([]scenario.Difference, error) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.conf")
	props := slices.Concat([]string{"rocketmqHome=home"}, g.Props, []string{"allowRemoteConfig=" + strings.Join(RemotelyChanged, ";")})
	if err := os.WriteFile(file, []byte(strings.Join(props, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	server, err := r.Start(dir, file, g.Props)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	differences, err := scenario.Replay(ctx, server.Addr, g, j.Accepts)
	if err != nil {
		return nil, err
	}
	if err := server.Stop(); err != nil {
		return nil, fmt.Errorf("stop: %w", err)
	}
	return differences, nil
}
