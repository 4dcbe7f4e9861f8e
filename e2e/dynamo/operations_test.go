//go:build e2e

package dynamo_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/core"
	"signpost/internal/dynamo"
)

// TestOperations lets each function do all that it does, and compares the
// operations that it calls with those that its role is made of.
func TestOperations(t *testing.T) {
	b, err := os.ReadFile("../../infra/operations.json")
	must(t, err)
	var listed map[string][]string
	must(t, json.Unmarshal(b, &listed))
	called := map[string]map[string]bool{"register": {}, "route": {}, "sweeper": {}}
	for _, a := range table {
		holds := a.prepare(t)
		function := "register"
		if a.sweeps {
			function = "sweeper"
		}
		s := newScene(t, holds)
		s.pass(acts)
		store, did := s.recorded()
		must(t, store.Ping(t.Context()))
		if err := a.do(t.Context(), newRegistry(store), acts); !answered(err) {
			t.Fatalf("%s: %v", a.name, err)
		}
		add(called[function], did.did)
		store, did = s.recorded()
		must(t, store.Ping(t.Context()))
		s.reads(t, newRegistry(store))
		add(called["route"], did.did)
		if !a.sweeps {
			store, did = s.recorded()
			r := newRegistry(store)
			must(t, second(r.BeatSession(t.Context(), acts, sessions[0], owner, 0)))
			must(t, second(r.DeleteKV(t.Context(), core.OrderNamespace, names[0])))
			add(called["register"], did.did)
		} else { // long after the sessions
			s.pass(finally.Add(core.DefaultTimeout))
			store, did = s.recorded()
			must(t, sweep(t.Context(), newRegistry(store), s.time()))
			add(called["sweeper"], did.did)
		}
		s.close(t)
	}
	for function, operations := range called {
		if got := slices.Sorted(maps.Keys(operations)); !slices.Equal(got, listed[function]) {
			t.Errorf("%s calls %v; infra/operations.json lists %v", function, got, listed[function])
		}
	}
	if len(listed) != len(called) {
		t.Errorf("infra/operations.json lists %d functions", len(listed))
	}
}

func add(to map[string]bool, names []string) {
	for _, name := range names {
		to[name] = true
	}
}

// recorded returns the store of another process, and what it calls.
func (s *scene) recorded() (*dynamo.Store, *saboteur) {
	f := &saboteur{}
	return dynamo.New(config, s.table, dynamo.WithClock(s.time), dynamo.WithClient(f.install),
		dynamo.WithClient(func(o *awsdynamodb.Options) { o.HTTPClient = connections })), f
}

// reads asks for all that the API's read calls ask for.
func (s *scene) reads(t *testing.T, r *core.Registry) {
	t.Helper()
	ctx, now := t.Context(), s.time()
	s.routes(t, r)
	for _, ask := range []func(context.Context) error{
		func(ctx context.Context) error { return second(r.Head(ctx, 0, false)) },
		func(ctx context.Context) error { return second(r.Head(ctx, 0, true)) },
		func(ctx context.Context) error { _, _, err := r.Topics(ctx, now, core.AllTopics, ""); return err },
		func(ctx context.Context) error { return second(r.Groups(ctx, now)) },
		func(ctx context.Context) error { return second(r.Leases(ctx, sessions[0])) },
	} {
		must(t, ask(ctx))
	}
	_, _ = r.Group(ctx, now, group) // which may be gone
	_, _ = r.KV(ctx, core.OrderNamespace)
}
