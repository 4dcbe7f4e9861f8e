package scenario

import (
	"fmt"

	"signpost/internal/remoting"
)

var routeScenarios = []Scenario{
	{Name: "route-forms", About: "The two JSON forms of a route, by the asker's version and acceptStandardJsonOnly.", script: routeForms},
	{Name: "route-names", About: "Topics of all kinds of names.", script: routeNames},
	{Name: "route-not-ready", About: "needWaitForService=true: only routes are refused while waiting.", Versions: []string{v533}, Traces: true,
		Props: []string{"needWaitForService=true", "waitSecondsForService=600"}, script: notReady},
	{Name: "broker-names", About: "Broker and cluster names that JSON escapes.", script: brokerNames},
}

func routeForms(s *Script) {
	s.ask("a", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("slave", "slave", s.register(broker("broker-a", "10.0.0.2:10911", 1)))
	s.ask("slave-2", "slave-of-large-id", s.register(broker("broker-a", "10.0.0.3:10911", 1)).with("brokerId", "9007199254740993"))
	for _, v := range []int32{-1, 0, 37, 373, 393, 399, 400, 401, 402, 407, 412, 413, 479, 612, 613, 32767} {
		s.ask("client", fmt.Sprintf("version-%d", v), route("orders").version(v))
	}
	for _, v := range []string{"true", "TRUE", "false", "yes", ""} {
		s.ask("client", "standard-"+v, route("orders").version(373).with("acceptStandardJsonOnly", v))
	}
	s.ask("client", "standard-false-407", route("orders").version(407).with("acceptStandardJsonOnly", "false"))
	s.ask("client", "language-go", route("orders").version(0).language("GO"))
	s.ask("client", "language-cpp", route("orders").version(373).language("CPP"))
	s.ask("client", "binary-373", route("orders").version(373).binary())
	s.ask("client", "binary-407", route("orders").version(407).binary())
}

func routeNames(s *Script) {
	names := []string{"a/b", "é", "日本語", `quote"backslash\`, "tab\tline\n", "😀", " spaces ", "%DLQ%group", "<&>'", "\u2028", "\x7f"}
	b := broker("broker-a", "10.0.0.1:10911", 0).having(rw("plain", 1))
	for i, n := range names {
		b.topics = append(b.topics, rw(n, i+1))
	}
	s.ask("broker", "register", s.register(b))
	for i, n := range names {
		s.ask("client", fmt.Sprintf("route-%d", i), route(n))
	}
	for i, n := range names {
		s.ask("client", fmt.Sprintf("unknown-%d", i), route("no "+n))
	}
	s.ask("client", "empty", route(""))
	s.ask("client", "missing", call(remoting.GetRouteInfoByTopic))
	s.ask("client", "case", route("PLAIN"))
	s.ask("client", "further-fields", route("plain").with("ns", "x").with("nsd", "true").with("bname", "broker-a").with("oway", "false").with("lo", "true"))
	s.ask("admin", "topics", allTopics())
	s.ask("client", "default-topic", route("TBW102"))
}

func notReady(s *Script) {
	s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("client", "route", route("orders"))
	s.ask("client", "route-unknown", route("nowhere"))
	s.ask("client", "route-binary", route("orders").binary())
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.ask("admin", "switch-off", call(remoting.UpdateNameServerConfig).body("needWaitForService=false"))
	s.ask("client", "route-at-last", route("orders"))
	s.ask("admin", "switch-on", call(remoting.UpdateNameServerConfig).body("needWaitForService=true"))
	s.ask("client", "route-refused", route("orders"))
}

func brokerNames(s *Script) {
	b := broker(`bröker/"a"`, "10.0.0.1:10911", 0).inCluster("clüster/1")
	b.filters = []string{"10.0.0.1:30001/é"}
	s.ask("broker", "register", s.register(b))
	s.ask("client", "route", route("orders"))
	s.ask("client", "route-old-client", route("orders").version(0))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "cluster-topics", clusterTopics("clüster/1"))
	s.ask("admin", "system-topics", systemTopics())
	s.ask("slave", "ipv6-slave", s.register(registration{
		cluster: "clüster/1", name: `bröker/"a"`, addr: "[2001:db8::1]:10911", ha: "[2001:db8::1]:10912", id: 1, filters: []string{},
	}))
	s.ask("client", "route-ipv6", route("orders"))
}
