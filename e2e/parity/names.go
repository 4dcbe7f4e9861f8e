package parity

import (
	"fmt"
	"strings"
	"time"
)

// How many of each thing a sequence has. Steps count from 0.
const (
	Clusters   = 2
	Brokers    = 3
	Addresses  = 3 // of each broker
	Conns      = 2 // of each address
	Topics     = 6 // the last is one by which the brokers of broker 0's group look each other up
	Zones      = 3 // 0 is none
	Namespaces = 2 // of KV; 0 is the order configuration, whose keys are topics
	Keys       = 2 // in the other namespaces
	MaxID      = 3 // brokerIds are 0 to MaxID
)

// memberTopic is the last topic: acting masters are not shown on such (Java:
// TopicValidator.SYNC_BROKER_MEMBER_GROUP_PREFIX).
const memberTopic = "rmq_sys_SYNC_BROKER_MEMBER_"

// orderNamespace is KV namespace 0 (Java: NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG).
const orderNamespace = "ORDER_TOPIC_CONFIG"

// names turns the numbers of a sequence into what stands on the wire. The
// sequence's number makes them its own.
type names struct {
	token string        // in every name
	net   string        // before every address's last number
	lapse time.Duration // see lapseAfter
}

func namesOf(sequence int) names {
	return names{
		token: fmt.Sprintf("q%dz", sequence),
		net:   fmt.Sprintf("10.%d.%d.", sequence>>8&255, sequence&255),
		lapse: lapseAfter,
	}
}

func (n names) cluster(i int) string { return fmt.Sprintf("%sc%d", n.token, i) }
func (n names) broker(i int) string  { return fmt.Sprintf("%sb%d", n.token, i) }

// addr is where a broker's process listens, ha where it replicates.
func (n names) addr(broker, i int) string { return fmt.Sprintf("%s%d:10911", n.net, broker*10+i) }
func (n names) ha(broker, i int) string   { return fmt.Sprintf("%s%d:10912", n.net, broker*10+i) }

func (n names) topic(i int) string {
	if i == Topics-1 {
		return memberTopic + n.broker(0)
	}
	return fmt.Sprintf("%st%d", n.token, i)
}

func (n names) namespace(i int) string {
	if i == 0 {
		return orderNamespace
	}
	return fmt.Sprintf("%sn%d", n.token, i)
}

func (n names) key(namespace, i int) string {
	if namespace == 0 {
		return n.topic(i)
	}
	return fmt.Sprintf("k%d", i)
}

func zone(i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("zone%d", i)
}

// owns says whether a name or an address is this sequence's.
func (n names) owns(name string) bool { return strings.Contains(name, n.token) }

// short takes from a text what makes its names the sequence's own.
func (n names) short(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, n.token, ""), n.net, "10.0.0.")
}
