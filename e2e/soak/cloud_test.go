//go:build e2e

package soak

import (
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"signpost/core"
	"signpost/e2e/functions/stack"
	"signpost/e2e/shim/fleet"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
)

// shims says how to start one more shim of a cloud, whose state is in dir.
type shims func(dir string) (*fleet.Shim, error)

// concurrency is of each function: more than two shims have calls under way.
const concurrency = 48

// functionsCloud is the stack: the functions, over DynamoDB Local.
func functionsCloud(t *testing.T) shims {
	t.Helper()
	world, err := fleet.New(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	cloud, err := world.Cloud(t.Context(), stack.Options{Concurrency: concurrency})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	return cloud.Shim
}

// sweepTime is from one sweep of memoryCloud to the next.
const sweepTime = 5 * time.Second

// memoryCloud is the API of the functions, over a store in this process: so two
// cores are enough for a thousand brokers.
func memoryCloud(t *testing.T) shims {
	t.Helper()
	program := filepath.Join(t.TempDir(), "shim")
	if err := fleet.BuildShim(t.Context(), "../..", program); err != nil {
		t.Fatal(err)
	}
	registry := core.New(memory.New(), core.Options{NewID: rand.Text})
	api := httpapi.New(httpapi.Options{
		Read: registry, Write: registry, Identity: httpapi.Anyone, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	go func() {
		for tick := time.NewTicker(sweepTime); ; {
			select {
			case <-t.Context().Done():
				tick.Stop()
				return
			case <-tick.C:
				_, _ = registry.Sweep(t.Context(), time.Now()) // in memory: only its context ends it
			}
		}
	}()
	return func(dir string) (*fleet.Shim, error) {
		s := fleet.NewShim(program, dir, api, "none")
		t.Cleanup(s.Link.Close)
		return s, nil
	}
}
