package scenario

import "signpost/internal/remoting"

// What only 5.x has. Requests and fields of these are sent to 4.x servers
// too where those take them without noticing.

var mappingScenarios = []Scenario{
	{Name: "static-topic", About: "Static topics: mappings are merged, and in routes of 5.x.", Traces: true, script: staticTopic},
	{Name: "register-topic", About: "Code 217 adds a topic to brokers that are known.", Versions: []string{v533}, script: registerTopic},
	{Name: "register-topic-mismatch", About: "Code 217 with brokers unknown, bodies missing or broken.", Versions: []string{v533}, script: registerTopicErrors},
	{Name: "member-group", About: "Code 901: the addresses of a broker group.", Versions: []string{v533}, script: memberGroups},
	{Name: "heartbeat", About: "Code 904: heartbeats are always thanked for.", Versions: []string{v533}, script: heartbeats},
	{Name: "heartbeat-timeout", About: "A broker's own heartbeatTimeoutMillis ends it, and its connection.", Versions: []string{v533},
		Props: []string{"scanNotActiveBrokerInterval=200"}, script: heartbeatTimeout},
}

func staticTopic(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0).having(rw("orders", 2), rw("static", 2))
	a.mappings = []mapping{{"static", "broker-a", 4, 1, "0:0,1:1"}}
	b := broker("broker-b", "10.0.0.2:10911", 0).having(rw("orders", 2), rw("static", 2))
	b.mappings = []mapping{{"static", "broker-b", 4, 1, "2:0,3:1"}}
	s.ask("a", "register-a", s.register(a))
	s.ask("client", "route-a", route("static"))
	s.ask("b", "register-b", s.register(b))
	s.ask("client", "route-both", route("static"))
	s.ask("client", "route-both-old-client", route("static").version(remoting.V4_8_0))
	s.ask("client", "route-no-mapping", route("orders"))
	a.mappings[0].epoch = 2
	s.ask("a", "same-version-other-epoch", s.register(a))
	s.ask("client", "route-same-version", route("static"))
	c := a.changed(rw("orders", 2), rw("static", 3))
	c.mappings = []mapping{{"static", "broker-a", 6, 3, "0:0,1:1,4:2"}}
	s.ask("a", "changed", s.register(c))
	s.ask("client", "route-changed", route("static"))
	d := c.changed(rw("orders", 2), rw("static", 3))
	d.mappings = nil
	s.ask("a", "changed-without-mapping", s.register(d))
	s.ask("client", "route-without-mapping", route("static"))
	e := d.changed(rw("orders", 2), rw("static", 3))
	e.mappings = []mapping{{"static", "broker-a", 6, 4, "0:0,1:1"}, {"mapped-only", "broker-a", 1, 1, "0:0"}}
	s.ask("a", "mapping-of-no-topic", s.register(e))
	s.ask("client", "route-mapped-only", route("mapped-only"))
	f := b.changed(rw("orders", 2), rw("static", 2))
	f.mappings = []mapping{{"static", "broker-b", 4, 7, "2:0,3:1"}}
	if s.is5() {
		s.ask("b", "compressed", f.call().with("compressed", "true").body(deflate(f.packed(true))))
		s.ask("client", "route-compressed", route("static"))
	}
	slave := broker("broker-b", "10.0.0.3:10911", 1).having(rw("orders", 2), rw("static", 2))
	slave.mappings = []mapping{{"static", "broker-b", 4, 9, "2:0"}}
	s.ask("slave", "slave-with-mapping", s.register(slave))
	s.ask("client", "route-slave-with-mapping", route("static"))
	s.ask("slave", "slave-leaves", slave.unregister())
	s.await("client", "slave-gone", route("static"), lacks("10.0.0.3:10911"))
	s.ask("b", "unregister-b", b.unregister())
	s.await("client", "route-b-gone", route("static"), lacks("10.0.0.2:10911"))
}

