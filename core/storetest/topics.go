package storetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signpost/core"
)

var topicTests = []test{
	{"none is no error", func(c *client) {
		if rows, set := c.rows(c.name("none")), c.topicSet(c.name("none")); len(rows)+len(set) > 0 {
			c.t.Fatalf("got %v and %v", rows, set)
		}
	}},
	{"added", func(c *client) {
		a, b, z := c.name("a"), c.name("b"), c.name("z")
		t1, t2 := newTopic(c.name("t1"), 4), newTopic(c.name("t2"), 8)
		t2.Queues.SysFlag = core.SysFlagUnitSub
		for _, broker := range []string{b, z, a} {
			c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{t2, t1}}), []string{t1.Name, t2.Name})
		}
		c.same("rows", c.rows(t1.Name), []core.Row{{Broker: a, Topic: t1}, {Broker: b, Topic: t1}, {Broker: z, Topic: t1}})
		c.same("rows", c.rows(t2.Name), []core.Row{{Broker: a, Topic: t2}, {Broker: b, Topic: t2}, {Broker: z, Topic: t2}})
		c.same("set", c.topicSet(b), []core.TopicFlag{{Name: t1.Name}, {Name: t2.Name, SysFlag: core.SysFlagUnitSub}})
	}},
	{"every field is kept", func(c *client) {
		broker, topic := c.name("b"), fullTopic(c.name("t"))
		before := canonical(topic)
		c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic}}), []string{topic.Name})
		c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
		c.same("set", c.topicSet(broker), []core.TopicFlag{{Name: topic.Name, SysFlag: topic.Queues.SysFlag}})
		if canonical(topic) != before {
			c.t.Fatal("the topic given was changed")
		}
	}},
	{"merged", func(c *client) {
		broker := c.name("b")
		t1, t2, t3 := newTopic(c.name("t1"), 4), newTopic(c.name("t2"), 4), newTopic(c.name("t3"), 4)
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{t1, t2}})
		other := t2
		other.Queues.Perm = core.PermRead
		changed := c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{t3, other}})
		c.same("changed", changed, []string{t2.Name, t3.Name})
		for _, t := range []core.Topic{t1, other, t3} {
			c.same("rows", c.rows(t.Name), []core.Row{{Broker: broker, Topic: t}})
		}
		c.same("set", c.topicSet(broker), []core.TopicFlag{{Name: t1.Name}, {Name: t2.Name}, {Name: t3.Name}})
	}},
	{"changed names what is different, and nothing else", func(c *client) {
		broker, topic := c.name("b"), fullTopic(c.name("t"))
		beside := newTopic(c.name("u"), 4)
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic, beside}})
		for _, edit := range []func(*core.Topic){
			func(t *core.Topic) { t.Queues.Read-- },
			func(t *core.Topic) { t.Queues.Write-- },
			func(t *core.Topic) { t.Queues.Perm-- },
			func(t *core.Topic) { t.Queues.SysFlag-- },
			func(t *core.Topic) { t.Mapping.Broker += "x" },
			func(t *core.Topic) { t.Mapping.Scope += "x" },
			func(t *core.Topic) { t.Mapping.TotalQueues-- },
			func(t *core.Topic) { t.Mapping.Epoch-- },
			func(t *core.Topic) { t.Mapping.Dirty = !t.Mapping.Dirty },
			func(t *core.Topic) { t.Mapping.Current = map[int32]int32{1: 2, 3: 4} },
			func(t *core.Topic) { t.Mapping.Current = map[int32]int32{1: 2, 3: 5} },
			func(t *core.Topic) { t.Mapping.Current = map[int32]int32{} },
			func(t *core.Topic) { t.Mapping.Current = nil },
		} {
			mapping := *topic.Mapping
			topic.Mapping = &mapping
			edit(&topic)
			w := core.TopicWrite{Broker: broker, Put: []core.Topic{topic, beside}}
			c.same("changed", c.write(w), []string{topic.Name})
			c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
			c.same("set", c.topicSet(broker)[0], core.TopicFlag{Name: topic.Name, SysFlag: topic.Queues.SysFlag})
			c.same("changed by a repetition", c.write(w), []string(nil))
		}
		c.same("changed by nothing", c.write(core.TopicWrite{Broker: broker}), []string(nil))
	}},
	{"removed", func(c *client) {
		broker, other := c.name("b"), c.name("o")
		t1, t2, t3 := newTopic(c.name("t1"), 4), newTopic(c.name("t2"), 4), newTopic(c.name("t3"), 4)
		for _, b := range []string{broker, other} {
			c.write(core.TopicWrite{Broker: b, Put: []core.Topic{t1, t2}})
		}
		w := core.TopicWrite{Broker: broker, Put: []core.Topic{t3}, Remove: []string{t2.Name, c.name("none")}}
		c.same("changed", c.write(w), []string{t2.Name, t3.Name})
		c.same("rows", c.rows(t2.Name), []core.Row{{Broker: other, Topic: t2}})
		c.same("set", c.topicSet(broker), []core.TopicFlag{{Name: t1.Name}, {Name: t3.Name}})
		c.same("changed by a repetition", c.write(w), []string(nil))
		c.same("changed", c.write(core.TopicWrite{Broker: other, Remove: []string{t1.Name, t2.Name}}), []string{t1.Name, t2.Name})
		c.same("rows", c.rows(t2.Name), []core.Row(nil))
		c.same("set", c.topicSet(other), []core.TopicFlag(nil))
		c.same("changed", c.write(core.TopicWrite{Broker: c.name("none"), Remove: []string{t1.Name}}), []string(nil))
	}},
	{"replaced", func(c *client) {
		broker, other := c.name("b"), c.name("o")
		t1, t2, t3 := newTopic(c.name("t1"), 4), newTopic(c.name("t2"), 4), newTopic(c.name("t3"), 4)
		for _, b := range []string{broker, other} {
			c.write(core.TopicWrite{Broker: b, Put: []core.Topic{t1, t2}})
		}
		w := core.TopicWrite{Broker: broker, Put: []core.Topic{t2, t3}, Replace: true}
		c.same("changed", c.write(w), []string{t1.Name, t3.Name})
		c.same("rows", c.rows(t1.Name), []core.Row{{Broker: other, Topic: t1}})
		c.same("set", c.topicSet(broker), []core.TopicFlag{{Name: t2.Name}, {Name: t3.Name}})
		c.same("changed by a repetition", c.write(w), []string(nil))
		w = core.TopicWrite{Broker: broker, Replace: true}
		c.same("changed", c.write(w), []string{t2.Name, t3.Name})
		c.same("set", c.topicSet(broker), []core.TopicFlag(nil))
		c.same("changed by a repetition", c.write(w), []string(nil))
		c.same("set of the other", c.topicSet(other), []core.TopicFlag{{Name: t1.Name}, {Name: t2.Name}})
	}},
	{"a removed topic comes back", func(c *client) {
		broker, topic := c.name("b"), newTopic(c.name("t"), 4)
		for range 2 {
			c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic}}), []string{topic.Name})
			c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
			c.same("changed", c.write(core.TopicWrite{Broker: broker, Remove: []string{topic.Name}}), []string{topic.Name})
			c.same("rows", c.rows(topic.Name), []core.Row(nil))
		}
	}},
	{"odd names", func(c *client) {
		for _, odd := range oddNames() {
			broker, topic := c.name(odd), newTopic(c.name(odd), 4)
			c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic}}), []string{topic.Name})
			c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
			c.same("set", c.topicSet(broker), []core.TopicFlag{{Name: topic.Name}})
		}
	}},
	{"one of many", func(c *client) {
		broker := c.name("b")
		topics, flags, names := many(c, 300)
		c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: topics}), names)
		c.same("set", c.topicSet(broker), flags)
		topics[17].Queues.Read++
		c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: topics, Replace: true}), names[17:18])
		for _, n := range []int{0, 17, 299} {
			c.same("rows", c.rows(names[n]), []core.Row{{Broker: broker, Topic: topics[n]}})
		}
		c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: topics[:100], Replace: true}), names[100:])
		c.same("set", c.topicSet(broker), flags[:100])
	}},
	{"only the writer writes", func(c *client) {
		broker, topic := c.name("b"), newTopic(c.name("t"), 4)
		put := func(writer string, queues int32) error {
			_, err := c.s.WriteTopics(c.ctx, core.TopicWrite{Broker: broker, Writer: writer, Put: []core.Topic{newTopic(topic.Name, queues)}})
			return err
		}
		c.refused("write with no group", put("w", 1), core.ErrBusy)
		first := c.writer(broker)
		c.must(put(first, 4))
		second := c.writer(broker)
		c.refused("write of one that was overtaken", put(first, 2), core.ErrBusy)
		c.must(put(second, 4))
		g := c.group(broker)
		g.Writer = core.Writer{}
		g = c.put(g)
		c.refused("write of one that was overtaken by one that has finished", put(first, 2), core.ErrBusy)
		c.must(c.s.RemoveGroup(c.ctx, broker, g.Version))
		c.refused("write to a removed group", put(second, 2), core.ErrBusy)
		c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
	}},
	{"a write that stops half way is finished by repeating it", func(c *client) {
		broker := c.name("b")
		topics, flags, names := many(c, 120)
		old := slices.Clone(topics[:60])
		for i := range old {
			old[i].Queues.Read = 1
		}
		gone := newTopic(c.name("gone"), 4)
		c.write(core.TopicWrite{Broker: broker, Put: append(slices.Clone(old), gone)})
		w := core.TopicWrite{Broker: broker, Writer: c.writer(broker), Put: topics, Replace: true}
		for _, d := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(c.ctx, d)
			changed, err := c.s.WriteTopics(ctx, w)
			cancel()
			if err == nil && d == 0 {
				c.same("changed", changed, append([]string{gone.Name}, names...))
			}
			c.same("rows that are not in the set", uncovered(c, broker, append(names, gone.Name)), []string(nil))
			for i, topic := range topics {
				for _, row := range c.rows(topic.Name) {
					if !row.Equal(topic) && (i >= 60 || !row.Equal(old[i])) {
						c.t.Fatalf("row of %s is neither the old nor the new one: %+v", topic.Name, row)
					}
				}
			}
		}
		c.write(w)
		c.same("set", c.topicSet(broker), flags)
		for i, topic := range topics {
			c.same("rows", c.rows(names[i]), []core.Row{{Broker: broker, Topic: topic}})
		}
		c.same("changed by a repetition", c.write(w), []string(nil))
	}},
	{"what was given may change afterwards, and what was read stays", func(c *client) {
		broker, topic := c.name("b"), fullTopic(c.name("t"))
		given := []core.Topic{topic}
		c.write(core.TopicWrite{Broker: broker, Put: given})
		given[0].Queues.Read = 1
		rows, set := c.rows(topic.Name), c.topicSet(broker)
		c.same("rows", rows, []core.Row{{Broker: broker, Topic: topic}})
		next := topic
		next.Queues = core.Queues{Read: 1, SysFlag: 1}
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{next, newTopic(c.name("a"), 4)}})
		c.write(core.TopicWrite{Broker: c.name("a"), Put: []core.Topic{next}})
		c.same("rows read before", rows, []core.Row{{Broker: broker, Topic: topic}})
		c.same("set read before", set, []core.TopicFlag{{Name: topic.Name, SysFlag: topic.Queues.SysFlag}})
	}},
}

// many returns topics sorted by name, with their flags and names.
func many(c *client, n int) (topics []core.Topic, flags []core.TopicFlag, names []string) {
	for i := range n {
		t := newTopic(c.name(fmt.Sprintf("t%03d", i)), int32(4+i%5))
		t.Queues.SysFlag = int32(i % 3)
		topics = append(topics, t)
		flags = append(flags, core.TopicFlag{Name: t.Name, SysFlag: t.Queues.SysFlag})
		names = append(names, t.Name)
	}
	return topics, flags, names
}

// uncovered returns those of the topics that have a row of the broker and are
// not in its set (rule 7).
func uncovered(c *client, broker string, topics []string) []string {
	var names []string
	for _, topic := range topics {
		if slices.ContainsFunc(c.rows(topic), func(r core.Row) bool { return r.Broker == broker }) {
			names = append(names, topic)
		}
	}
	set := c.topicSet(broker)
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(set, func(f core.TopicFlag) bool { return f.Name == name })
	})
}
