package storetest

import (
	"slices"

	"signpost/core"
)

// logged is how many of the newest changes every store's log has, and
// namedTopics how many topics it names of one change at least.
const (
	logged      = 8
	namedTopics = 4
)

var revisionTests = []test{
	{"each change has a revision of its own", func(c *client) {
		base := c.head(0).Revision
		first := c.raise(core.Change{Broker: c.name("a"), Replicas: true})
		last := c.raise(
			core.Change{Broker: c.name("b"), Topics: []string{"t1", "t2"}},
			core.Change{Topics: []string{"ordered"}},
			core.Change{Broker: c.name("c"), Many: true},
		)
		if first <= base || last < first+3 {
			c.t.Fatalf("revisions %d, %d after %d", first, last, base)
		}
		head := c.head(base)
		if head.Revision != last || !head.Complete {
			c.t.Fatalf("at %d, complete %v, after raising to %d", head.Revision, head.Complete, last)
		}
		c.same("changes", withoutRevisions(head.Changes), []core.Change{
			{Broker: c.name("a"), Replicas: true},
			{Broker: c.name("b"), Topics: []string{"t1", "t2"}},
			{Topics: []string{"ordered"}},
			{Broker: c.name("c"), Many: true},
		})
		for i, change := range head.Changes {
			if i > 0 && change.Revision <= head.Changes[i-1].Revision {
				c.t.Fatalf("revisions do not go up: %+v", head.Changes)
			}
		}
		if head.Changes[0].Revision != first || head.Changes[3].Revision != last {
			c.t.Fatalf("raised %d and %d, the log says %+v", first, last, head.Changes)
		}
		c.same("changes after the first", c.head(first).Changes, head.Changes[1:])
	}},
	{"who follows is never behind what was written here", func(c *client) {
		for range 3 {
			r := c.raise(core.Change{Broker: c.name("a"), Replicas: true})
			for range 2 {
				head, err := c.s.Head(c.ctx, r-1, false)
				c.must(err)
				if head.Revision != r || !head.Complete || len(head.Changes) != 1 {
					c.t.Fatalf("raised to %d: %+v", r, head)
				}
			}
		}
	}},
	{"nothing is new at the head", func(c *client) {
		for range 2 {
			r := c.raise(core.Change{Broker: c.name("a"), Replicas: true})
			head := c.head(r)
			if head.Revision != r || !head.Complete || len(head.Changes) > 0 {
				c.t.Fatalf("at %d: %+v", r, head)
			}
		}
	}},
	{"a revision from elsewhere is not complete", func(c *client) {
		// Such as one of a store that was put back to an older state.
		r := c.raise(core.Change{Broker: c.name("a"), Replicas: true})
		if head := c.head(r + 1000); head.Complete || head.Revision != r {
			c.t.Fatalf("asked from %d: %+v", r+1000, head)
		}
	}},
	{"raising nothing", func(c *client) {
		r := c.raise(core.Change{Broker: c.name("a"), Replicas: true})
		if again := c.raise(); again != r {
			c.t.Fatalf("raised nothing from %d to %d", r, again)
		}
		if head := c.head(r); head.Revision != r {
			c.t.Fatalf("at %d, raised to %d", head.Revision, r)
		}
	}},
	{"the log is complete, or says that it is not", func(c *client) {
		base := c.head(0).Revision
		var all []core.Change
		for range 4 {
			var changes []core.Change
			for range 30 {
				changes = append(changes, core.Change{Broker: c.name("b"), Topics: []string{c.name("t")}, Replicas: len(all)%2 == 0})
				all = append(all, changes[len(changes)-1])
			}
			c.raise(changes...)
		}
		last := c.head(0)
		if last.Revision != base+core.Revision(len(all)) {
			c.t.Fatalf("raised %d changes from %d to %d", len(all), base, last.Revision)
		}
		for _, back := range []int{0, 1, 2, logged, 30, 40, 41, 64, 100, len(all)} {
			since := last.Revision - core.Revision(back)
			head := c.head(since)
			if back <= logged && !head.Complete {
				c.t.Fatalf("the log does not reach back to %d from %d", since, head.Revision)
			}
			if head.Complete {
				c.same("changes", withoutRevisions(head.Changes), all[len(all)-back:])
			}
			for i, change := range head.Changes {
				if want := last.Revision - core.Revision(len(head.Changes)-1-i); change.Revision != want || change.Revision <= since {
					c.t.Fatalf("since %d: change %d of %d has revision %d", since, i, len(head.Changes), change.Revision)
				}
			}
		}
	}},
	{"a change names its topics, or says many", func(c *client) {
		for _, n := range []int{1, namedTopics, 50, 5000} {
			base := c.head(0).Revision
			_, _, names := many(c, n)
			c.raise(core.Change{Broker: c.name("b"), Topics: names})
			head := c.head(base)
			if !head.Complete || len(head.Changes) != 1 {
				c.t.Fatalf("%d topics: %d changes, complete %v", n, len(head.Changes), head.Complete)
			}
			change := head.Changes[0]
			if change.Many && n > namedTopics {
				continue
			}
			c.same("change", withoutRevisions(head.Changes)[0], core.Change{Broker: c.name("b"), Topics: names})
		}
	}},
	{"what was given may change afterwards, and what was read stays", func(c *client) {
		base := c.head(0).Revision
		given := []core.Change{{Broker: c.name("b"), Topics: []string{"t1", "t2"}}}
		c.raise(given...)
		if given[0].Revision != 0 {
			c.t.Fatalf("the change given was changed: %+v", given[0])
		}
		given[0].Broker, given[0].Topics[0] = "changed", "changed"
		head := c.head(base)
		c.same("changes", withoutRevisions(head.Changes), []core.Change{{Broker: c.name("b"), Topics: []string{"t1", "t2"}}})
		want := canonical(head)
		for range 50 {
			c.raise(core.Change{Broker: c.name("c"), Replicas: true})
		}
		if got := canonical(head); got != want {
			c.t.Fatalf("a head read before changed:\n got %s\nwant %s", got, want)
		}
	}},
}

func withoutRevisions(changes []core.Change) []core.Change {
	changes = slices.Clone(changes)
	for i := range changes {
		changes[i].Revision = 0
	}
	return changes
}
