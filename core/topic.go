package core

import "maps"

// Permission bits of a topic's queues (Java: PermName).
const (
	PermWrite     = 2
	PermRead      = 4
	PermReadWrite = PermRead | PermWrite
)

// Bits of a topic's system flag (Java: TopicSysFlag).
const (
	SysFlagUnit    = 1
	SysFlagUnitSub = 2
)

// OrderNamespace is the KV namespace of order configurations (Java:
// NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG).
const OrderNamespace = "ORDER_TOPIC_CONFIG"

// memberTopicPrefix starts the pseudo topics by which brokers of a group look
// each other up; acting masters are not shown on them (Java:
// TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX).
const memberTopicPrefix = "rmq_sys_SYNC_BROKER_MEMBER_"

// Queues is what one broker offers of one topic (Java: QueueData). Perm is
// raw: overrides are applied on read.
type Queues struct {
	Read    int32
	Write   int32
	Perm    int32
	SysFlag int32
}

// Mapping is one broker's part of a static topic (Java: TopicQueueMappingInfo).
// It is never modified once handed over.
type Mapping struct {
	Topic       string
	Broker      string // bname
	Scope       string
	TotalQueues int32
	Epoch       int64
	Dirty       bool
	Current     map[int32]int32 // currIdMap: logical queue id -> queue id on the broker; nil is absent
}

func (m *Mapping) equal(o *Mapping) bool {
	if m == nil || o == nil {
		return m == o
	}
	return m.Topic == o.Topic && m.Broker == o.Broker && m.Scope == o.Scope && m.TotalQueues == o.TotalQueues &&
		m.Epoch == o.Epoch && m.Dirty == o.Dirty && (m.Current == nil) == (o.Current == nil) && maps.Equal(m.Current, o.Current)
}

// Topic is one topic of a broker.
type Topic struct {
	Name    string
	Queues  Queues
	Mapping *Mapping // nil unless the topic is static
}

// Equal says whether both offer the same.
func (t Topic) Equal(o Topic) bool {
	return t.Name == o.Name && t.Queues == o.Queues && t.Mapping.equal(o.Mapping)
}

// Row is one queue row: what Broker offers of a topic.
type Row struct {
	Broker string
	Topic
}

// TopicFlag is a name in a broker's topic set with the flags that lists need.
type TopicFlag struct {
	Name    string
	SysFlag int32
}
