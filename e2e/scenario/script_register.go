package scenario

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"

	"signpost/internal/remoting"
)

var registerScenarios = []Scenario{
	{Name: "register", About: "A broker of the server's own release registers; what everybody then sees.", script: registerOwn},
	{Name: "register-by-4.8.0", About: "A 4.8.0 broker's registrations, JSON and compressed.", script: registerBy4(remoting.V4_8_0)},
	{Name: "register-by-4.9.7", About: "A 4.9.7 broker's registrations, JSON and compressed.", script: registerBy4(remoting.V4_9_7)},
	{Name: "register-by-5.3.3", About: "A 5.3.3 broker's registrations: JSON, compressed, deflated though it says it is not.", script: registerBy5},
	{Name: "register-changed", About: "Registrations again: unchanged, changed, older; topics that are new, changed and gone.", script: registerChanged},
	{Name: "register-topic-defaults", About: "Topic configurations with members missing or contradicting their key.", script: topicDefaults},
	{Name: "register-filter-servers", About: "Filter servers: replaced, kept when absent, removed when empty.", script: filterServers},
	{Name: "register-crc", About: "bodyCrc32: zero is not looked at, wrong is refused.", script: crcs},
	{Name: "register-delete-topics", About: "deleteTopicWithBrokerRegistration=true: topics that a registration does not have go.", Versions: []string{v533},
		Props: []string{"deleteTopicWithBrokerRegistration=true"}, script: deleteWithRegistration},
	{Name: "register-one-topic", About: "A first registration with exactly one topic: refused by 5.x.", script: oneTopic},
	{Name: "register-no-topics", About: "Registrations with no topic, no body and hardly a body.", script: noTopics},
	{Name: "register-split", About: "A topic set that comes in parts with one DataVersion each.", script: splitRegistration},
	{Name: "register-many-topics", About: "More topics than a hash table has buckets; lists and routes of some.", script: manyTopics},
}

func registerOwn(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0).having(rw("orders", 4), topic{"payments", 8, 6, 4, 0}, topic{"%RETRY%group/é", 1, 1, 6, 0})
	s.ask("broker", "register", s.register(b))
	s.ask("client", "route", route("orders"))
	s.ask("client", "route-read-only", route("payments"))
	s.ask("client", "route-retry", route("%RETRY%group/é"))
	s.ask("client", "route-unknown", route("nowhere"))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.ask("admin", "cluster-topics", clusterTopics("c1"))
	s.ask("admin", "system-topics", systemTopics())
	s.ask("broker", "heartbeat", s.register(b))
	s.ask("client", "route-after-heartbeat", route("orders"))
}

func registerBy4(version int32) func(*Script) {
	return func(s *Script) {
		b := broker("broker-a", "10.0.0.1:10911", 0)
		b.filters = []string{"10.0.0.1:30001"}
		s.ask("broker", "json", b.call().body(b.json(false)).version(version))
		s.ask("client", "route-json", route("orders").version(version))
		c := b.changed(topic{"orders", 2, 3, 6, 5}, rw("refunds", 1))
		s.ask("broker", "compressed", c.call().with("compressed", "true").body(deflate(c.packed(false))).version(version))
		s.ask("client", "route-compressed", route("orders").version(version))
		s.ask("client", "route-new", route("refunds").version(version))
		s.ask("client", "route-old", route("payments").version(version))
		d := c.changed(rw("orders", 1))
		s.ask("broker", "compressed-with-5.x-lines", d.call().with("compressed", "true").body(deflate(d.packed(true))).version(version))
		s.ask("client", "route-after-5.x-lines", route("orders").version(version))
		s.ask("broker", "compressed-said-in-capitals", c.call().with("compressed", "TRUE").body(deflate(c.packed(false))).version(version))
		s.ask("broker", "compressed-unsaid", c.call().body(deflate(c.packed(false))).version(version))
		s.ask("broker", "json-said-compressed", c.call().with("compressed", "true").body(c.json(false)).version(version))
		s.ask("broker", "neither-field", c.call().without("compressed", "bodyCrc32").body(c.json(false)).version(version))
		s.ask("admin", "clusters", clusters().version(version))
	}
}

