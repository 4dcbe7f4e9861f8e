package scenario

import "signpost/internal/remoting"

var replicaScenarios = []Scenario{
	{Name: "slave", About: "A slave is told its master's addresses; it brings no topics.", script: slave},
	{Name: "slave-first", About: "A slave that registers before its master.", script: slaveFirst},
	{Name: "switch-role", About: "Slave becomes master and master slave: an address has one id at a time.", script: switchRole},
	{Name: "master-replaced", About: "Another address takes the id 0; the old master leaves late.", script: masterReplaced},
	{Name: "stale-state-version", About: "An older stateVersion does not take a live broker's id (5.x).", script: staleStateVersion},
	{Name: "master-moves", About: "A master comes back at another port.", script: masterMoves},
}

func slave(s *Script) {
	m := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("master", "master", s.register(m))
	sl := broker("broker-a", "10.0.0.2:10911", 1).having(rw("orders", 1), rw("slave-only", 1))
	s.ask("slave", "slave", s.register(sl))
	s.ask("slave-2", "second-slave", s.register(broker("broker-a", "10.0.0.3:10911", 2)))
	s.ask("client", "route", route("orders"))
	s.ask("client", "route-slave-only", route("slave-only"))
	s.ask("slave", "slave-again", s.register(sl))
	m.ha = "10.0.0.1:20912"
	s.ask("master", "master-with-other-ha", s.register(m))
	s.ask("slave", "slave-told-other-ha", s.register(sl))
	s.ask("slave", "slave-of-other-cluster-name", s.register(sl.inCluster("c2")))
	s.ask("slave-2", "second-slave-leaves", broker("broker-a", "10.0.0.3:10911", 2).unregister())
	s.await("client", "route-without-second", route("orders"), lacks("10.0.0.3:10911"))
	s.ask("master", "master-leaves", m.unregister())
	s.await("client", "route-without-master", route("orders"), lacks("10.0.0.1:10911"))
	s.ask("slave", "slave-alone", s.register(sl))
}

func slaveFirst(s *Script) {
	sl := broker("broker-a", "10.0.0.2:10911", 1)
	s.ask("slave", "slave", s.register(sl))
	s.ask("client", "route-slave-alone", route("orders"))
	s.ask("admin", "clusters", clusters())
	s.ask("admin", "topics", allTopics())
	s.ask("admin", "system-topics", systemTopics())
	s.ask("master", "master", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("client", "route", route("orders"))
	s.ask("slave", "slave-again", s.register(sl))
	s.close("master")
	s.await("client", "master-gone", route("orders"), lacks("10.0.0.1:10911"))
	s.ask("slave", "slave-without-master", s.register(sl))
}

func switchRole(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	b := broker("broker-a", "10.0.0.2:10911", 1)
	s.ask("one", "one-is-master", s.register(a))
	s.ask("two", "two-is-slave", s.register(b))
	a2, b2 := a, b.changed(rw("orders", 6), rw("payments", 6))
	a2.id, b2.id = 1, 0
	s.ask("two", "two-is-master", s.register(b2))
	s.ask("client", "route-two-is-master", route("orders"))
	s.ask("one", "one-is-slave", s.register(a2))
	s.ask("client", "route-switched", route("orders"))
	s.ask("admin", "clusters-switched", clusters())
	a3 := a
	a3.id = 3
	s.ask("one", "one-is-third", s.register(a3))
	s.ask("client", "route-third", route("orders"))
	s.ask("one", "one-leaves-by-old-id", a2.unregister())
	s.await("client", "route-after-leaving", route("orders"), has("10.0.0.2:10911"))
}

func masterReplaced(s *Script) {
	old := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("old", "old-master", s.register(old))
	next := broker("broker-a", "10.0.0.2:10911", 0)
	next.topics = []topic{rw("orders", 2), rw("payments", 2)}
	s.ask("new", "new-master", s.register(next))
	s.ask("client", "route-new", route("orders"))
	s.ask("new", "other-broker", s.register(broker("broker-b", "10.0.0.3:10911", 0).having(rw("marker", 1), rw("marker-2", 1))))
	s.ask("old", "old-master-leaves", old.unregister())
	// What leaves later is done later: once it shows, the first has been done.
	s.ask("new", "other-leaves", broker("broker-b", "10.0.0.3:10911", 0).unregister())
	s.await("client", "other-gone", route("marker"), code(remoting.TopicNotExist))
	s.settle("client", "route-after-old-left", route("orders"))
	s.settle("admin", "clusters-after-old-left", clusters())
}

func staleStateVersion(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	a.state = 5
	s.ask("one", "state-5", s.register(a))
	b := broker("broker-a", "10.0.0.2:10911", 0).having(rw("orders", 7), rw("refunds", 7))
	b.state = 4
	s.ask("two", "state-4", s.register(b))
	s.ask("client", "route-after-state-4", route("orders"))
	s.ask("client", "route-refunds", route("refunds"))
	s.ask("two", "version-after-state-4", s.queryVersion(b))
	b.state = 5
	s.ask("two", "state-5-too", s.register(b))
	s.ask("client", "route-after-state-5", route("orders"))
	a.state = 6
	s.ask("one", "state-6", s.register(a))
	s.ask("client", "route-after-state-6", route("orders"))
	a.state = 1
	s.ask("one", "same-address-state-1", s.register(a))
	s.ask("client", "route-after-state-1", route("orders"))
}

func masterMoves(s *Script) {
	s.ask("one", "at-10911", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("one", "at-20911", s.register(broker("broker-a", "10.0.0.1:20911", 0)))
	s.ask("client", "route", route("orders"))
	s.close("one")
	s.settle("client", "route-after-close", route("orders"))
}
