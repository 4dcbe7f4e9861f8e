package scenario

import "signpost/internal/remoting"

var topicScenarios = []Scenario{
	{Name: "delete-topic", About: "Topics are deleted everywhere, or for one cluster; and come back or not.", script: deleteTopic},
	{Name: "delete-topic-cluster", About: "Deleting a topic for one of its clusters.", script: deleteTopicOfCluster},
	{Name: "write-permission", About: "Wiping and adding write permission: counts, effects, and what undoes them.", script: writePermission},
	{Name: "write-permission-brokers", About: "Wiping concerns the named broker only, slaves change nothing.", script: writePermissionOfOne},
}

func remove(topic string, fields ...string) request {
	return call(remoting.DeleteTopicInNameServer, append([]string{"topic", topic}, fields...)...)
}

func deleteTopic(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register-a", s.register(a))
	s.ask("b", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	s.ask("admin", "delete", remove("orders"))
	s.ask("client", "route-deleted", route("orders"))
	s.ask("admin", "topics", allTopics())
	s.ask("a", "register-a-unchanged", s.register(a))
	s.ask("client", "route-after-unchanged", route("orders"))
	s.ask("a", "register-a-changed", s.register(a.changed(rw("orders", 3), rw("payments", 3))))
	s.ask("client", "route-after-changed", route("orders"))
	s.ask("admin", "delete-again", remove("orders"))
	s.ask("admin", "delete-unknown", remove("nowhere"))
	s.ask("admin", "delete-empty-cluster-name", remove("payments", "clusterName", ""))
	s.ask("client", "route-empty-cluster-name", route("payments"))
	s.ask("admin", "delete-no-fields", call(remoting.DeleteTopicInNameServer))
	s.ask("admin", "delete-cluster-only", call(remoting.DeleteTopicInNameServer, "clusterName", "c1"))
	s.ask("admin", "topics-at-the-end", allTopics())
}

func deleteTopicOfCluster(s *Script) {
	s.ask("a", "register-a", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	s.ask("b", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0).inCluster("c2")))
	s.ask("admin", "delete-of-unknown-cluster", remove("orders", "clusterName", "c3"))
	s.ask("client", "route-unknown-cluster", route("orders"))
	s.ask("admin", "delete-of-c2", remove("orders", "clusterName", "c2"))
	s.ask("client", "route-without-c2", route("orders"))
	s.ask("admin", "topics-c2", clusterTopics("c2"))
	s.ask("admin", "delete-of-c1", remove("orders", "clusterName", "c1"))
	s.ask("client", "route-without-c1", route("orders"))
	s.ask("admin", "topics", allTopics())
}

// addWrite is code 327, unknown to 4.8.0.
func (s *Script) addWrite(name string, r request) {
	if s.is480() {
		s.silent("admin", name, r)
	} else {
		s.ask("admin", name, r)
	}
}

func add(broker string) request { return call(remoting.AddWritePermOfBroker, "brokerName", broker) }

func writePermission(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0).having(
		rw("orders", 4), topic{"read-only", 4, 4, 4, 0}, topic{"write-only", 4, 4, 2, 0}, topic{"inherit", 4, 4, 7, 0}, topic{"none", 4, 4, 0, 0})
	look := func(prefix string) {
		for _, t := range a.topics {
			s.ask("client", prefix+"-"+t.name, route(t.name))
		}
	}
	s.ask("broker", "register", s.register(a))
	s.ask("admin", "wipe-unknown", wipe("broker-x"))
	s.ask("admin", "wipe-missing", call(remoting.WipeWritePermOfBroker))
	s.addWrite("add-unknown", add("broker-x"))
	s.addWrite("add-missing", call(remoting.AddWritePermOfBroker))
	s.ask("admin", "wipe", wipe("broker-a"))
	look("wiped")
	s.ask("admin", "wipe-again", wipe("broker-a"))
	s.ask("broker", "register-unchanged", s.register(a))
	look("unchanged")
	s.addWrite("add", add("broker-a"))
	look("added")
	s.addWrite("add-again", add("broker-a"))
	s.ask("admin", "wipe-after-add", wipe("broker-a"))
	look("wiped-after-add")
	s.ask("broker", "register-changed", s.register(a.changed(a.topics...)))
	look("changed")
}

func writePermissionOfOne(s *Script) {
	a := broker("broker-a", "10.0.0.1:10911", 0)
	s.ask("a", "register-a", s.register(a))
	s.ask("b", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0)))
	s.ask("admin", "wipe-a", wipe("broker-a"))
	s.ask("client", "route-a-wiped", route("orders"))
	s.ask("slave", "slave-of-a", s.register(broker("broker-a", "10.0.0.3:10911", 1)))
	s.ask("client", "route-after-slave", route("orders"))
	s.ask("a", "new-topic-same-version", s.register(a.having(rw("orders", 4), rw("refunds", 4))))
	s.ask("client", "route-new-topic", route("refunds"))
	s.ask("client", "route-orders-after-new-topic", route("orders"))
	s.close("a")
	s.close("slave")
	s.await("client", "route-a-gone", route("orders"), lacks("broker-a"))
	s.ask("a", "register-a-again", s.register(a))
	s.ask("client", "route-a-back", route("orders"))
	s.ask("admin", "wipe-binary", wipe("broker-b").binary())
	s.ask("client", "route-b-wiped", route("orders"))
}
