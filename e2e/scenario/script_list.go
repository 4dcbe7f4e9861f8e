package scenario

import "signpost/internal/remoting"

var listScenarios = []Scenario{
	{Name: "lists-empty", About: "Every list of a server that knows nothing.", script: emptyLists},
	{Name: "lists-units", About: "Unit topics: which flags put a topic into which list.", script: units},
	{Name: "lists-units-brokers", About: "Unit flags that differ between the brokers of a topic: one broker's decide.", script: unitsOfBrokers},
	{Name: "lists-disabled", About: "enableTopicList=false and enableAllTopicList=false.", Versions: []string{v533},
		Props: []string{"enableTopicList=false", "enableAllTopicList=false"}, script: disabledLists},
}

func lists(s *Script, prefix string) {
	s.ask("admin", prefix+"topics", allTopics())
	s.ask("admin", prefix+"cluster-topics", clusterTopics("c1"))
	s.ask("admin", prefix+"system-topics", systemTopics())
	s.ask("admin", prefix+"unit", call(remoting.GetUnitTopicList))
	s.ask("admin", prefix+"unit-sub", call(remoting.GetHasUnitSubTopicList))
	s.ask("admin", prefix+"unit-sub-ununit", call(remoting.GetHasUnitSubUnunitTopicList))
}

func emptyLists(s *Script) {
	s.ask("admin", "clusters", clusters())
	lists(s, "")
	s.ask("admin", "clusters-with-fields-and-body", call(remoting.GetBrokerClusterInfo, "a", "b").body("body"))
	s.ask("admin", "topics-binary", allTopics().binary())
}

func units(s *Script) {
	b := broker("broker-a", "10.0.0.1:10911", 0).having(
		topic{"none", 1, 1, 6, 0}, topic{"unit", 1, 1, 6, 1}, topic{"sub", 1, 1, 6, 2}, topic{"unit-sub", 1, 1, 6, 3},
		topic{"other", 1, 1, 6, 4}, topic{"other-unit", 1, 1, 6, 5}, topic{"all", 1, 1, 6, -1})
	s.ask("broker", "register", s.register(b))
	lists(s, "")
	s.ask("client", "route-unit-sub", route("unit-sub"))
	s.ask("broker", "changed", s.register(b.changed(topic{"none", 1, 1, 6, 1}, topic{"unit", 1, 1, 6, 0})))
	lists(s, "changed-")
}

func unitsOfBrokers(s *Script) {
	s.ask("a", "register-a", s.register(broker("broker-a", "10.0.0.1:10911", 0).having(topic{"first", 1, 1, 6, 1}, topic{"second", 1, 1, 6, 0})))
	s.ask("b", "register-b", s.register(broker("broker-b", "10.0.0.2:10911", 0).having(topic{"first", 1, 1, 6, 2}, topic{"second", 1, 1, 6, 3})))
	lists(s, "")
}

func disabledLists(s *Script) {
	s.ask("broker", "register", s.register(broker("broker-a", "10.0.0.1:10911", 0)))
	lists(s, "")
	s.ask("admin", "clusters", clusters())
	s.ask("client", "route", route("orders"))
}
