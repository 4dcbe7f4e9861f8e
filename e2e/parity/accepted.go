package parity

import (
	"slices"
	"strconv"
	"strings"
)

// Accepted is one way in which this NameServer is knowingly not like Java's.
type Accepted struct {
	Name  string
	Where string // which Java: "4.x", "5.x" or "all"
	Java  string // what Java does
	Here  string // what is done here
	Why   string
}

// The differences that a rule looks for in every run.
var (
	refusedLeftover = &Accepted{
		Name: "refused-leftover", Where: "5.x",
		Java: "a broker that is refused because it is not known and sends one topic only stays in the cluster lists without an address",
		Here: "it leaves nothing behind",
		Why:  "clients and tools get a broker without addresses until something unregisters it",
	}
	unitByAnyRow = &Accepted{
		Name: "unit-by-first-row", Where: "all",
		Java: "the unit lists (311, 312, 313) judge a topic by the first of its brokers in the order of a hash table",
		Here: "by the first broker by name",
		Why:  "Java's choice is unspecified; it shows only while brokers disagree about a topic's unit flags",
	}
	systemListAddress = &Accepted{
		Name: "system-list-address", Where: "all",
		Java: "the system topic list (304) carries the address of some broker, in the order of a hash table",
		Here: "that of the first broker by name",
		Why:  "unspecified; any one serves",
	}
	versionOfReplaced = &Accepted{
		Name: "version-of-replaced", Where: "all",
		Java: "a broker whose id another address took over is still told its DataVersion (322) until its connection times out",
		Here: "it is told that it is not registered, and so registers again",
		Why:  "it is in no route; being told that nothing changed keeps it out",
	}
	staleMapping = &Accepted{
		Name: "stale-mapping", Where: "5.x",
		Java: "the queue mappings of static topics are never removed: a route shows those of brokers that are gone, or have the topic no more, " +
			"or whose deleteTopicWithBrokerRegistration names no static topic any more",
		Here: "they go with the broker's topic",
		Why:  "a mapping to a broker that is not in the route leads nowhere",
	}
	newMembers = &Accepted{
		Name: "members-of-5.x", Where: "4.x",
		Java: "brokers have no enableActingMaster and zoneName, and DataVersions no stateVersion",
		Here: "answers have the members of 5.x for every client",
		Why:  "4.x clients ignore members that they do not know",
	}
	helpAddress = &Accepted{
		Name: "help-address", Where: "4.x",
		Java: "the remark to an unknown topic (17) points to the documentation of 4.x",
		Here: "to that of 5.x",
		Why:  "the old page is gone",
	}
)

// List is every accepted difference that sequences of requests can show.
// COMPAT.md quotes it.
var List = []*Accepted{
	refusedLeftover, unitByAnyRow, systemListAddress, versionOfReplaced, staleMapping, newMembers, helpAddress,
}

// acceptedBy returns the rule that accepts the difference, nil if none does.
func (r *Run) acceptedBy(s Step, d Difference) *Accepted {
	about, path, _ := strings.Cut(d.Fact, ": ")
	switch {
	case r.pair.Old && d.Java == "" && (lastMember(path, "enableActingMaster") || lastMember(path, "zoneName") || lastMember(path, "stateVersion")):
		return newMembers
	case r.pair.Old && path == "remark" && firstLine(d.Java) == firstLine(d.Here):
		return helpAddress
	case (about == "311" || about == "312" || about == "313") && r.mixedFlags(topicIn(path)):
		return unitByAnyRow
	case about == "answer" && r.asksReplaced(s):
		return versionOfReplaced
	case d.Here == "" && (path == mappingMember || r.isStaleMapping(about, path)):
		return staleMapping
	}
	return nil
}

func lastMember(path, name string) bool { return path == name || strings.HasSuffix(path, "."+name) }

// firstLine is what stands before the first line break of a quoted text.
func firstLine(quoted string) string {
	line, _, _ := strings.Cut(quoted, `\n`)
	return line
}

// topicIn is the topic that a list names, "" if the path is another.
func topicIn(path string) string {
	name, ok := strings.CutPrefix(path, "body.topicList[")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, "]")
}

// mixedFlags says whether Java's route of the topic has brokers of different
// flags.
func (r *Run) mixedFlags(topic string) bool {
	if strings.HasPrefix(topic, memberTopic) {
		topic = "t" + strconv.Itoa(Topics-1)
	}
	flag, mixed := "", false
	for fact, value := range r.java {
		if strings.HasPrefix(fact, "105 "+topic+": body.queueDatas[") && strings.HasSuffix(fact, "].topicSysFlag") {
			mixed = mixed || flag != "" && flag != value
			flag = value
		}
	}
	return mixed
}

// asksReplaced says whether the step asks for the DataVersion of an address
// that Java itself does not list.
func (r *Run) asksReplaced(s Step) bool {
	q, ok := s.(QueryVersion)
	if !ok {
		return false
	}
	addr := `"` + r.names.short(r.names.addr(q.Broker, q.Addr)) + `"`
	for fact, value := range r.java {
		if strings.HasPrefix(fact, "106: body.brokerAddrTable.") && value == addr {
			return false
		}
	}
	return true
}

// mappingMember begins the paths of static topics' mappings in a route.
const mappingMember = "body.topicQueueMappingByBroker"

// mappedBroker is the broker that a path tells the mapping of, "" if the path
// is another.
func mappedBroker(path string) string {
	rest, ok := strings.CutPrefix(path, mappingMember+".")
	if !ok {
		return ""
	}
	broker, _, _ := strings.Cut(rest, ".")
	return broker
}

// isStaleMapping says whether a mapping that only Java shows is of a broker
// that is not in the same answer here, or has been out of the topic's route
// since it was shown here.
func (r *Run) isStaleMapping(about, path string) bool {
	broker := mappedBroker(path)
	topic, _, _ := strings.Cut(about, " in ")
	return broker != "" && (!r.here.route(about, broker) || r.stale[topic+" "+broker])
}

// route says whether the route has the broker.
func (f Facts) route(about, broker string) bool {
	return f[about+": body.queueDatas["+broker+"].brokerName"] != ""
}

// noteMappings notes whose mappings Java may still show: those that were
// shown here and were dropped together with the broker's row, or by a
// registration that deletes what it does not name, until they are shown here
// again.
func (r *Run) noteMappings(s Step, before Facts) {
	for fact := range before {
		about, path, _ := strings.Cut(fact, ": ")
		broker := mappedBroker(path)
		if broker != "" && r.here[fact] == "" && (!r.here.route(about, broker) || r.deletesMappings(s, broker)) {
			r.stale[about+" "+broker] = true
		}
	}
	for fact := range r.here {
		about, path, _ := strings.Cut(fact, ": ")
		if broker := mappedBroker(path); broker != "" {
			delete(r.stale, about+" "+broker)
		}
	}
}

// deletesMappings says whether the step is a registration of that broker which
// names no mapping, so that the others are deleted.
func (r *Run) deletesMappings(s Step, broker string) bool {
	reg, ok := s.(Register)
	return ok && r.pair.Deletes && r.names.short(r.names.broker(reg.Broker)) == broker &&
		!slices.ContainsFunc(reg.Topics, func(t Topic) bool { return t.Epoch != 0 })
}
