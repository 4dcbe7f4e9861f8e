package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
)

// writerTime is how long a writer's token stands here.
const writerTime = time.Hour

// client calls a store for one test, which ends where a call fails that must
// not.
type client struct {
	config
	t   rapid.TB // a test, or one sequence of many
	ctx context.Context
	s   core.Store
	tag string // makes names unique
}

func newClient(t *testing.T, s core.Store, cfg config) *client {
	return &client{config: cfg, t: t, ctx: newContext(t), s: s, tag: strings.ToLower(rand.Text()[:10])}
}

// name returns a name that no other test uses.
func (c *client) name(s string) string { return s + "-" + c.tag }

func (c *client) must(err error) {
	if err != nil {
		c.t.Helper()
		c.t.Fatal(err)
	}
}

// refused checks that err is the one expected.
func (c *client) refused(what string, err, expected error) {
	if !errors.Is(err, expected) {
		c.t.Helper()
		c.t.Fatalf("%s: got error %v, want %v", what, err, expected)
	}
}

// same checks that two values are equal, as far as a store has to keep them.
func (c *client) same(what string, got, want any) {
	if g, w := canonical(got), canonical(want); g != w {
		c.t.Helper()
		c.t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func (c *client) group(name string) core.Group {
	c.t.Helper()
	g, err := c.s.Group(c.ctx, name)
	c.must(err)
	return g
}

// groups returns those of all groups whose names are of this test.
func (c *client) groups() []core.Group {
	c.t.Helper()
	all, err := c.s.Groups(c.ctx, nil)
	c.must(err)
	return slices.DeleteFunc(slices.Clone(all), func(g core.Group) bool { return !strings.HasSuffix(g.Name, c.tag) })
}

func (c *client) put(g core.Group) core.Group {
	c.t.Helper()
	stored, err := c.s.PutGroup(c.ctx, g)
	c.must(err)
	return stored
}

// writer makes the returned token the broker's writer, and the broker's group
// if there is none.
func (c *client) writer(broker string) string {
	c.t.Helper()
	g := c.group(broker)
	g.Writer = core.Writer{ID: rand.Text(), Until: epoch.Add(writerTime)}
	return c.put(g).Writer.ID
}

// write changes topics as the broker's writer, which it becomes if need be.
func (c *client) write(w core.TopicWrite) []string {
	c.t.Helper()
	if w.Writer == "" {
		w.Writer = c.writer(w.Broker)
	}
	changed, err := c.s.WriteTopics(c.ctx, w)
	c.must(err)
	return changed
}

func (c *client) rows(topic string) []core.Row {
	c.t.Helper()
	rows, err := c.s.Rows(c.ctx, topic)
	c.must(err)
	return rows
}

func (c *client) topicSet(broker string) []core.TopicFlag {
	c.t.Helper()
	set, err := c.s.TopicSet(c.ctx, broker)
	c.must(err)
	return set
}

// head returns where the store stands, now.
func (c *client) head(since core.Revision) core.Head {
	c.t.Helper()
	head, err := c.s.Head(c.ctx, since, true)
	c.must(err)
	return head
}

func (c *client) sessions() core.Sessions {
	c.t.Helper()
	sessions, err := c.s.Sessions(c.ctx)
	c.must(err)
	return sessions
}

func (c *client) raise(changes ...core.Change) core.Revision {
	c.t.Helper()
	r, err := c.s.Raise(c.ctx, changes)
	c.must(err)
	return r
}

// session returns the session, and false if it is not there or closed.
func (c *client) session(id string) (core.Session, bool) {
	c.t.Helper()
	s, ok := c.sessions().Find(id)
	return s, ok && !s.Closed
}

func (c *client) kv(namespace string) map[string]string {
	c.t.Helper()
	keys, err := c.s.KV(c.ctx, namespace)
	c.must(err)
	return keys
}