func registerBy5(s *Script) {
	const version = remoting.V5_3_3
	b := broker("broker-a", "10.0.0.1:10911", 0).field("heartbeatTimeoutMillis", "10000").field("enableActingMaster", "false")
	s.ask("broker", "json", b.call().body(b.json(true)).version(version))
	s.ask("client", "route-json", route("orders").version(version))
	c := b.changed(rw("orders", 2), rw("refunds", 1))
	c.filters = []string{"10.0.0.1:30001"}
	s.ask("broker", "compressed", c.call().with("compressed", "true").body(deflate(c.packed(true))).version(version))
	s.ask("client", "route-compressed", route("orders").version(version))
	d := c.changed(rw("orders", 3), rw("refunds", 3))
	s.ask("broker", "compressed-unsaid", d.call().body(deflate(d.packed(true))).version(version))
	s.ask("client", "route-compressed-unsaid", route("orders").version(version))
	s.ask("broker", "compressed-without-mappings", d.call().with("compressed", "true").body(deflate(d.packed(false))).version(version))
	s.ask("client", "route-without-mappings", route("orders").version(version))
	s.ask("broker", "compressed-without-mappings-412", d.call().with("compressed", "true").body(deflate(d.packed(false))).version(412))
	s.ask("client", "route-without-mappings-412", route("orders").version(version))
	e := d.changed(rw("orders", 5), rw("refunds", 5))
	s.ask("broker", "compressed-with-mappings-412", e.call().with("compressed", "true").body(deflate(e.packed(true))).version(412))
	s.ask("client", "route-with-mappings-412", route("orders").version(version))
	s.ask("broker", "acting-master-absent", e.call().without("enableActingMaster").body(e.json(true)).version(version))
	s.ask("admin", "clusters-acting-master-absent", clusters().version(version))
	s.ask("broker", "acting-master-true", e.call().with("enableActingMaster", "true").body(e.json(true)).version(version))
	s.ask("admin", "clusters-acting-master-true", clusters().version(version))
	s.ask("broker", "acting-master-yes", e.call().with("enableActingMaster", "yes").body(e.json(true)).version(version))
	s.ask("admin", "clusters-acting-master-yes", clusters().version(version))
}

func registerChanged(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	look := func(name string) {
		s.ask("client", name+"-orders", route("orders"))
		s.ask("client", name+"-payments", route("payments"))
		s.ask("client", name+"-refunds", route("refunds"))
	}
	s.ask("broker", "first", s.register(b))
	look("first")
	same := b.having(rw("orders", 16), rw("payments", 16))
	s.ask("broker", "same-version-other-queues", s.register(same))
	look("same-version-other-queues")
	s.ask("broker", "same-version-new-topic", s.register(b.having(rw("orders", 16), rw("refunds", 2))))
	look("same-version-new-topic")
	c := b.changed(topic{"orders", 5, 6, 6, 0}, topic{"refunds", 3, 3, 2, 0})
	s.ask("broker", "changed-one-gone", s.register(c))
	look("changed-one-gone")
	older := c
	older.counter, older.timestamp, older.topics = 0, 5, []topic{rw("orders", 9), rw("payments", 9)}
	s.ask("broker", "older", s.register(older))
	look("older")
	counter := older
	counter.counter, counter.topics = 7, []topic{rw("orders", 10), rw("payments", 10)}
	s.ask("broker", "other-counter", s.register(counter))
	look("other-counter")
	state := counter
	state.state, state.topics = 3, []topic{rw("orders", 11), rw("payments", 11)}
	s.ask("broker", "other-state", s.register(state))
	look("other-state")
	s.ask("admin", "topics", allTopics())
}

