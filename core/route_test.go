package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/core"
)

func TestRouteIsSorted(t *testing.T) {
	w := newWorld(t)
	w.register(
		a("b3", 0, "e", "T", "U"), a("b1", 2, "d"), a("b1", 0, "a", "T", "U").filters("g", "f"), a("b2", 0, "c", "T", "U"),
		a("b1", 1, "b").filters("h"),
	)
	w.routes("T", "b1@c1{0=a 1=b 2=d} 8/8/6; b2@c1{0=c} 8/8/6; b3@c1{0=e} 8/8/6; filter a=g,f; filter b=h")
	w.equal("groups", w.groups(), "b1@c1{0=a 1=b 2=d}; b2@c1{0=c}; b3@c1{0=e}")
}

// A broker that came back under another name is in two groups until the old
// one lapses.
func TestRouteNamesAFilterServerAddressOnce(t *testing.T) {
	w := newWorld(t)
	w.register(a("old", 0, "a", "T", "U").filters("f"), a("new", 0, "a", "T", "U").filters("f"))
	w.routes("T", "new@c1{0=a} 8/8/6; old@c1{0=a} 8/8/6; filter a=f")
}

func TestActingMaster(t *testing.T) {
	for name, c := range map[string]struct {
		say   []broker
		topic string
		want  string
	}{
		"no master":                       {[]broker{a("b1", 1, "b", "T", "U").acting(), a("b1", 2, "c").acting()}, "T", "b1@c1{0=b 2=c} 8/8/4 acting"},
		"a master":                        {[]broker{a("b1", 0, "a", "T", "U").acting(), a("b1", 1, "b").acting()}, "T", abRoute + " acting"},
		"not allowed by the broker":       {[]broker{a("b1", 1, "b", "T", "U").change(func(b *broker) { b.ActingMaster = core.ActingMasterOff })}, "T", "b1@c1{1=b} 8/8/6"},
		"not for the member topic":        {[]broker{a("b1", 1, "b", "rmq_sys_SYNC_BROKER_MEMBER_b1", "U").acting()}, "rmq_sys_SYNC_BROKER_MEMBER_b1", "b1@c1{1=b} 8/8/4 acting"},
		"an id below the master's":        {[]broker{a("b1", -1, "b", "T", "U").acting(), a("b1", 3, "c").acting()}, "T", "b1@c1{0=b 3=c} 8/8/4 acting"},
		"the lowest broker's word":        {[]broker{a("b1", 1, "b", "T", "U").acting(), a("b1", 2, "c", "T", "U")}, "T", "b1@c1{0=b 2=c} 8/8/4 acting"},
		"only in the group that lacks it": {[]broker{a("b1", 1, "b", "T", "U").acting(), a("b2", 0, "d", "T", "U").acting()}, "T", "b1@c1{0=b} 8/8/4 acting; b2@c1{0=d} 8/8/6 acting"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.SetRules(core.Rules{ActingMaster: true})
			w.register(c.say...)
			w.routes(c.topic, c.want)
			groups := w.groups()
			if strings.Contains(groups, "0=b") {
				t.Fatal("what is stored was changed:", groups)
			}
		})
	}

	t.Run("not unless the operator wants it", func(t *testing.T) {
		w := newWorld(t)
		w.register(a("b1", 1, "b", "T", "U").acting())
		w.routes("T", "b1@c1{1=b} 8/8/4 acting")
		w.SetRules(core.Rules{ActingMaster: true})
		w.routes("T", "b1@c1{0=b} 8/8/4 acting")
	})
}

func TestNear(t *testing.T) {
	w := newWorld(t)
	zone := func(b broker, z string) broker { b.Zone = z; return b }
	w.register(
		zone(a("b1", 0, "a", "T", "U"), "east").filters("f1"), zone(a("b1", 1, "b"), "west"),
		zone(a("b2", 0, "c", "T", "U"), "west").filters("f2"),
		zone(a("b3", 1, "d", "T", "U").acting(), "west"),
		a("b4", 0, "e", "T", "U"),
	)
	r, err := w.Route(w.ctx, w.now, "T")
	w.must(err)
	const b1, b2, b3, b4 = "b1@c1{0=a 1=b} 8/8/6 zone east", "b2@c1{0=c} 8/8/6 zone west", "b3@c1{1=d} 8/8/4 acting zone west", "b4@c1{0=e} 8/8/6"
	for zone, want := range map[string]string{
		"":      b1 + "; " + b2 + "; " + b3 + "; " + b4 + "; filter a=f1; filter c=f2",
		"  ":    b1 + "; " + b2 + "; " + b3 + "; " + b4 + "; filter a=f1; filter c=f2",
		"East":  b1 + "; " + b3 + "; filter a=f1",
		"west":  b2 + "; " + b3 + "; filter c=f2",
		"north": b3,
	} {
		w.equal("near "+zone, show(r.Near(zone)), want)
	}
	w.SetRules(core.Rules{ActingMaster: true})
	r, err = w.Route(w.ctx, w.now, "T")
	w.must(err)
	w.equal("an acting master is one", show(r.Near("north")), "")
}

