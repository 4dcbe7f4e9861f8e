package scenario

import "signpost/internal/remoting"

var leaveScenarios = []Scenario{
	{Name: "unregister", About: "Brokers leave: with them go their topics; the unknown leave too.", script: unregister},
	{Name: "unregister-mismatch", About: "Unregistering with another id, address or cluster than registered.", script: unregisterMismatch},
	{Name: "unregister-missing-fields", About: "Unregistering with fields missing.", Traces: true, script: unregisterMissing},
	{Name: "close", About: "A closed connection takes its broker along.", script: closeConnection},
	{Name: "close-after-reconnect", About: "A broker that registered over a new connection outlives the old one.", script: closeAfterReconnect},
	{Name: "close-two-brokers", About: "One connection of two brokers closes.", Traces: true, script: closeTwoBrokers},
	{Name: "close-others", About: "Connections that only asked, or unregistered before, take nothing along.", script: closeOthers},
}

func unregister(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	b := broker("broker-b", "10.0.0.2:10911", 0).having(rw("orders", 2), rw("refunds", 2))
	a.filters = []string{"10.0.0.1:30001"}
	s.ask("a", "register-a", s.register(a))
	s.ask("b", "register-b", s.register(b))
	s.ask("a", "unregister-a", a.unregister())
	s.await("client", "route-orders", route("orders"), lacks("broker-a"))
	s.await("client", "route-payments", route("payments"), code(remoting.TopicNotExist))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.ask("a", "unregister-a-again", a.unregister())
	s.ask("a", "unregister-unknown", broker("broker-x", "10.0.0.9:10911", 0).unregister())
	s.ask("a", "register-a-again", s.register(a.changed(rw("orders", 1), rw("payments", 1))))
	s.ask("client", "route-orders-again", route("orders"))
	s.ask("a", "unregister-a-last", a.unregister())
	s.ask("b", "unregister-b", b.unregister())
	s.await("admin", "clusters-empty", clusters(), lacks("c1"))
	s.await("admin", "topics-empty", allTopics(), lacks("orders"))
	s.ask("admin", "system-topics-empty", systemTopics())
}

func unregisterMismatch(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	sl := broker("broker-a", "10.0.0.2:10911", 1)
	s.ask("a", "register", s.register(a))
	s.ask("slave", "register-slave", s.register(sl))
	other := a
	other.addr = "10.0.0.7:10911"
	s.ask("x", "master-id-of-other-address", other.unregister())
	s.settle("client", "route-after-other-address", route("orders"))
	s.ask("a", "register-2", s.register(a))
	id := a
	id.id = 5
	s.ask("x", "own-address-of-other-id", id.unregister())
	s.settle("client", "route-after-other-id", route("orders"))
	s.ask("a", "register-3", s.register(a))
	s.ask("x", "other-cluster", a.inCluster("c2").unregister())
	s.settle("client", "route-after-other-cluster", route("orders"))
	s.settle("admin", "clusters-after-other-cluster", clusters())
	s.ask("a", "register-4", s.register(a))
	name := a
	name.name = "broker-b"
	s.ask("x", "other-name", name.unregister())
	s.settle("client", "route-after-other-name", route("orders"))
}

func unregisterMissing(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register", s.register(a))
	s.ask("x", "no-fields", call(remoting.UnregisterBroker))
	s.ask("x", "no-name", a.unregister().without("brokerName"))
	s.settle("client", "route-no-name", route("orders"))
	s.ask("a", "register-2", s.register(a))
	s.ask("x", "no-address", a.unregister().without("brokerAddr"))
	s.settle("client", "route-no-address", route("orders"))
	s.ask("a", "register-3", s.register(a))
	s.ask("x", "no-id", a.unregister().without("brokerId"))
	s.settle("client", "route-no-id", route("orders"))
	s.ask("a", "register-4", s.register(a))
	s.ask("x", "id-no-number", a.unregister().with("brokerId", "zero"))
	s.settle("client", "route-id-no-number", route("orders"))
	s.ask("a", "register-5", s.register(a))
	s.ask("x", "no-cluster", a.unregister().without("clusterName"))
	s.settle("client", "route-no-cluster", route("orders"))
}

func closeConnection(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	a.filters = []string{"10.0.0.1:30001"}
	s.ask("a", "register-a", s.register(a))
	s.ask("b", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0).having(rw("orders", 2), rw("refunds", 2))))
	s.ask("slave", "register-slave", s.register(broker("broker-a", "10.0.0.3:10911", 1)))
	s.close("a")
	s.await("client", "route-master-gone", route("orders"), lacks("10.0.0.1:10911"))
	s.close("slave")
	s.await("client", "route-a-gone", route("orders"), lacks("broker-a"))
	s.await("client", "route-payments-gone", route("payments"), code(remoting.TopicNotExist))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.cut("b", "broken-frame", append([]byte{0xFF, 0xFF, 0xFF, 0xFF}, padding...))
	s.await("client", "route-b-gone", route("orders"), code(remoting.TopicNotExist))
	s.await("admin", "clusters-empty", clusters(), lacks("c1"))
}

func closeAfterReconnect(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("old", "register-over-old", s.register(a))
	s.ask("new", "register-over-new", s.register(a))
	s.close("old")
	s.settle("client", "route-after-old-closed", route("orders"))
	s.close("new")
	s.await("client", "route-after-new-closed", route("orders"), code(remoting.TopicNotExist))
}

func closeTwoBrokers(s *Script) {
	s.ask("both", "register-a", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("both", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	s.ask("other", "register-c", s.register(broker("broker-c", "10.0.0.3:10911", 0)))
	s.close("both")
	s.await("client", "route-changed", route("orders"), func(cmd *remoting.Command) bool {
		return lacks("broker-a")(cmd) || lacks("broker-b")(cmd)
	})
	s.settle("client", "route-settled", route("orders"))
	s.settle("admin", "clusters-settled", clusters())
}

func closeOthers(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register", s.register(a))
	s.ask("asker", "ask", route("orders"))
	s.close("asker")
	s.ask("left", "register-from-left", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	s.ask("left", "unregister-from-left", broker("broker-b", "10.0.0.2:10911", 0).unregister())
	s.await("client", "route-left", route("orders"), lacks("broker-b"))
	s.ask("back", "register-from-elsewhere", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	s.close("left")
	s.ask("x", "query-version", s.queryVersion(a))
	s.close("x")
	s.settle("client", "route", route("orders"))
}