func topicDefaults(s *Script) {
	body := func(counter int, table string) string {
		return fmt.Sprintf(`{"topicConfigSerializeWrapper":{"dataVersion":{"counter":%d,"timestamp":1000},"topicConfigTable":{%s}}}`, counter, table)
	}
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("broker", "members-missing", b.call().body(body(1, `"bare":{"topicName":"bare"},"orders":{"topicName":"orders","perm":2,"readQueueNums":1}`)))
	s.ask("client", "route-bare", route("bare"))
	s.ask("client", "route-orders", route("orders"))
	s.ask("broker", "key-and-name-differ", b.call().body(body(2, `"key":{"topicName":"name","readQueueNums":3},"orders":{"topicName":"orders"}`)))
	s.ask("client", "route-key", route("key"))
	s.ask("client", "route-name", route("name"))
	s.ask("broker", "odd-values", b.call().body(body(3, `"odd":{"topicName":"odd","perm":"5","readQueueNums":-1,"writeQueueNums":0,"topicSysFlag":7,"order":true,"topicFilterType":"MULTI_TAG","more":{"x":1}},"orders":{"topicName":"orders"}`)))
	s.ask("client", "route-odd", route("odd"))
	s.ask("broker", "unknown-filter-type", b.call().body(body(4, `"odd":{"topicName":"odd","perm":1,"topicFilterType":"NO_TAG"},"orders":{"topicName":"orders"}`)))
	s.ask("client", "route-odd-again", route("odd"))
	s.ask("broker", "topic-null", b.call().body(body(5, `"odd":null,"orders":{"topicName":"orders","perm":3}`)))
	s.ask("client", "route-after-topic-null", route("orders"))
	s.ask("broker", "name-missing", b.call().body(body(6, `"nameless":{"perm":4},"orders":{"topicName":"orders","perm":7}`)))
	s.ask("client", "route-nameless", route("nameless"))
	s.ask("client", "route-after-nameless", route("orders"))
}

func filterServers(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	reg := func(name string, filters ...string) {
		b.filters = filters
		s.ask("broker", name, s.register(b))
		s.ask("client", name+"-route", route("orders"))
	}
	reg("two", "10.0.0.1:30002", "10.0.0.1:30001")
	reg("absent-keeps")
	reg("replaced", "10.0.0.1:30003")
	reg("empty-removes", []string{}...)
	b.filters = []string{}
	s.ask("broker", "empty-list", s.register(b))
	s.ask("client", "empty-list-route", route("orders"))
	reg("one-again", "10.0.0.1:30004")
	slave := broker("broker-a", "10.0.0.2:10911", 1)
	slave.filters = []string{"10.0.0.2:30001"}
	s.ask("slave", "of-a-slave", s.register(slave))
	s.ask("client", "of-a-slave-route", route("payments"))
	s.ask("slave", "slave-leaves", slave.unregister())
	s.await("client", "slave-left-route", route("payments"), lacks("10.0.0.2:10911"))
}

// crc is bodyCrc32 as brokers compute it.
func crc(body string) string {
	return strconv.Itoa(int(crc32.ChecksumIEEE([]byte(body)) & 0x7FFFFFFF))
}

func crcs(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	json := b.json(s.is5())
	s.ask("broker", "right", b.call().with("bodyCrc32", crc(json)).body(json))
	s.ask("broker", "zero", b.call().body(json))
	s.ask("broker", "wrong", b.call().with("bodyCrc32", "12345").body(json))
	s.ask("broker", "negative", b.call().with("bodyCrc32", "-1").body(json))
	s.ask("broker", "not-a-number", b.call().with("bodyCrc32", "abc").body(json))
	s.ask("broker", "too-large", b.call().with("bodyCrc32", "4294967295").body(json))
	s.ask("broker", "no-body", b.call().with("bodyCrc32", "12345"))
	s.ask("broker", "wrong-and-bad-body", b.call().with("bodyCrc32", "12345").body("{"))
	s.ask("broker", "wrong-and-no-id", b.call().with("bodyCrc32", "12345").without("brokerId").body(json))
	packed := deflate(b.packed(s.is5()))
	s.ask("broker", "right-compressed", b.call().with("compressed", "true").with("bodyCrc32", crc(packed)).body(packed))
	s.ask("broker", "of-the-inflated", b.call().with("compressed", "true").with("bodyCrc32", crc(string(b.packed(s.is5())))).body(packed))
	s.ask("client", "route", route("orders"))
}