func TestOrderConfiguration(t *testing.T) {
	w := newWorld(t)
	w.register(a("b1", 0, "a", "T", "U"))
	w.did(w.PutKV(w.ctx, core.OrderNamespace, "T", "b1:8"))
	w.routes("T", aRoute)
	w.SetRules(core.Rules{OrderMessages: true})
	w.routes("T", aRoute+"; order b1:8")
	w.routes("U", aRoute)
	w.did(w.PutKV(w.ctx, core.OrderNamespace, "U", ""))
	w.routes("U", aRoute+"; order ")
	w.did(w.DeleteKV(w.ctx, core.OrderNamespace, "T"))
	w.routes("T", aRoute)
	w.did(w.DeleteKV(w.ctx, core.OrderNamespace, "T"))
	w.SetRules(core.Rules{})
	w.routes("U", aRoute)

	kv, err := w.KV(w.ctx, core.OrderNamespace)
	if w.must(err); fmt.Sprint(kv) != "map[U:]" {
		t.Fatal(kv)
	}
	_, err = w.KV(w.ctx, "never")
	w.refused(err, core.ErrNotFound)
	for _, c := range [][2]string{{"", "k"}, {"ns", ""}} {
		if _, err := w.PutKV(w.ctx, c[0], c[1], "v"); err == nil {
			t.Fatal("stored", c)
		}
	}
}

func TestStaticTopics(t *testing.T) {
	w := newWorld(t)
	b := a("b1", 0, "a", "S", "T")
	const mapped = " mapping b1:4@1map[0:0]"
	// A split registration: the last body brings the mappings of all topics.
	w.register(b, b.only("U", "V").mapped("S", 1))
	w.routes("S", aRoute+mapped)
	w.register(b.with(core.Topic{Name: "S", Queues: core.Queues{Read: 9}}))
	w.routes("S", "b1@c1{0=a} 9/0/0"+mapped)
	w.register(b.only("U", "V").mapped("S", 2))
	w.routes("S", "b1@c1{0=a} 9/0/0 mapping b1:4@2map[0:0]")
	w.did(w.RegisterQueues(w.ctx, w.now, "S", []core.Row{{Broker: "b1"}}))
	w.routes("S", "b1@c1{0=a} 0/0/0 mapping b1:4@2map[0:0]")

	w.did(w.DeleteTopic(w.ctx, w.now, "S", ""))
	w.register(b)
	w.routes("S", aRoute) // without a mapping, until it is brought again
	w.register(b.mapped("S", 3))
	w.unregister(b)
	w.register(b)
	w.routes("S", aRoute) // gone with the broker
}

func TestTopicLists(t *testing.T) {
	w := newWorld(t)
	flag := func(name string, flags int32) core.Topic {
		return core.Topic{Name: name, Queues: core.Queues{SysFlag: flags}}
	}
	w.register(
		a("b2", 0, "b").with(flag("unit", 0)).with(flag("second", 1)).with(flag("shared", 0)),
		a("b1", 0, "a").with(flag("unit", 1)).with(flag("sub", 2)).with(flag("both", 3)).with(flag("none", 0)),
		a("b3", 0, "c").in("c2").with(flag("far", 2)).with(flag("shared", 2)).with(flag("other", 4)),
	)
	for _, c := range []struct {
		kind    core.TopicKind
		cluster string
		want    string
	}{
		{core.AllTopics, "", "both far none other second shared sub unit"},
		{core.UnitTopics, "", "both second unit"}, // the first broker's word
		{core.UnitSubTopics, "", "both far sub"},
		{core.UnitSubNotUnit, "", "far sub"},
		{core.AllTopics, "c1", "both none second shared sub unit"},
		{core.AllTopics, "c2", "far other shared"},
		{core.UnitSubTopics, "c2", "far shared"},
		{core.AllTopics, "c3", ""},
	} {
		w.equal(fmt.Sprint(c.kind, c.cluster), w.topics(c.kind, c.cluster), c.want)
	}
	names, _, err := w.Topics(w.ctx, w.now, core.AllTopics, "c3")
	if err != nil || names == nil {
		t.Fatal("an empty list is a list", names, err)
	}
	w.unregister(a("b1", 0, "a"))
	w.equal("units", w.topics(core.UnitTopics, ""), "second")
}

