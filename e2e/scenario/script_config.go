package scenario

import "signpost/internal/remoting"

var versionScenarios = []Scenario{
	{Name: "data-version", About: "Code 322: is a DataVersion news? The answer for known and unknown brokers.", script: dataVersion},
	{Name: "data-version-errors", About: "Code 322 with fields or body missing or broken.", script: dataVersionErrors},
}

func dataVersion(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "unknown-broker", s.queryVersion(a))
	s.ask("a", "register", s.register(a))
	s.ask("a", "same", s.queryVersion(a))
	s.ask("a", "newer", s.queryVersion(a.changed()))
	older := a
	older.counter, older.timestamp = 0, 1
	s.ask("a", "older", s.queryVersion(older))
	state := a
	state.state = 9
	s.ask("a", "other-state", s.queryVersion(state))
	name := a
	name.name = "broker-x"
	s.ask("a", "other-name", s.queryVersion(name))
	id := a
	id.id = 7
	s.ask("a", "other-id", s.queryVersion(id))
	s.ask("a", "other-cluster", s.queryVersion(a.inCluster("c2")))
	addr := a
	addr.addr = "10.0.0.9:10911"
	s.ask("a", "other-address", s.queryVersion(addr))
	s.ask("a", "binary", s.queryVersion(a).binary())
	s.ask("slave", "register-slave", s.register(broker("broker-a", "10.0.0.2:10911", 1).changed(rw("orders", 1), rw("payments", 1))))
	s.ask("slave", "slave", s.queryVersion(broker("broker-a", "10.0.0.2:10911", 1)))
	s.ask("a", "register-changed", s.register(a.changed(rw("orders", 1), rw("payments", 1))))
	s.ask("a", "no-longer-same", s.queryVersion(a))
	s.silent("a", "oneway", s.queryVersion(a).oneway())
	s.ask("a", "unregister", a.unregister())
	s.await("a", "gone", s.queryVersion(a), func(cmd *remoting.Command) bool { return cmd.Body == nil })
}

func dataVersionErrors(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register", s.register(a))
	q := s.queryVersion(a)
	s.ask("a", "no-body", q.body(""))
	s.ask("a", "empty-object", q.body("{}"))
	s.ask("a", "null", q.body("null"))
	s.ask("a", "bad-json", q.body("{"))
	s.ask("a", "no-json", q.body("hello"))
	s.ask("a", "counter-text", q.body(`{"counter":"1","timestamp":"1700000000000"}`))
	s.ask("a", "no-id", q.without("brokerId"))
	s.ask("a", "no-name", q.without("brokerName"))
	s.ask("a", "no-cluster", q.without("clusterName"))
	s.ask("a", "no-address", q.without("brokerAddr"))
	s.ask("a", "no-fields", call(remoting.QueryDataVersion).body(a.dataVersion(s.is5())))
}

var configScenarios = []Scenario{
	{Name: "config", About: "Configuration: the listing, and changes that do and do not take.", Traces: true, script: config},
	{Name: "config-refused", About: "Configuration that may not be changed over the network, and how releases differ.", Traces: true, script: configRefused},
	{Name: "config-blacklist", About: "configBlackList names further keys that may not be changed.", Versions: []string{v533},
		Props: []string{"configBlackList=orderMessageEnable;productEnvName"}, Traces: true, script: configBlackList},
}

func update(properties string) request {
	return call(remoting.UpdateNameServerConfig).body(properties)
}

func listing() request { return call(remoting.GetNameServerConfig).mask(maskPort) }

func config(s *Script) {
	s.ask("admin", "listing", listing())
	s.ask("admin", "no-body", call(remoting.UpdateNameServerConfig))
	s.ask("admin", "order-messages", update("orderMessageEnable=true\n"))
	s.ask("admin", "listing-after-order-messages", listing())
	s.ask("admin", "put", putKV("ORDER_TOPIC_CONFIG", "orders", "broker-a:4"))
	s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("client", "route-ordered", route("orders"))
	s.ask("admin", "unknown-key", update("noSuchKey=1\nclusterTest = false\n"))
	s.ask("admin", "bad-number", update("serverWorkerThreads=many\nserverChannelMaxIdleTimeSeconds=130"))
	s.ask("admin", "listing-after-bad-number", listing())
	s.ask("admin", "bad-boolean", update("orderMessageEnable=perhaps"))
	s.ask("client", "route-not-ordered", route("orders"))
	s.ask("admin", "bad-escape", update(`productEnvName=\u12`))
	s.ask("admin", "comment-only", update("# nothing\n"))
	s.ask("admin", "escapes", update("productEnvName=caf\\u00e9 \\\n  long\n"))
	s.ask("admin", "text-utf8", update("unknownText=日本\n"))
	s.ask("admin", "listing-at-the-end", listing())
	s.ask("admin", "listing-binary", listing().binary())
}

func configRefused(s *Script) {
	s.ask("admin", "kv-path", update("kvConfigPath=other.json"))
	s.ask("admin", "store-path", update("configStorePath=other.conf"))
	s.ask("admin", "path-and-more", update("orderMessageEnable=true\nkvConfigPath=other.json"))
	s.ask("admin", "black-list", update("configBlackList=none"))
	s.ask("admin", "home", update("rocketmqHome=elsewhere"))
	s.ask("admin", "listing", listing())
}

func configBlackList(s *Script) {
	s.ask("admin", "order-messages", update("orderMessageEnable=true"))
	s.ask("admin", "environment", update("productEnvName=x"))
	s.ask("admin", "kv-path", update("kvConfigPath=other.json"))
	s.ask("admin", "home", update("rocketmqHome=elsewhere"))
	s.ask("admin", "store-path", update("configStorePath=other.conf"))
	s.ask("admin", "allowed", update("clusterTest=false"))
	s.ask("admin", "listing", listing())
}