func deleteWithRegistration(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("broker", "first", s.register(b))
	s.ask("other", "second-broker", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	c := b.changed(rw("orders", 4), rw("refunds", 4))
	s.ask("broker", "one-gone", s.register(c))
	s.ask("client", "route-payments-of-one", route("payments"))
	s.ask("client", "route-refunds", route("refunds"))
	s.ask("broker", "same-version-less", s.register(c.having(rw("orders", 4), rw("more", 1))))
	s.ask("client", "route-refunds-gone", route("refunds"))
	s.ask("client", "route-more", route("more"))
	s.ask("broker", "one-only", s.register(c.changed(rw("orders", 1))))
	s.ask("admin", "topics-one-only", allTopics())
	s.ask("broker", "none", s.register(c.changed().changed()))
	s.ask("admin", "topics-none", allTopics())
	s.ask("client", "route-orders", route("orders"))
	s.ask("slave", "slave-with-fewer", s.register(broker("broker-b", "10.0.0.3:10911", 1).having(rw("x", 1), rw("y", 1))))
	s.ask("client", "route-after-slave", route("payments"))
	m := broker("broker-b", "10.0.0.2:10911", 0).changed(rw("orders", 2), rw("static", 2))
	m.mappings = []mapping{{"static", "broker-b", 2, 1, "0:0"}}
	s.ask("other", "with-mapping", s.register(m))
	s.ask("client", "route-kept-with-mapping", route("payments"))
}

func oneTopic(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0).having(rw("orders", 4))
	s.ask("broker", "first", s.register(b))
	s.ask("client", "route", route("orders"))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "system-topics", systemTopics())
	s.ask("broker", "again", s.register(b))
	two := b.having(rw("orders", 4), rw("payments", 4))
	s.ask("broker", "with-two", s.register(two))
	s.ask("client", "route-with-two", route("orders"))
	s.ask("broker", "with-one-later", s.register(b.changed(rw("orders", 7))))
	s.ask("client", "route-with-one-later", route("orders"))
	s.ask("slave", "slave-with-one", s.register(broker("broker-a", "10.0.0.2:10911", 1).having(rw("orders", 4))))
	s.ask("admin", "clusters-after-slave", clusters())
}

func noTopics(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "no-body", b.call())
	s.ask("admin", "clusters-no-body", clusters())
	s.ask("admin", "version-no-body", s.queryVersion(b))
	s.ask("b", "empty-object", broker("broker-b", "10.0.0.2:10911", 0).call().body("{}"))
	s.ask("c", "empty-wrapper", broker("broker-c", "10.0.0.3:10911", 0).call().body(`{"topicConfigSerializeWrapper":{}}`))
	s.ask("d", "empty-table", s.register(broker("broker-d", "10.0.0.4:10911", 0).having()))
	s.ask("e", "filters-only", broker("broker-e", "10.0.0.5:10911", 0).call().body(`{"filterServerList":["10.0.0.5:30001"]}`))
	s.ask("f", "version-null", broker("broker-f", "10.0.0.6:10911", 0).call().body(`{"topicConfigSerializeWrapper":{"dataVersion":null,"topicConfigTable":{}}}`))
	s.ask("g", "wrapper-null", broker("broker-g", "10.0.0.7:10911", 0).call().body(`{"topicConfigSerializeWrapper":null}`))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.ask("a", "topics-at-last", s.register(b))
	s.ask("client", "route-at-last", route("orders"))
	s.ask("a", "no-body-again", b.call())
	s.ask("client", "route-after-no-body", route("orders"))
}

func splitRegistration(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("broker", "part-one", s.register(b.having(rw("t1", 1), rw("t2", 2))))
	s.ask("broker", "part-two", s.register(b.having(rw("t3", 3), rw("t4", 4))))
	c := b.changed(rw("t5", 5), rw("t6", 6))
	s.ask("broker", "part-three", s.register(c))
	s.ask("admin", "topics", allTopics())
	s.ask("client", "route-t1", route("t1"))
	s.ask("client", "route-t3", route("t3"))
	s.ask("client", "route-t5", route("t5"))
}

func manyTopics(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0).having()
	c := broker("broker-b", "10.0.0.2:10911", 0).having()
	for i := range 100 {
		b.topics = append(b.topics, rw(fmt.Sprintf("topic-%03d", i), 1+i%8))
		if i%3 == 0 {
			c.topics = append(c.topics, rw(fmt.Sprintf("topic-%03d", i), 1+i%4))
		}
	}
	s.ask("a", "register-a", s.register(b))
	s.ask("b", "register-b", s.register(c))
	s.ask("admin", "topics", allTopics())
	s.ask("admin", "cluster-topics", clusterTopics("c1"))
	for _, i := range []int{0, 1, 33, 99} {
		s.ask("client", fmt.Sprintf("route-%03d", i), route(fmt.Sprintf("topic-%03d", i)))
	}
	packed := deflate(b.packed(s.is5()))
	s.ask("a", "register-a-compressed", b.call().with("compressed", "true").body(packed))
}

// u32 is an int as it stands in compressed bodies.
func u32(n int32) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