func TestTopicEqual(t *testing.T) {
	topic := core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 2, Perm: 6, SysFlag: 1}}
	static := topic
	static.Mapping = &core.Mapping{Topic: "T", Broker: "b", Scope: "s", TotalQueues: 1, Epoch: 2, Dirty: true, Current: map[int32]int32{0: 1}}
	same := *static.Mapping
	same.Current = map[int32]int32{0: 1}
	if !topic.Equal(topic) || !static.Equal(core.Topic{Name: "T", Queues: topic.Queues, Mapping: &same}) || topic.Equal(static) {
		t.Fatal("equal topics differ, or the other way round")
	}
	for i, change := range []func(*core.Topic, *core.Mapping){
		func(t *core.Topic, _ *core.Mapping) { t.Name = "" }, func(t *core.Topic, _ *core.Mapping) { t.Queues.Read = 0 },
		func(t *core.Topic, _ *core.Mapping) { t.Mapping = nil }, func(_ *core.Topic, m *core.Mapping) { m.Topic = "" },
		func(_ *core.Topic, m *core.Mapping) { m.Broker = "" }, func(_ *core.Topic, m *core.Mapping) { m.Scope = "" },
		func(_ *core.Topic, m *core.Mapping) { m.TotalQueues = 0 }, func(_ *core.Topic, m *core.Mapping) { m.Epoch = 0 },
		func(_ *core.Topic, m *core.Mapping) { m.Dirty = false }, func(_ *core.Topic, m *core.Mapping) { m.Current = nil },
		func(_ *core.Topic, m *core.Mapping) { m.Current = map[int32]int32{0: 2} },
	} {
		other, m := static, *static.Mapping
		other.Mapping = &m
		change(&other, &m)
		if static.Equal(other) || other.Equal(static) {
			t.Errorf("change %d makes no difference", i)
		}
	}
	empty := *static.Mapping
	empty.Current = map[int32]int32{}
	absent := empty
	absent.Current = nil
	if (core.Topic{Mapping: &empty}).Equal(core.Topic{Mapping: &absent}) {
		t.Error("an empty table is not an absent one")
	}
}

func TestDeleteTopic(t *testing.T) {
	w := newWorld(t)
	b1, b2, slave := a("b1", 0, "a", "T", "U"), a("b2", 0, "c", "T", "U").in("c2"), a("b1", 1, "b", "T", "U")
	const r1, r2 = abRoute, "b2@c2{0=c} 8/8/6"
	w.register(b1, slave, b2)
	w.routes("T", r1+"; "+r2)
	w.did(w.DeleteTopic(w.ctx, w.now, "T", "c1"))
	w.routes("T", r2)
	w.register(slave) // says nothing of topics
	w.routes("T", r2)
	w.register(b1) // still has it
	w.routes("T", r1+"; "+r2)
	w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
	w.routes("T", "none")
	w.equal("topics", w.topics(core.AllTopics, ""), "U")
	w.register(b1.only("U", "V"))
	w.routes("T", "none")
	w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
	w.did(w.DeleteTopic(w.ctx, w.now, "never", "c1"))
	w.did(w.DeleteTopic(w.ctx, w.now, "", ""))
	w.register(b2)
	w.routes("T", r2)

	t.Run("that a lapsed broker had", func(t *testing.T) {
		w := newWorld(t)
		w.register(b1)
		w.step(121 * time.Second)
		w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
		w.register(b1.only("U", "V"))
		w.equal("topics", w.topics(core.AllTopics, ""), "U V")
		w.register(b1)
		w.routes("T", aRoute)
	})
}

func TestRegisterQueues(t *testing.T) {
	row := func(broker string, read int32) core.Row {
		return core.Row{Broker: broker, Topic: core.Topic{Queues: core.Queues{Read: read, Perm: 6}}}
	}
	for name, c := range map[string]struct {
		topic string
		rows  []core.Row
		want  string
	}{
		"new":                          {"Q", []core.Row{row("b1", 1), row("b2", 2)}, "b1@c1{0=a} 1/0/6; b2@c1{0=b} 2/0/6"},
		"new, a broker unknown":        {"Q", []core.Row{row("b1", 1), row("zz", 1)}, "none"},
		"there":                        {"T", []core.Row{row("b2", 2), row("b1", 1)}, "b1@c1{0=a} 1/0/6; b2@c1{0=b} 2/0/6"},
		"there, a broker unknown":      {"T", []core.Row{row("b2", 2), row("zz", 1), row("b1", 1)}, aRoute + "; b2@c1{0=b} 2/0/6"},
		"there, the first one unknown": {"T", []core.Row{row("zz", 2), row("b1", 1)}, aRoute},
		"a broker twice":               {"T", []core.Row{row("b1", 1), row("b1", 2)}, "b1@c1{0=a} 2/0/6"},
		"none":                         {"T", nil, aRoute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.register(a("b1", 0, "a", "T", "U"), a("b2", 0, "b"))
			w.did(w.RegisterQueues(w.ctx, w.now, c.topic, slices.Clone(c.rows)))
			w.routes(c.topic, c.want)
		})
	}
	w := newWorld(t)
	if _, err := w.RegisterQueues(w.ctx, w.now, "", []core.Row{row("b1", 1)}); err == nil {
		t.Fatal("registered a topic without a name")
	}
}
