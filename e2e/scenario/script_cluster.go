package scenario

import "signpost/internal/remoting"

var clusterScenarios = []Scenario{
	{Name: "clusters", About: "Two clusters with a broker each, and topics in one or both.", script: twoClusters},
	{Name: "cluster-same-name", About: "One broker name in two clusters, at two addresses.", Traces: true, script: sameNameTwoClusters},
	{Name: "cluster-same-addr", About: "A broker of the same name and address says another cluster.", Traces: true, script: sameAddrTwoClusters},
	{Name: "brokers", About: "Several brokers with the same topics: routes and lists with more than one element.", script: severalBrokers},
}

func twoClusters(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	b := broker("broker-b", "10.0.0.2:10911", 0).inCluster("c2").having(rw("orders", 2), rw("refunds", 2))
	s.ask("a", "register-a", s.register(a))
	s.ask("b", "register-b", s.register(b))
	s.ask("client", "route-of-both", route("orders"))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics-c1", clusterTopics("c1"))
	s.ask("admin", "topics-c2", clusterTopics("c2"))
	s.ask("admin", "topics-c3", clusterTopics("c3"))
	s.ask("admin", "topics-no-cluster", call(remoting.GetTopicsByCluster))
	s.ask("admin", "system-topics", systemTopics())
	s.ask("b", "unregister-b-by-wrong-cluster", b.inCluster("c1").unregister())
	s.settle("admin", "clusters-wrong-cluster", clusters())
	s.settle("client", "route-wrong-cluster", route("refunds"))
}

func sameNameTwoClusters(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	b := broker("broker-a", "10.0.0.2:10911", 1).inCluster("c2")
	s.ask("a", "register-in-c1", s.register(a))
	s.ask("b", "register-slave-in-c2", s.register(b))
	s.ask("admin", "clusters", clusters())
	s.ask("client", "route", route("orders"))
	s.ask("admin", "topics-c1", clusterTopics("c1"))
	s.ask("admin", "topics-c2", clusterTopics("c2"))
	b.id = 0
	s.ask("b", "register-master-in-c2", s.register(b))
	s.ask("client", "route-two-masters", route("orders"))
	s.ask("admin", "clusters-two-masters", clusters())
	s.ask("b", "unregister-in-c2", b.unregister())
	s.settle("admin", "clusters-after-unregister", clusters())
	s.settle("client", "route-after-unregister", route("orders"))
}

func sameAddrTwoClusters(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register-in-c1", s.register(a))
	s.ask("a", "register-in-c2", s.register(a.inCluster("c2")))
	s.ask("admin", "clusters", clusters())
	s.ask("client", "route", route("orders"))
	s.ask("admin", "topics-c2", clusterTopics("c2"))
	s.ask("a", "unregister-in-c2", a.inCluster("c2").unregister())
	s.settle("admin", "clusters-after-unregister", clusters())
	s.settle("client", "route-after-unregister", route("orders"))
}

func severalBrokers(s *Script) {
	for _, b := range []registration{
		broker("broker-a", "10.0.0.1:10911", 0), broker("broker-b", "10.0.0.2:10911", 0).having(rw("orders", 2), rw("refunds", 2)),
		broker("broker-c", "10.0.0.3:10911", 0), broker("broker-a", "10.0.0.4:10911", 1), broker("broker-b", "10.0.0.5:10911", 1),
		broker("broker-a", "10.0.0.6:10911", 2),
	} {
		s.ask(b.addr, "register-"+b.addr, s.register(b))
	}
	for _, name := range []string{"orders", "payments", "refunds"} {
		s.ask("client", "route-"+name, route(name))
		s.ask("client", "route-"+name+"-old-client", route(name).version(remoting.V4_8_0))
	}
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.ask("admin", "cluster-topics", clusterTopics("c1"))
	s.ask("admin", "system-topics", systemTopics())
	s.close("10.0.0.2:10911")
	s.await("client", "route-master-b-gone", route("orders"), lacks("10.0.0.2:10911"))
	s.close("10.0.0.5:10911")
	s.await("client", "route-b-gone", route("orders"), lacks("10.0.0.5:10911"))
	s.ask("client", "route-refunds-b-gone", route("refunds"))
}
