package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"signpost/core"
)

// together runs do in several goroutines at once and fails with their errors.
func (c *client) together(n int, do func(n int) error) {
	c.t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	c.must(errors.Join(errs...))
}

const (
	rounds   = 10
	attempts = 10_000 // bounds retries; each time, somebody else got through
)

// edit changes a group as often as it takes.
func edit(c *client, name string, change func(*core.Group)) error {
	for range attempts {
		g, err := c.s.Group(c.ctx, name)
		if err != nil {
			return err
		}
		g = g.Clone()
		change(&g)
		if _, err = c.s.PutGroup(c.ctx, g); !errors.Is(err, core.ErrConflict) {
			return err
		}
	}
	return errors.New("conflicts without end")
}

var contentionTests = []test{
	{"no put is lost", func(c *client) {
		name := c.name("g")
		c.together(c.writers, func(int) error {
			for range rounds {
				if err := edit(c, name, func(g *core.Group) { g.Dropped++ }); err != nil {
					return err
				}
			}
			return nil
		})
		if g := c.group(name); g.Dropped != int64(c.writers*rounds) {
			c.t.Fatalf("%d of %d changes are there", g.Dropped, c.writers*rounds)
		}
	}},
	{"one makes a group", func(c *client) {
		for round := range rounds {
			name := c.name(fmt.Sprint("g", round))
			won := make([]bool, c.writers)
			c.together(c.writers, func(n int) error {
				_, err := c.s.PutGroup(c.ctx, core.Group{Name: name, Cluster: fmt.Sprint(n)})
				if errors.Is(err, core.ErrConflict) {
					return nil
				}
				won[n] = err == nil
				return err
			})
			winner := slices.Index(won, true)
			if winner < 0 || slices.Contains(won[winner+1:], true) {
				c.t.Fatalf("made by %v", won)
			}
			if g := c.group(name); g.Cluster != fmt.Sprint(winner) {
				c.t.Fatalf("made by %d, it is %q's", winner, g.Cluster)
			}
		}
	}},
	{"no beat is lost between puts", func(c *client) {
		g := core.Group{Name: c.name("g"), Cluster: "c"}
		for id := range c.writers {
			g.Replicas = append(g.Replicas, newReplica(int64(id), fmt.Sprintf("10.0.0.%d:1", id), epoch))
		}
		c.put(g)
		c.together(2*c.writers, func(n int) error {
			id := n / 2
			for round := range rounds {
				var err error
				if n%2 == 0 {
					_, err = c.s.Renew(c.ctx, epoch, core.Renewal{
						Cluster: "c", Broker: g.Name, ID: int64(id), Addr: g.Replicas[id].Addr,
						Said: epoch.Add(time.Duration(round+1) * time.Second),
					})
				} else {
					err = edit(c, g.Name, func(g *core.Group) { g.Replicas[id].Digest++ })
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		for i := range g.Replicas {
			g.Replicas[i].Digest = rounds
			g.Replicas[i].Said = epoch.Add(rounds * time.Second)
			g.Replicas[i].Leases[0].Said = g.Replicas[i].Said
		}
		c.same("replicas", c.group(g.Name).Replicas, g.Replicas)
	}},
	{"brokers share a topic", func(c *client) {
		shared := newTopic(c.name("shared"), 4)
		c.together(c.writers, func(n int) error {
			broker := c.name(fmt.Sprint("b", n))
			err := edit(c, broker, func(g *core.Group) { g.Writer.ID = "w" })
			for round := range rounds {
				if err == nil {
					shared := shared
					shared.Queues.Read = int32(round)
					put := []core.Topic{shared, newTopic(c.name(fmt.Sprint("own", n, round)), 4)}
					_, err = c.s.WriteTopics(c.ctx, core.TopicWrite{Broker: broker, Writer: "w", Put: put, Replace: round%3 == 0})
				}
			}
			return err
		})
		rows := c.rows(shared.Name)
		if len(rows) != c.writers {
			c.t.Fatalf("%d rows of %d brokers", len(rows), c.writers)
		}
		for n, row := range rows {
			shared.Queues.Read = rounds - 1
			c.same("row", row, core.Row{Broker: c.name(fmt.Sprint("b", n)), Topic: shared})
			if set := c.topicSet(row.Broker); len(set) != 2 {
				c.t.Fatalf("set of %s: %v", row.Broker, set)
			}
		}
	}},
	{"the set covers the rows at any moment", func(c *client) {
		broker := c.name("b")
		topics, _, names := many(c, 40)
		token := c.writer(broker)
		phases := []struct {
			w core.TopicWrite
			// check reads so that what it finds cannot have been right in between.
			check func() []string
		}{
			{core.TopicWrite{Put: topics}, func() []string { return uncovered(c, broker, names[:4]) }},
			{core.TopicWrite{Replace: true}, func() []string {
				set := c.topicSet(broker)
				var bad []string
				for _, name := range names[:4] {
					covered := slices.ContainsFunc(set, func(f core.TopicFlag) bool { return f.Name == name })
					if !covered && len(c.rows(name)) > 0 {
						bad = append(bad, name)
					}
				}
				return bad
			}},
		}
		for range rounds {
			for _, phase := range phases {
				written := make(chan struct{})
				c.together(2, func(n int) error {
					if n == 0 {
						defer close(written)
						phase.w.Broker, phase.w.Writer = broker, token
						_, err := c.s.WriteTopics(c.ctx, phase.w)
						return err
					}
					for range attempts {
						if bad := phase.check(); len(bad) > 0 {
							return fmt.Errorf("rows that the set does not cover: %v", bad)
						}
						select {
						case <-written:
							return nil
						default:
						}
					}
					return nil
				})
			}
		}
	}},
	{"revisions are unique and heads only move on", func(c *client) {
		base := c.head(0).Revision
		raised := make([][]core.Revision, c.writers)
		c.together(c.writers+1, func(n int) error {
			var last core.Revision
			for range rounds {
				if n == c.writers { // the one who looks
					head, err := c.s.Head(c.ctx, base, false)
					if err != nil {
						return err
					}
					if head.Revision < last {
						return fmt.Errorf("from %d back to %d", last, head.Revision)
					}
					last = head.Revision
					continue
				}
				r, err := c.s.Raise(c.ctx, []core.Change{{Broker: c.name("x"), Replicas: true}, {Broker: c.name("y"), Replicas: true}})
				if err != nil {
					return err
				}
				if head, err := c.s.Head(c.ctx, base, false); err != nil || head.Revision < r {
					return errors.Join(err, fmt.Errorf("raised to %d, it is at %d", r, head.Revision))
				}
				raised[n] = append(raised[n], r-1, r)
			}
			return nil
		})
		all := slices.Sorted(slices.Values(slices.Concat(raised...)))
		if len(slices.Compact(slices.Clone(all))) != 2*c.writers*rounds || all[0] <= base {
			c.t.Fatalf("revisions after %d: %v", base, all)
		}
		if head := c.head(0); head.Revision != all[len(all)-1] {
			c.t.Fatalf("at %d, raised to %d", head.Revision, all[len(all)-1])
		}
	}},
	{"one opens a session, one closes it", func(c *client) {
		for round := range rounds {
			s := newSession(c, fmt.Sprint("s", round))
			opened := make([]bool, c.writers)
			c.together(c.writers, func(n int) error {
				err := c.s.OpenSession(c.ctx, s)
				opened[n] = err == nil
				if errors.Is(err, core.ErrSessionClosed) {
					return nil
				}
				return err
			})
			if i := slices.Index(opened, true); i < 0 || slices.Contains(opened[i+1:], true) {
				c.t.Fatalf("opened by %v", opened)
			}
			// Either the beat comes first and the session stays, or it is refused.
			var beat, closed error
			c.together(2, func(n int) error {
				if n == 0 {
					beat = c.s.BeatSession(c.ctx, s.ID, s.Owner, epoch.Add(time.Second))
				} else {
					closed = c.s.CloseSession(c.ctx, s.ID, epoch)
				}
				return nil
			})
			_, there := c.session(s.ID)
			beatFirst := beat == nil && errors.Is(closed, core.ErrConflict) && there
			closeFirst := errors.Is(beat, core.ErrSessionClosed) && closed == nil && !there
			if !beatFirst && !closeFirst {
				c.t.Fatalf("beat: %v, close: %v, there: %v", beat, closed, there)
			}
		}
	}},
	{"no key is lost", func(c *client) {
		ns := c.name("ns")
		want := map[string]string{}
		for n := range c.writers {
			want[fmt.Sprint("k", n)] = fmt.Sprint(rounds - 1)
		}
		c.together(c.writers, func(n int) error {
			for round := range rounds {
				if err := c.s.PutKV(c.ctx, ns, fmt.Sprint("k", n), fmt.Sprint(round)); err != nil {
					return err
				}
			}
			return nil
		})
		c.same("namespace", c.kv(ns), want)
	}},
}
