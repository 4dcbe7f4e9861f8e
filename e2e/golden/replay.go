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

// Server is a server that was started for one replay.
type Server struct {
	Addr string
	Stop func() error
}

// ReplayAll replays all captures, so many at once, and returns what differs. Each
// is against a server of its own, which start starts with what it keeps in dir,
// the properties in file, and these among them. start is called by goroutines
// other than the test's.
func ReplayAll(t *testing.T, j *Judge, atOnce int, start func(dir, file string, props []string) (Server, error)) []scenario.Difference {
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
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				differences, err := replay(t, goldens[i], j, start)
				if found[i] = differences; err != nil {
					t.Errorf("%s/%s: %v", goldens[i].Version, goldens[i].Scenario, err)
				}
			}
		})
	}
	for i := range goldens {
		next <- i
	}
	close(next)
	workers.Wait()
	return slices.Concat(found...)
}

// replay asks a server, with the properties that the real one had, what the real
// one was asked.
func replay(t *testing.T, g *scenario.Golden, j *Judge, start func(dir, file string, props []string) (Server, error)) ([]scenario.Difference, error) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.conf")
	props := slices.Concat([]string{"rocketmqHome=home"}, g.Props, []string{"allowRemoteConfig=" + strings.Join(RemotelyChanged, ";")})
	if err := os.WriteFile(file, []byte(strings.Join(props, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	server, err := start(dir, file, g.Props)
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
