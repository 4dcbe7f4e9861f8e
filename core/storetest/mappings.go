package storetest

import "signpost/core"

func newMapping(topic string, version int64) *core.Mapping {
	return &core.Mapping{Topic: topic, Broker: "bname", Scope: "__global__", TotalQueues: 8, Epoch: version, Current: map[int32]int32{0: 1}}
}

var mappingTests = []test{
	{"kept by a topic that brings none", func(c *client) {
		broker, topic := c.name("b"), newTopic(c.name("t"), 4)
		topic.Mapping = newMapping(topic.Name, 1)
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic}})
		bare := newTopic(topic.Name, 4)
		c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{bare}}), []string(nil))
		bare.Queues.Read, topic.Queues.Read = 5, 5
		c.same("changed", c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{bare}}), []string{topic.Name})
		c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
	}},
	{"set on what the broker has", func(c *client) {
		broker, other := c.name("b"), c.name("o")
		t1, t2, t3 := newTopic(c.name("t1"), 4), newTopic(c.name("t2"), 4), newTopic(c.name("t3"), 4)
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{t1, t3}})
		c.write(core.TopicWrite{Broker: other, Put: []core.Topic{t1}})
		w := core.TopicWrite{Broker: broker, Put: []core.Topic{t2}, Mappings: []*core.Mapping{
			newMapping(t1.Name, 1), newMapping(t2.Name, 2), newMapping(c.name("none"), 3),
		}}
		c.same("changed", c.write(w), []string{t1.Name, t2.Name})
		bare := t1
		t1.Mapping, t2.Mapping = w.Mappings[0], w.Mappings[1]
		c.same("rows", c.rows(t1.Name), []core.Row{{Broker: broker, Topic: t1}, {Broker: other, Topic: bare}})
		c.same("rows", c.rows(t2.Name), []core.Row{{Broker: broker, Topic: t2}})
		c.same("rows", c.rows(t3.Name), []core.Row{{Broker: broker, Topic: t3}})
		c.same("rows", c.rows(c.name("none")), []core.Row(nil))
		c.same("set", c.topicSet(broker), []core.TopicFlag{{Name: t1.Name}, {Name: t2.Name}, {Name: t3.Name}})
		c.same("changed by a repetition", c.write(w), []string(nil))
		w = core.TopicWrite{Broker: broker, Mappings: []*core.Mapping{newMapping(t2.Name, 9)}}
		c.same("changed", c.write(w), []string{t2.Name})
		t2.Mapping = w.Mappings[0]
		c.same("rows", c.rows(t2.Name), []core.Row{{Broker: broker, Topic: t2}})
	}},
	{"set after what the topic brings", func(c *client) {
		broker, topic := c.name("b"), newTopic(c.name("t"), 4)
		topic.Mapping = newMapping(topic.Name, 1)
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic}, Mappings: []*core.Mapping{newMapping(topic.Name, 2)}})
		topic.Mapping = newMapping(topic.Name, 2)
		c.same("rows", c.rows(topic.Name), []core.Row{{Broker: broker, Topic: topic}})
	}},
	{"set on nothing that is removed", func(c *client) {
		broker, topic := c.name("b"), newTopic(c.name("t"), 4)
		c.write(core.TopicWrite{Broker: broker, Put: []core.Topic{topic}})
		w := core.TopicWrite{Broker: broker, Remove: []string{topic.Name}, Mappings: []*core.Mapping{newMapping(topic.Name, 1)}}
		c.same("changed", c.write(w), []string{topic.Name})
		c.same("rows", c.rows(topic.Name), []core.Row(nil))
		c.same("set", c.topicSet(broker), []core.TopicFlag(nil))
	}},
	{"replaced", func(c *client) {
		broker := c.name("b")
		t1, t2, t3 := newTopic(c.name("t1"), 4), newTopic(c.name("t2"), 4), newTopic(c.name("t3"), 4)
		all := []core.Topic{t1, t2, t3}
		c.write(core.TopicWrite{Broker: broker, Put: all, Mappings: []*core.Mapping{
			newMapping(t1.Name, 1), newMapping(t2.Name, 1), newMapping(t3.Name, 1),
		}})
		w := core.TopicWrite{Broker: broker, Put: all[:2], Replace: true, Mappings: []*core.Mapping{
			newMapping(t2.Name, 1), newMapping(t3.Name, 1),
		}}
		c.same("changed", c.write(w), []string{t1.Name, t3.Name})
		t2.Mapping = newMapping(t2.Name, 1)
		c.same("rows", c.rows(t1.Name), []core.Row{{Broker: broker, Topic: t1}})
		c.same("rows", c.rows(t2.Name), []core.Row{{Broker: broker, Topic: t2}})
		c.same("rows", c.rows(t3.Name), []core.Row(nil))
		c.same("changed by a repetition", c.write(w), []string(nil))
	}},
}
