package scenario

import "signpost/internal/remoting"

var kvScenarios = []Scenario{
	{Name: "kv", About: "Key-values: put, get, list, delete, and everything that is not there.", Traces: true, script: keyValues},
	{Name: "kv-missing-fields", About: "Key-values without namespace, key or value.", Traces: true, script: keyValuesMissing},
	{Name: "kv-order-conf", About: "Order configuration: given to brokers when they register, to clients only if orderMessageEnable.", Traces: true, script: orderConf},
	{Name: "kv-order-conf-enabled", About: "Order configuration with orderMessageEnable=true.", Props: []string{"orderMessageEnable=true"}, Traces: true, script: orderConf},
	{Name: "kv-order-conf-kept", About: "Order configuration with returnOrderTopicConfigToBroker=false.", Versions: []string{v533},
		Props: []string{"returnOrderTopicConfigToBroker=false"}, Traces: true, script: orderConf},
}

func listKV(namespace string) request {
	return call(remoting.GetKVListByNamespace, "namespace", namespace)
}

func deleteKV(namespace, key string) request {
	return call(remoting.DeleteKVConfig, "namespace", namespace, "key", key)
}

func keyValues(s *Script) {
	s.ask("admin", "get-nothing", getKV("ns", "key"))
	s.ask("admin", "list-nothing", listKV("ns"))
	s.ask("admin", "delete-nothing", deleteKV("ns", "key"))
	s.ask("admin", "list-after-delete-nothing", listKV("ns"))
	s.ask("admin", "put", putKV("ns", "key", "value"))
	s.ask("admin", "get", getKV("ns", "key"))
	s.ask("admin", "get-other-key", getKV("ns", "other"))
	s.ask("admin", "get-other-namespace", getKV("other", "key"))
	s.ask("admin", "put-again", putKV("ns", "key", "value two"))
	s.ask("admin", "get-again", getKV("ns", "key"))
	s.ask("admin", "put-second", putKV("ns", "k2", `a/b "quoted" \ 日本 é`))
	s.ask("admin", "get-second", getKV("ns", "k2"))
	s.ask("admin", "put-control", putKV("ns", "k3", "line\nline\ttab\u2028"))
	s.ask("admin", "get-control", getKV("ns", "k3"))
	s.ask("admin", "put-empty", putKV("ns", "k4", ""))
	s.ask("admin", "get-empty", getKV("ns", "k4"))
	s.ask("admin", "list", listKV("ns"))
	s.ask("admin", "list-old-client", listKV("ns").version(0))
	s.ask("admin", "put-empty-names", putKV("", "", "v"))
	s.ask("admin", "get-empty-names", getKV("", ""))
	s.ask("admin", "delete", deleteKV("ns", "key"))
	s.ask("admin", "get-deleted", getKV("ns", "key"))
	s.ask("admin", "delete-second", deleteKV("ns", "k2"))
	s.ask("admin", "delete-third", deleteKV("ns", "k3"))
	s.ask("admin", "delete-fourth", deleteKV("ns", "k4"))
	s.ask("admin", "list-emptied", listKV("ns"))
	s.ask("admin", "get-from-emptied", getKV("ns", "key"))
}

func keyValuesMissing(s *Script) {
	s.ask("admin", "put-without-namespace", putKV("ns", "key", "v").without("namespace"))
	s.ask("admin", "put-without-key", putKV("ns", "key", "v").without("key"))
	s.ask("admin", "put-without-fields", call(remoting.PutKVConfig))
	s.ask("admin", "put-without-value", putKV("ns", "novalue", "v").without("value"))
	s.ask("admin", "get-without-value", getKV("ns", "novalue"))
	s.ask("admin", "list-without-value", listKV("ns"))
	s.ask("admin", "put-binary-empty-value", putKV("ns", "empty", "").binary())
	s.ask("admin", "get-binary-empty-value", getKV("ns", "empty"))
	s.ask("admin", "get-without-namespace", getKV("ns", "key").without("namespace"))
	s.ask("admin", "get-without-key", getKV("ns", "key").without("key"))
	s.ask("admin", "get-without-fields", call(remoting.GetKVConfig))
	s.ask("admin", "list-without-namespace", call(remoting.GetKVListByNamespace))
	s.ask("admin", "list-unknown-field", call(remoting.GetKVListByNamespace, "name", "ns"))
	s.ask("admin", "delete-without-namespace", deleteKV("ns", "key").without("namespace"))
	s.ask("admin", "delete-without-key", deleteKV("ns", "key").without("key"))
	s.ask("admin", "delete-without-fields", call(remoting.DeleteKVConfig))
}

func orderConf(s *Script) {
	const ns = "ORDER_TOPIC_CONFIG"
	b := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("broker", "register-before", s.register(b))
	s.ask("admin", "put", putKV(ns, "orders", "broker-a:4;broker-b:4"))
	s.ask("broker", "register-master", s.register(b))
	s.ask("slave", "register-slave", s.register(broker("broker-a", "10.0.0.2:10911", 1)))
	s.ask("client", "route-ordered", route("orders"))
	s.ask("client", "route-not-ordered", route("payments"))
	s.ask("admin", "delete", deleteKV(ns, "orders"))
	s.ask("broker", "register-after-delete", s.register(b))
	s.ask("client", "route-after-delete", route("orders"))
}
