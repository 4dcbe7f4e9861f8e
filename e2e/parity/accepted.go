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

// The differences that a rule accepts wherever it meets them.
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

// The differences that random sequences keep away from, because the servers go
// different ways from there on. A short program shows each.
var (
	contentNotVersion = &Accepted{
		Name: "content-not-version", Where: "all",
		Java: "a registration of a broker's known DataVersion changes nothing of the topics that it has, whatever it says of them; " +
			"a broker that comes back to an id that another address had meanwhile leaves the other's topics in place",
		Here: "what a registration says counts",
		Why:  "versions and contents part in practice: tables change while they are sent, restored brokers count anew",
	}
	overrideOfGroup = &Accepted{
		Name: "permission-of-group", Where: "all",
		Java: "205 and 327 rewrite the permission of every topic that the broker has; a topic gets its own back when a changed registration " +
			"names it, and one that comes later has its own from the beginning",
		Here: "the permission is the broker group's, for all its topics, until its next changed registration that names all of them",
		Why: "what brokers say of themselves is kept, and one small item changes instead of all topics; a 5.x broker that creates a topic " +
			"sends that one alone, and is not to be written to again for it",
	}
	masterless = &Accepted{
		Name: "no-master-no-writes", Where: "5.x",
		Java: "where slaves stand in for a master, topics lose their write permission when the master leaves and when the first slave registers; " +
			"327, 217 and a master that becomes a slave behind another make them writable, and a returning master leaves those read-only that it does not name",
		Here: "a group whose slaves stand in for its master takes no writes; one with a master takes those that it said",
		Why:  "slaves refuse writes",
	}
	nameConflict = &Accepted{
		Name: "one-name-two-clusters", Where: "all",
		Java: "a brokerName in use in another cluster joins the other's group, and stays in both clusters' lists when it is gone",
		Here: "refused with code 1, and an event, while a broker at another address lives under that name; a broker at the same address moves",
		Why:  "the two would take each other's ids, and tools would list a broker that is not there for ever",
	}
	foreignDeparture = &Accepted{
		Name: "departure-from-another-cluster", Where: "all",
		Java: "104 with another cluster's name takes the broker out but leaves its name in its cluster",
		Here: "nothing happens",
		Why:  "a broker knows its cluster; half a departure helps nobody",
	}
	lowestCounts = &Accepted{
		Name: "lowest-counts", Where: "5.x",
		Java: "a group's zone and enableActingMaster are those of whoever registered last",
		Here: "those of its lowest id",
		Why:  "with Java they change with every registration while brokers disagree",
	}
	refusedSwitch = &Accepted{
		Name: "refused-in-full", Where: "5.x",
		Java: "a broker that is refused because it comes under a new id and sends one topic only has lost its old id",
		Here: "it keeps what it had",
		Why:  "a refusal changes nothing; the broker comes again with all its topics",
	}
	sharedConnection = &Accepted{
		Name: "all-of-a-connection", Where: "all",
		Java: "the end of a connection removes one of the brokers that registered through it; the others go when they time out",
		Here: "it removes all of them",
		Why:  "their connection is as gone as the one's",
	}
	oneTopicOfUnknown = &Accepted{
		Name: "one-topic-of-unknown", Where: "4.x",
		Java: "a broker that is not known may begin with one topic",
		Here: "refused with code 1, as by 5.x",
		Why:  "with Java its full table then looks unchanged and is not taken in; brokers have more than one topic and come again",
	}
	deletedReturns = &Accepted{
		Name: "deleted-returns", Where: "4.x",
		Java: "a topic that is deleted here (216) but not on its broker returns with the broker's next changed registration",
		Here: "with its next registration, as by 5.x",
		Why:  "the broker has it; the route says so sooner",
	}
	goneByID = &Accepted{
		Name: "departure-by-address", Where: "4.x",
		Java: "104 removes whoever has the brokerId",
		Here: "it removes the address, as 5.x does",
		Why:  "a replaced master's late goodbye must not take its successor",
	}
)

// List is every accepted difference that sequences of requests can show.
// COMPAT.md quotes it.
var List = []*Accepted{
	refusedLeftover, unitByAnyRow, systemListAddress, versionOfReplaced, staleMapping, newMembers, helpAddress,
	contentNotVersion, overrideOfGroup, masterless, nameConflict, foreignDeparture, lowestCounts, refusedSwitch, sharedConnection,
	oneTopicOfUnknown, deletedReturns, goneByID,
}

// versionOfGone is accepted of shims only, and no sequence without them shows it.
var versionOfGone = &Accepted{
	Name: "version-of-gone", Where: "all",
	Java: "a broker of which a topic was deleted since it registered is told its DataVersion (322)",
	Here: "a shim tells it that it is not registered, and so it registers again",
	Why:  "what it said before must not bring the topic back, so its own next word is needed",
}

// acceptedBy returns the rule that accepts the difference, nil if none does.
func (r *Run) acceptedBy(s Step, d Difference) *Accepted {
	about, path, _ := strings.Cut(d.Fact, ": ")
	switch {
	case r.pair.Old && d.Java == "" && (lastMember(path, "enableActingMaster") || lastMember(path, "zoneName") || lastMember(path, "stateVersion")):
		return newMembers
	case r.pair.Old && path == "remark" && firstLine(d.Java) == firstLine(d.Here):
		return helpAddress
	case about == "304" && path == "body.brokerAddr" && d.Java != "" && d.Here != "":
		return systemListAddress
	case (about == "311" || about == "312" || about == "313") && r.mixedFlags(topicIn(path)):
		return unitByAnyRow
	case about == "answer" && r.asksReplaced(s):
		return versionOfReplaced
	case about == "answer" && r.asksGone(s, path, d):
		return versionOfGone
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

// asksGone says whether a shim answers that question with less than Java: that
// the broker has to register.
func (r *Run) asksGone(s Step, path string, d Difference) bool {
	_, asks := s.(QueryVersion)
	return asks && r.pair.Settles && (path == "ext.changed" && d.Here == `"true"` || (path == "body" || strings.HasPrefix(path, "body.")) && d.Here == "")
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