func topicRoute(topic, body string) request {
	return call(remoting.RegisterTopicInNameServer, "topic", topic).body(body)
}

func registerTopic(s *Script) {
	s.ask("a", "register-a", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("b", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	s.ask("a", "new-topic", topicRoute("added", `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[`+
		`{"brokerName":"broker-a","perm":6,"readQueueNums":3,"topicSysFlag":0,"writeQueueNums":3}]}`))
	s.ask("client", "route-new", route("added"))
	s.ask("a", "both-brokers", topicRoute("added", `{"queueDatas":[{"brokerName":"broker-a","perm":4,"readQueueNums":5,"topicSysFlag":1,"writeQueueNums":5},`+
		`{"brokerName":"broker-b","perm":6,"readQueueNums":2,"topicSysFlag":0,"writeQueueNums":2}]}`))
	s.ask("client", "route-both", route("added"))
	s.ask("a", "members-missing", topicRoute("bare", `{"queueDatas":[{"brokerName":"broker-a"}]}`))
	s.ask("client", "route-bare", route("bare"))
	s.ask("admin", "topics", allTopics())
	s.ask("a", "registration-again", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("client", "route-after-registration", route("added"))
	s.ask("b", "unregister-b", broker("broker-b", "10.0.0.2:10911", 0).unregister())
	s.await("client", "route-b-gone", route("added"), lacks("broker-b"))
}

func registerTopicErrors(s *Script) {
	s.ask("a", "register-a", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	known := `{"brokerName":"broker-a","perm":6,"readQueueNums":1,"topicSysFlag":0,"writeQueueNums":1}`
	unknown := `{"brokerName":"broker-x","perm":6,"readQueueNums":1,"topicSysFlag":0,"writeQueueNums":1}`
	s.ask("a", "unknown-broker", topicRoute("t1", `{"queueDatas":[`+unknown+`]}`))
	s.ask("client", "route-unknown-broker", route("t1"))
	s.ask("a", "new-known-then-unknown", topicRoute("t2", `{"queueDatas":[`+known+`,`+unknown+`]}`))
	s.ask("client", "route-new-known-then-unknown", route("t2"))
	s.ask("a", "old-known-then-unknown", topicRoute("orders", `{"queueDatas":[`+known+`,`+unknown+`]}`))
	s.ask("client", "route-old-known-then-unknown", route("orders"))
	s.ask("a", "old-unknown-then-known", topicRoute("payments", `{"queueDatas":[`+unknown+`,`+known+`]}`))
	s.ask("client", "route-old-unknown-then-known", route("payments"))
	s.ask("a", "no-body", call(remoting.RegisterTopicInNameServer, "topic", "t3"))
	s.ask("a", "no-queues", topicRoute("t3", `{"queueDatas":[]}`))
	s.ask("a", "empty-object", topicRoute("t3", `{}`))
	s.ask("a", "body-null", topicRoute("t3", `null`))
	s.ask("a", "bad-json", topicRoute("t3", `{"queueDatas":[`))
	s.ask("a", "no-json", topicRoute("t3", `hello`))
	s.ask("client", "route-nothing", route("t3"))
	s.ask("a", "no-topic", call(remoting.RegisterTopicInNameServer).body(`{"queueDatas":[`+unknown+`]}`))
	s.ask("admin", "topics", allTopics())
}

func memberGroups(s *Script) {
	s.ask("admin", "nobody", memberGroup("c1", "broker-a"))
	s.ask("a", "master", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("admin", "master-only", memberGroup("c1", "broker-a"))
	s.ask("b", "slave", s.register(broker("broker-a", "10.0.0.2:10911", 1)))
	s.ask("admin", "both", memberGroup("c1", "broker-a"))
	s.ask("admin", "both-old-client", memberGroup("c1", "broker-a").version(0))
	s.ask("admin", "other-cluster", memberGroup("c2", "broker-a"))
	s.ask("admin", "no-cluster", memberGroup("c1", "broker-a").without("clusterName"))
	s.ask("admin", "no-broker", memberGroup("c1", "broker-a").without("brokerName"))
	s.ask("admin", "no-fields", call(remoting.GetBrokerMemberGroup))
	s.ask("admin", "binary", memberGroup("c1", "broker-a").binary())
	s.close("a")
	s.await("admin", "slave-only", memberGroup("c1", "broker-a"), lacks("10.0.0.1:10911"))
}

func heartbeats(s *Script) {
	beat := call(remoting.BrokerHeartbeat, "clusterName", "c1", "brokerAddr", "10.0.0.1:10911", "brokerName", "broker-a",
		"brokerId", "0", "epoch", "1", "maxOffset", "100", "confirmOffset", "100", "heartbeatTimeoutMills", "10000", "electionPriority", "1")
	s.ask("broker", "unknown-broker", beat)
	s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("broker", "known-broker", beat)
	s.ask("broker", "other-cluster", beat.with("clusterName", "c2"))
	s.ask("broker", "numbers-wrong", beat.with("brokerId", "x").with("epoch", "x").with("heartbeatTimeoutMills", "x"))
	s.ask("broker", "required-only", beat.without("brokerId", "epoch", "maxOffset", "confirmOffset", "heartbeatTimeoutMills", "electionPriority"))
	s.ask("broker", "no-cluster", beat.without("clusterName"))
	s.ask("broker", "no-address", beat.without("brokerAddr"))
	s.ask("broker", "no-name", beat.without("brokerName"))
	s.ask("broker", "no-fields", call(remoting.BrokerHeartbeat))
	s.silent("broker", "oneway", beat.oneway())
	s.ask("client", "route", route("orders"))
}

func heartbeatTimeout(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register", s.register(a))
	b := broker("broker-b", "10.0.0.2:10911", 0)
	s.ask("b", "register-short", s.register(b.field("heartbeatTimeoutMillis", "1000")))
	s.ask("client", "route-both", route("orders"))
	s.add(Step{Name: "connection-closed", Kind: Cut, Conn: "b"})
	s.await("client", "route-one", route("orders"), lacks("broker-b"))
	s.ask("admin", "clusters", clusters())
	s.ask("b", "register-again", s.register(b.field("heartbeatTimeoutMillis", "not a number")))
	s.ask("client", "route-again", route("orders"))
}

var actingScenarios = []Scenario{
	{Name: "acting-master", About: "supportActingMaster=true: without a master the slave with the smallest id stands in for it, read-only.", Versions: []string{v533},
		Props: []string{"supportActingMaster=true"}, script: actingMaster},
	{Name: "acting-master-off", About: "Acting masters with a server that does not support them (default).", script: actingMaster},
	{Name: "prime-slave", About: "A slave with the smallest id brings topics when it says enableActingMaster, either way.", Versions: []string{v533},
		Props: []string{"supportActingMaster=true"}, script: primeSlave},
	{Name: "acting-master-old-broker", About: "supportActingMaster=true with brokers that say nothing of it.", Versions: []string{v533},
		Props: []string{"supportActingMaster=true"}, script: actingOldBroker},
}

func acting(name, addr string, id int, value string) registration {
	return broker(name, addr, id).field("heartbeatTimeoutMillis", "100000").field("enableActingMaster", value)
}

const syncTopic = "rmq_sys_SYNC_BROKER_MEMBER_broker-a"

func actingMaster(s *Script) {
	m := acting("broker-a", "10.0.0.1:10911", 0, "true").having(rw("orders", 4), rw(syncTopic, 1), topic{"inherit", 4, 4, 7, 0})
	s1 := acting("broker-a", "10.0.0.2:10911", 1, "true")
	s2 := acting("broker-a", "10.0.0.3:10911", 2, "true")
	s.ask("master", "master", s.register(m))
	s.ask("slave-1", "slave-1", s.register(s1))
	s.ask("slave-2", "slave-2", s.register(s2))
	s.ask("client", "route", route("orders"))
	s.ask("master", "master-leaves", m.unregister())
	s.await("client", "route-acting", route("orders"), lacks("10.0.0.1:10911"))
	s.ask("client", "route-acting-old-client", route("orders").version(remoting.V4_8_0))
	s.ask("client", "route-inherit", route("inherit"))
	s.ask("client", "route-sync-topic", route(syncTopic))
	s.ask("admin", "clusters-acting", clusters())
	s.ask5("admin", "member-group-acting", memberGroup("c1", "broker-a"))
	s.ask("slave-1", "slave-1-alone", s.register(s1))
	s.ask("client", "route-slave-1-alone", route("orders"))
	s.ask("slave-1", "slave-1-leaves", s1.unregister())
	s.await("client", "route-slave-2", route("orders"), lacks("10.0.0.2:10911"))
	s.ask("master", "master-returns", s.register(m))
	s.ask("client", "route-master-returned", route("orders"))
	s.close("master")
	s.await("client", "route-acting-after-close", route("orders"), lacks("10.0.0.1:10911"))
	s.ask("client", "route-inherit-after-close", route("inherit"))
}

func primeSlave(s *Script) {
	for _, value := range []string{"true", "false"} {
		name := "broker-" + value
		s1 := acting(name, "10.0.0.2:10911", 1, value).having(rw("orders-"+value, 4), topic{"read-only-" + value, 4, 4, 4, 0})
		s2 := acting(name, "10.0.0.3:10911", 2, value).having(rw("orders-"+value, 9), rw("second-"+value, 9))
		s.ask(value+"-1", value+"-prime", s.register(s1))
		s.ask("client", value+"-route", route("orders-"+value))
		s.ask("client", value+"-route-read-only", route("read-only-"+value))
		s.ask(value+"-2", value+"-second", s.register(s2))
		s.ask("client", value+"-route-second", route("second-"+value))
		s.ask(value+"-1", value+"-prime-leaves", s1.unregister())
		s.await("client", value+"-prime-left", route("orders-"+value), lacks("10.0.0.2:10911"))
		s.ask(value+"-2", value+"-second-is-prime", s.register(s2))
		s.ask("client", value+"-route-second-is-prime", route("orders-"+value))
		m := acting(name, "10.0.0.1:10911", 0, value).having(rw("orders-"+value, 2), rw("third-"+value, 2))
		s.ask(value+"-0", value+"-master", s.register(m))
		s.ask("client", value+"-route-master", route("orders-"+value))
	}
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
}

func actingOldBroker(s *Script) {
	m := broker("broker-a", "10.0.0.1:10911", 0)
	s1 := broker("broker-a", "10.0.0.2:10911", 1)
	s.ask("master", "master", s.register(m))
	s.ask("slave", "slave", s.register(s1))
	s.ask("master", "master-leaves", m.unregister())
	s.await("client", "route-slave", route("orders"), lacks("10.0.0.1:10911"))
	s.ask("slave", "slave-false", s.register(acting("broker-a", "10.0.0.2:10911", 1, "false")))
	s.ask("client", "route-slave-false", route("orders"))
	s.ask("slave", "slave-true", s.register(acting("broker-a", "10.0.0.2:10911", 1, "true")))
	s.ask("client", "route-slave-true", route("orders"))
	s.ask("admin", "wipe", wipe("broker-a"))
	s.ask("client", "route-wiped", route("orders"))
}

var zoneScenarios = []Scenario{
	{Name: "zone", About: "Zones: in routes and clusters, and routes for one zone.", script: zones},
	{Name: "notify", About: "notifyMinBrokerIdChanged=true: code 905 to brokers when the smallest id of their group changes.", Versions: []string{v533},
		Props: []string{"notifyMinBrokerIdChanged=true"}, script: notify},
}

func zones(s *Script) {
	reg := func(name, addr, zone string, id int) registration {
		b := broker(name, addr, id)
		b.filters = []string{addr + "0"}
		if zone != "" {
			b = b.field("__ZONE_NAME", zone)
		}
		return b
	}
	s.ask("a", "register-east", s.register(reg("broker-a", "10.0.0.1:10911", "east", 0)))
	s.ask("b", "register-west", s.register(reg("broker-b", "10.0.0.2:10911", "west", 0)))
	s.ask("c", "register-no-zone", s.register(reg("broker-c", "10.0.0.3:10911", "", 0)))
	d := reg("broker-d", "10.0.0.4:10911", "west", 1)
	s.ask("d", "register-slave-west", s.register(reg("broker-d", "10.0.0.5:10911", "west", 0)))
	s.ask("d-slave", "register-second-west", s.register(d))
	s.ask("admin", "clusters", clusters())
	s.ask("client", "route", route("orders"))
	in := func(mode, zone string) request {
		return route("orders").with("__ZONE_MODE", mode).with("__ZONE_NAME", zone)
	}
	s.ask("client", "route-east", in("true", "east"))
	s.ask("client", "route-east-old-client", in("true", "east").version(0))
	s.ask("client", "route-EAST", in("TRUE", "EAST"))
	s.ask("client", "route-standard-json", in("true", "east").with("acceptStandardJsonOnly", "true"))
	s.ask("client", "route-unknown-zone", in("true", "north"))
	s.ask("client", "route-blank-zone", in("true", "  "))
	s.ask("client", "route-no-zone", in("true", "x").without("__ZONE_NAME"))
	s.ask("client", "route-mode-false", in("false", "east"))
	s.ask("client", "route-no-mode", in("true", "east").without("__ZONE_MODE"))
	s.ask("client", "unknown-topic", in("true", "east").with("topic", "nowhere"))
	s.ask("client", "no-topic", in("true", "east").without("topic"))
	s.close("d")
	s.await("client", "route-no-master", in("true", "east"), lacks("10.0.0.5:10911"))
	s.ask("a", "zone-forgotten", s.register(reg("broker-a", "10.0.0.1:10911", "", 0)))
	s.ask("client", "route-zone-forgotten", in("true", "east"))
	s.ask("a", "zone-changed", s.register(reg("broker-a", "10.0.0.1:10911", "north", 0)))
	s.ask("client", "route-zone-changed", in("true", "north"))
}

func notify(s *Script) {
	member := func(id int, addr string) registration {
		return acting("broker-a", addr, id, "true")
	}
	zero, one, two := member(0, "127.66.0.1:10661"), member(1, "127.66.0.2:10661"), member(2, "127.66.0.3:10661")
	s.add(Step{Name: "listen-0", Kind: Listen, Conn: "at-0", Addr: zero.addr})
	s.add(Step{Name: "listen-1", Kind: Listen, Conn: "at-1", Addr: one.addr})
	s.add(Step{Name: "listen-2", Kind: Listen, Conn: "at-2", Addr: two.addr})
	told := func(name, conn string) {
		s.add(Step{Name: name, Kind: Receive, Conn: conn, Masks: []Mask{maskOpaque}})
	}
	s.ask("two", "register-2", s.register(two))
	s.ask("one", "register-1", s.register(one))
	told("2-told-of-1", "at-2")
	s.ask("zero", "register-0", s.register(zero))
	told("1-told-of-0", "at-1")
	told("2-told-of-0", "at-2")
	s.ask("zero", "register-0-again", s.register(zero))
	s.ask("zero", "unregister-0", zero.unregister())
	told("1-told-that-0-left", "at-1")
	told("2-told-that-0-left", "at-2")
	s.close("one")
	told("2-told-that-1-left", "at-2")
	s.ask("client", "route", route("orders"))
}
