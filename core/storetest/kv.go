package storetest

import (
	"errors"
	"maps"

	"signpost/core"
)

// noNamespace checks that the namespace never held anything.
func (c *client) noNamespace(name string) {
	c.t.Helper()
	if keys, err := c.s.KV(c.ctx, name); !errors.Is(err, core.ErrNotFound) {
		c.t.Fatalf("namespace that never held anything: %v, error %v", keys, err)
	}
}

var kvTests = []test{
	{"none is not found", func(c *client) {
		c.noNamespace(c.name("none"))
	}},
	{"put, put again and deleted", func(c *client) {
		ns, other := c.name("ns"), c.name("other")
		c.must(c.s.PutKV(c.ctx, ns, "k", "v"))
		c.must(c.s.PutKV(c.ctx, ns, "l", "w"))
		c.must(c.s.PutKV(c.ctx, other, "k", "x"))
		c.same("namespace", c.kv(ns), map[string]string{"k": "v", "l": "w"})
		for range 2 {
			c.must(c.s.PutKV(c.ctx, ns, "k", "v2"))
			c.same("namespace", c.kv(ns), map[string]string{"k": "v2", "l": "w"})
		}
		for range 2 {
			c.must(c.s.DeleteKV(c.ctx, ns, "k"))
			c.same("namespace", c.kv(ns), map[string]string{"l": "w"})
		}
		c.same("another namespace", c.kv(other), map[string]string{"k": "x"})
	}},
	{"a namespace that was emptied is empty", func(c *client) {
		ns := c.name("ns")
		c.must(c.s.PutKV(c.ctx, ns, "k", "v"))
		for range 2 {
			c.must(c.s.DeleteKV(c.ctx, ns, "k"))
			if keys := c.kv(ns); len(keys) > 0 {
				c.t.Fatalf("got %v", keys)
			}
		}
		c.must(c.s.PutKV(c.ctx, ns, "l", "w"))
		c.same("namespace", c.kv(ns), map[string]string{"l": "w"})
	}},
	{"deleting makes no namespace", func(c *client) {
		ns := c.name("none")
		c.must(c.s.DeleteKV(c.ctx, ns, "k"))
		c.noNamespace(ns)
	}},
	{"odd names and values", func(c *client) {
		ns := c.name("Größe % / # é")
		want := map[string]string{"empty": ""}
		for _, odd := range oddNames() {
			want[odd] = odd + "\n;=" + odd
		}
		for key, value := range want {
			c.must(c.s.PutKV(c.ctx, ns, key, value))
		}
		c.same("namespace", c.kv(ns), want)
	}},
	{"no revision is raised", func(c *client) {
		r := c.head(0).Revision
		c.must(c.s.PutKV(c.ctx, core.OrderNamespace, c.name("t"), "b:4"))
		c.must(c.s.DeleteKV(c.ctx, core.OrderNamespace, c.name("t")))
		if now := c.head(0).Revision; now != r {
			c.t.Fatalf("revision went from %d to %d", r, now)
		}
	}},
	{"what was read stays", func(c *client) {
		ns := c.name("ns")
		c.must(c.s.PutKV(c.ctx, ns, "k", "v"))
		read := c.kv(ns)
		want := maps.Clone(read)
		c.must(c.s.PutKV(c.ctx, ns, "k", "v2"))
		c.must(c.s.PutKV(c.ctx, ns, "l", "w"))
		c.must(c.s.DeleteKV(c.ctx, ns, "k"))
		c.same("namespace read before", read, want)
		c.same("namespace", c.kv(ns), map[string]string{"l": "w"})
	}},
}
