//go:build e2e

package brokers

import (
	"context"
	"flag"
	"slices"
	"sync"
	"testing"

	"signpost/e2e/functions/stack"
	"signpost/e2e/shim/fleet"
)

// shims is how many shims to test instead of the NameServer.
var shims = flag.Int("shims", 0, "test that `many` shims over the functions and DynamoDB Local instead of the NameServer")

var (
	buildFleet sync.Once
	built      *fleet.Fleet // nil until a test needs it
	builtErr   error
)

// endFleet ends what tests have needed.
func endFleet() error {
	if built == nil {
		return nil
	}
	return built.Close()
}

// startCloud starts a stack of the test's own.
func startCloud(t *testing.T, o stack.Options) *fleet.Cloud {
	t.Helper()
	buildFleet.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
		defer cancel()
		built, builtErr = fleet.New(ctx, "../..")
	})
	if builtErr != nil {
		t.Fatal(builtErr)
	}
	c, err := built.Cloud(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		for id, f := range c.Functions {
			showIfFailed(t, id, f.Output)
		}
	})
	return c
}

// newShim prepares one more shim of a cloud.
func newShim(t *testing.T, c *fleet.Cloud, props ...string) *front {
	t.Helper()
	dir := t.TempDir()
	s, err := c.Shim(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := newFront(t, "shim", s.Program, dir, props...)
	f.args, f.env, f.kept, f.link = s.Args, s.Env, s.StateFile, s.Link
	return f
}

// settle waits until what is not in this NameServer's own files is told to those
// who keep it: a broker is answered at the latest after 3 s, told or not.
func (n *nameServer) settle(t *testing.T) {
	t.Helper()
	for _, f := range n.fronts {
		if f.link == nil {
			continue // a NameServer that has files
		}
		await(t, brokerTimeout, f.name+" to have told what it was told", func() string {
			if pending := f.metric(t, `signpost_upstream_pending{kind="add"}`); pending != "0" {
				return pending + " brokers pending"
			}
			return ""
		})
	}
}

// fast has shims hear of each other soon, so that what is done through one is
// seen through the others when a tool has ended.
var fast = []string{"beatMillis=200"}

// startShims starts a cloud and so many shims, which are one NameServer to
// brokers and clients.
func startShims(t *testing.T, count int, props ...string) *nameServer {
	t.Helper()
	c := startCloud(t, stack.Options{Parameters: fleet.Parameters(props)})
	var all []*front
	for range count {
		f := newShim(t, c, slices.Concat(fast, props)...)
		f.start(t)
		all = append(all, f)
	}
	return together(all...)
}
