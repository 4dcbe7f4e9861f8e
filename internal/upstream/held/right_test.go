package held_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/core"
)

// A route that could not be read again since a broker was accepted has it all
// the same: long after, when the way to the cloud was lost again, when all was
// confirmed, and when its connection closed and it came back.
func TestWhoIsAcceptedIsInRoutesFromBefore(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		other := broker{cluster: "c", name: "b2", addr: "10.0.0.2:10911", topics: []string{"t1", "t2"}}
		g.hold(t, other)
		right := c.revision()
		kept, err := c.Route(t.Context(), time.Now(), "t1")
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Overlay(time.Now(), "t1", kept, right); got != kept {
			t.Errorf("%q, not what is kept", show(got))
		}
		const alone, both = "c/b2 perm 6: 0=10.0.0.2:10911; ", "c/b1 perm 6: 0=10.0.0.1:10911; c/b2 perm 6: 0=10.0.0.2:10911; "
		want := func(what string, right core.Revision, want string) {
			t.Helper()
			if got := show(g.Overlay(time.Now(), "t1", kept, right)); got != want {
				t.Errorf("%s: %q, not %q", what, got, want)
			}
		}
		x := broker{cluster: "c", name: "b1", addr: "10.0.0.1:10911", topics: []string{"t1", "t2"}}
		g.hold(t, x)
		want("accepted", right, both)
		g.Changed(t.Context(), time.Now(), nil, true)
		want("to be confirmed", right, both)
		settle(10 * time.Second)
		want("confirmed", right, both)
		g.close(t, x)
		g.hold(t, x)
		want("back", right, both)
		for range 8 {
			settle(20 * time.Second)
			g.hold(t, x)
			g.hold(t, other)
		}
		want("long after", right, both)
		c.setDown(true)
		settle(time.Minute)
		want("the cloud is away", right, both)
		// Were it to say so itself, it is right.
		want("as the cloud has it", c.revision(), alone)
	})
}

// The cloud's table comes back empty, with lower revisions: what was said by the
// old ones does not make every lookup work.
func TestWordsOfAnotherHistory(t *testing.T) {
	run(t, func(t *testing.T, c *cloud, g *gateway) {
		x := broker{cluster: "c", name: "b1", addr: "10.0.0.1:10911", topics: []string{"t1", "t2"}}
		for range 100 {
			x.version++
			x.topics = append(x.topics, fmt.Sprint("t", x.version))
			g.hold(t, x)
		}
		settle(10 * time.Second)
		empty := newCloud()
		c.Registry, c.store = empty.Registry, empty.store
		g.Changed(t.Context(), time.Now(), nil, true)
		settle(20 * time.Second)
		right := c.revision()
		kept, err := c.Route(t.Context(), time.Now(), "t1")
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() { g.Overlay(time.Now(), "t1", kept, right) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
