package cost

import "math"

// Units are what an operation consumes of the table, as DynamoDB reports it:
// write request units (1 KB each) and read request units (4 KB each, half of
// one where the read may be a moment old).
type Units struct{ Write, Read float64 }

// Operation is something that the NameServer does with its table.
type Operation struct {
	Name string
	// Budget is what it may take; +Inf where nothing bounds it.
	Budget Units
	// Takes is what it takes at most, as measured. Months are computed with it.
	Takes Units
}

// unbounded is the budget of what nothing bounds.
var unbounded = math.Inf(1)

// What the NameServer does with its table.
var (
	FirstRegistration = Operation{"first registration of 10,000 topics", Units{10_400, unbounded}, Units{10_158, 4}}
	UnchangedBody     = Operation{"direct heartbeat with an unchanged full body", Units{1, 0}, Units{1, 0}}
	DirectBeat        = Operation{"direct light heartbeat", Units{1, 0}, Units{1, 0}}
	OpenSession       = Operation{"a gateway opens a session", Units{unbounded, unbounded}, Units{2, 1}}
	SessionBeat       = Operation{"session beat, answered with the revision", Units{1, 0.5}, Units{1, 0.5}}
	NewSession        = Operation{"unchanged broker through a new session", Units{1, unbounded}, Units{1, 2}}
	NewSessionPruned  = Operation{"the same where an old lease is pruned", Units{2, unbounded}, Units{1, 2}}
	TopicChanged      = Operation{"1 topic changed in a registration of 10,000", Units{14, 4}, Units{10, 4}}
	NothingChanged    = Operation{"another DataVersion, nothing changed of 10,000", Units{unbounded, unbounded}, Units{3, 4.5}}
	GroupTold         = Operation{"a gateway is told a group with its own words", Units{0, unbounded}, Units{0, 3}}
	LeaseDropped      = Operation{"one of a broker's two sessions drops it", Units{unbounded, unbounded}, Units{3, 2}}
	Leave             = Operation{"a broker leaves", Units{unbounded, unbounded}, Units{4, 2}}
	Restart           = Operation{"restart with the same topics in the grace time", Units{7, unbounded}, Units{6, 4}}
	RestartTwoGone    = Operation{"restart with 2 topics gone meanwhile", Units{7 + 2*2, unbounded}, Units{11, 5}}
	WipeWrite         = Operation{"wipe write permission, 10,000 topics", Units{5, unbounded}, Units{3, 22}}
	AddWrite          = Operation{"add write permission, 10,000 topics", Units{5, unbounded}, Units{3, 22}}
	DeleteTopic       = Operation{"delete a topic, each live group that has it", Units{12, unbounded}, Units{9, 5}}
	RouteCold         = Operation{"route of a topic on 16 groups, cold", Units{0, 21}, Units{0, 18}}
	RouteChanged      = Operation{"the same after one of the groups has left", Units{0, 5}, Units{0, 2.5}}
	RouteUnchanged    = Operation{"the same, nothing changed", Units{0, 0.5}, Units{0, 0.5}}
	RouteRenewed      = Operation{"the same where direct leases have moved", Units{0, unbounded}, Units{0, 16.5}}
	TopicList         = Operation{"list of the topics of 1,000 groups", Units{0, unbounded}, Units{0, 1081}}
	SweepCold         = Operation{"sweep of 1,000 groups behind 2 gateways, cold", Units{0, 260}, Units{0, 81}}
	SweepWarm         = Operation{"the same, warm, nothing changed", Units{0, 10}, Units{0, 1}}
	SweepEmpty        = Operation{"sweep of an empty table, cold", Units{0, unbounded}, Units{0, 17}}
	Leases            = Operation{"a gateway's leases among 1,000 groups", Units{0, unbounded}, Units{0, 80}}
)

// Operations lists them in the order in which they are told.
func Operations() []Operation {
	return []Operation{
		SessionBeat, DirectBeat, UnchangedBody, OpenSession, NewSession, NewSessionPruned, GroupTold, Leases,
		TopicChanged, NothingChanged, FirstRegistration, LeaseDropped, Leave, Restart, RestartTwoGone,
		WipeWrite, AddWrite, DeleteTopic,
		RouteCold, RouteChanged, RouteRenewed, RouteUnchanged, TopicList,
		SweepCold, SweepWarm, SweepEmpty,
	}
}
