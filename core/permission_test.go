package core_test

import (
	"testing"
	"time"

	"signpost/core"
)

func TestRule10PermissionsAreStoredRaw(t *testing.T) {
	base := a("b1", 0, "a", "T", "U")
	only := func(topics ...string) broker { return base.only(topics...) }
	readOnly := base.with(core.Topic{Name: "T", Queues: core.Queues{Read: 8, Write: 8, Perm: 4}})
	inherit := base.with(core.Topic{Name: "T", Queues: core.Queues{Read: 8, Write: 8, Perm: 7}})
	wipe := func(w *world) {
		n, _, err := w.WipeWrite(w.ctx, w.now, "b1")
		if w.must(err); n != 2 {
			w.t.Errorf("wiped %d topics", n)
		}
	}
	add := func(w *world) {
		n, _, err := w.AddWrite(w.ctx, w.now, "b1")
		if w.must(err); n != 2 {
			w.t.Errorf("added to %d topics", n)
		}
	}
	say := func(b broker) func(*world) { return func(w *world) { w.register(b) } }
	for name, c := range map[string]struct {
		steps []func(*world)
		perm  string
	}{
		"raw":                       {[]func(*world){say(inherit)}, "7"},
		"wiped":                     {[]func(*world){say(base), wipe}, "4"},
		"wiped, inherit bit kept":   {[]func(*world){say(inherit), wipe}, "5"},
		"wiped, read only":          {[]func(*world){say(readOnly), wipe}, "4"},
		"added":                     {[]func(*world){say(base), add}, "6"},
		"added, read only":          {[]func(*world){say(readOnly), add}, "6"},
		"added, inherit bit lost":   {[]func(*world){say(inherit), add}, "6"},
		"wiped then added":          {[]func(*world){say(inherit), wipe, add}, "6"},
		"added then wiped":          {[]func(*world){say(inherit), add, wipe}, "4"},
		"added, wiped, wiped":       {[]func(*world){say(inherit), add, wipe, wipe}, "4"},
		"added, wiped, added":       {[]func(*world){say(inherit), add, wipe, add}, "6"},
		"wiped, wiped":              {[]func(*world){say(inherit), wipe, wipe}, "5"},
		"unchanged":                 {[]func(*world){say(base), wipe, say(base)}, "4"},
		"another body, one version": {[]func(*world){say(base), wipe, say(base.change(func(b *broker) { b.Zone = "" })), say(base.filters("f").filters())}, "4"},
		"another version":           {[]func(*world){say(base), wipe, say(base.change(func(b *broker) { b.DataVersion.Timestamp++ }))}, "6"},
		"an older version":          {[]func(*world){say(base), wipe, say(base.change(func(b *broker) { b.DataVersion.Counter-- }))}, "6"},
		"another version before it": {[]func(*world){say(base), func(w *world) { w.step(time.Second) }, wipe, say(base.change(func(b *broker) {
			b.DataVersion.Timestamp++
			b.Age = ms
		}))}, "4"},
		"then unchanged, after it": {[]func(*world){say(base), func(w *world) { w.step(time.Second) }, wipe, say(base.change(func(b *broker) {
			b.DataVersion.Timestamp++
			b.Age = ms
		})), say(base.change(func(b *broker) { b.DataVersion.Timestamp++ }))}, "4"},
		"another version, one topic":    {[]func(*world){say(base), wipe, say(only("T"))}, "4"},
		"another version, a new topic":  {[]func(*world){say(base), wipe, say(only("N"))}, "4"},
		"another version, the others":   {[]func(*world){say(base), wipe, say(only("U", "N"))}, "4"},
		"another version, all and more": {[]func(*world){say(base), wipe, say(only("T", "U", "N"))}, "6"},
		"one by one":                    {[]func(*world){say(base), wipe, say(only("T")), say(only("U").change(func(b *broker) { b.DataVersion.Timestamp++ }))}, "4"},
		"a new topic, then all there were": {[]func(*world){say(base), wipe, say(only("N")),
			say(base.change(func(b *broker) { b.DataVersion.Timestamp++ }))}, "4"},
		"a new topic, then all":  {[]func(*world){say(base), wipe, say(only("N")), say(only("N", "T", "U"))}, "6"},
		"another version, whole": {[]func(*world){say(base), wipe, say(only("T").change(func(b *broker) { b.Whole = true }))}, "6"},
		"whole, one version":     {[]func(*world){say(base), wipe, say(base.change(func(b *broker) { b.Whole = true }))}, "4"},
		"another version, what it does not name goes": {[]func(*world){say(base), wipe,
			func(w *world) { w.SetRules(core.Rules{DeleteTopicsOnRegistration: true}) }, say(only("T"))}, "6"},
		"added, one topic of it": {[]func(*world){say(readOnly), add, say(readOnly.change(func(b *broker) {
			b.Topics = b.Topics[1:]
			b.DataVersion.Timestamp++
		}))}, "6"},
		"added, all of it":          {[]func(*world){say(readOnly), add, say(readOnly.change(func(b *broker) { b.DataVersion.Timestamp++ }))}, "4"},
		"a slave's version is none": {[]func(*world){say(base), wipe, say(a("b1", 1, "b", "T", "U").state(3))}, "4"},
		"another address":           {[]func(*world){say(base), wipe, say(a("b1", 0, "z", "T", "U").with(core.Topic{Name: "T", Queues: core.Queues{Read: 8, Write: 8, Perm: 6}}))}, "6"},
		"its other role, unchanged": {[]func(*world){say(base), say(a("b1", 1, "z", "T", "U")), wipe, say(a("b1", 0, "z", "T", "U"))}, "4"},
		"its other role, first":     {[]func(*world){say(base), say(a("b1", 1, "z", "T", "U")), wipe, func(w *world) { w.unregister(base) }, say(a("b1", 0, "z", "T", "U"))}, "6"},
		"gone and back":             {[]func(*world){say(base), wipe, func(w *world) { w.unregister(base) }, say(base)}, "6"},
		"lapsed and back":           {[]func(*world){say(base), wipe, func(w *world) { w.step(121 * time.Second) }, say(base)}, "6"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, step := range c.steps {
				step(w)
				w.route("T") // into the cache
			}
			addr := "{0=a}"
			switch name {
			case "another address", "its other role, unchanged", "its other role, first":
				addr = "{0=z}"
			case "a slave's version is none":
				addr = "{0=a 1=b}"
			}
			w.routes("T", "b1@c1"+addr+" 8/8/"+c.perm)
		})
	}

	t.Run("a topic that comes later", func(t *testing.T) {
		w := newWorld(t)
		w.register(base)
		wipe(w)
		w.did(w.RegisterQueues(w.ctx, w.now, "Q", []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 1, Write: 1, Perm: 6}}}}))
		w.routes("Q", "b1@c1{0=a} 1/1/4")
	})

	t.Run("nobody there", func(t *testing.T) {
		w := newWorld(t)
		w.register(a("b2", 0, "z"))
		for _, broker := range []string{"b1", "b2", ""} { // b2 has no topics
			if n, _, err := w.WipeWrite(w.ctx, w.now, broker); n != 0 || err != nil {
				t.Fatal(broker, n, err)
			}
			if n, _, err := w.AddWrite(w.ctx, w.now, broker); n != 0 || err != nil {
				t.Fatal(broker, n, err)
			}
		}
		w.register(base)
		w.step(121 * time.Second)
		if n, _, err := w.WipeWrite(w.ctx, w.now, "b1"); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	})

	t.Run("no master", func(t *testing.T) {
		w := newWorld(t)
		w.register(base.acting(), a("b1", 1, "b", "T", "U").acting())
		w.routes("T", abRoute+" acting")
		w.unregister(base)
		w.routes("T", "b1@c1{1=b} 8/8/4 acting")
		add(w)
		w.routes("T", "b1@c1{1=b} 8/8/4 acting")
		w.register(base.acting())
		w.routes("T", abRoute+" acting")
	})
}
