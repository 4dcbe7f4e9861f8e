package cost

import (
	"fmt"
	"math"
)

// Assumptions are what a month is computed from besides prices and what
// operations take. Every one can be set by a flag of the command.
type Assumptions struct {
	// The stack, as template.yaml has it.
	RegisterMB, RouteMB, SweeperMB float64
	Alarms, Dashboards, Series     float64
	OtherDashboards                float64

	// How long the functions run.
	RegisterMillis, RouteMillis, SweepMillis float64
	InitMillis, InitsPerDay                  float64

	// The fleet.
	TopicsPerClient, TopicsPerBroker, GroupsPerTopic float64
	// What changes in it.
	RestartsPerBroker, TopicChangesPerDay, SilentShare float64
	ShortTimeouts, ListsPerDay                         float64

	// Shims.
	Shims, BeatSeconds, ReconcileMinutes, ShimRestarts float64
	// Brokers and clients without them.
	HeartbeatSeconds, LookupSeconds float64

	// Bytes.
	AnswerBytes, RouteBytes, LogBytes, EventsPerRestart float64
}

// Defaults are the assumptions that the budgets of a month are held under.
func Defaults() Assumptions {
	return Assumptions{
		RegisterMB: 512, RouteMB: 256, SweeperMB: 256,
		Alarms: 8, Dashboards: 1, Series: 3, OtherDashboards: 0,
		RegisterMillis: 10, RouteMillis: 10, SweepMillis: 100, InitMillis: 150, InitsPerDay: 24,
		TopicsPerClient: 10, TopicsPerBroker: 10, GroupsPerTopic: 10,
		RestartsPerBroker: 1, TopicChangesPerDay: 100, SilentShare: 0.1, ListsPerDay: 2,
		Shims: 2, BeatSeconds: 5, ReconcileMinutes: 30, ShimRestarts: 1,
		HeartbeatSeconds: 30, LookupSeconds: 30,
		AnswerBytes: 800, RouteBytes: 600, LogBytes: 600, EventsPerRestart: 4,
	}
}

// Field is one assumption.
type Field struct {
	Name  string // of its flag
	Value *float64
	Means string
}

// Fields lists the assumptions, in the order in which they are told.
func (a *Assumptions) Fields() []Field {
	return []Field{
		{"register-mb", &a.RegisterMB, "memory of the register function, MB"},
		{"route-mb", &a.RouteMB, "memory of the route function, MB"},
		{"sweeper-mb", &a.SweeperMB, "memory of the sweeper, MB"},
		{"alarms", &a.Alarms, "alarms of one metric each"},
		{"dashboards", &a.Dashboards, "dashboards of the stack"},
		{"other-dashboards", &a.OtherDashboards, "dashboards that the account has besides; its first three cost nothing"},
		{"series", &a.Series, "custom metrics that have values all month; none while idle"},

		{"register-ms", &a.RegisterMillis, "a call of the register function, ms billed (a gateway's beat in 0.15 processors under the emulator: 5, 9 of 10 within 21)"},
		{"route-ms", &a.RouteMillis, "a call of the route function, ms billed (there: 1 from memory, 9 from the table)"},
		{"sweep-ms", &a.SweepMillis, "a pass of the sweeper, ms billed (there: 3 with nothing to do)"},
		{"init-ms", &a.InitMillis, "the start of a function's instance, ms billed"},
		{"inits", &a.InitsPerDay, "instances started a day, each function"},

		{"topics-per-client", &a.TopicsPerClient, "topics that each client uses"},
		{"topics-per-broker", &a.TopicsPerBroker, "topics that each broker has"},
		{"groups-per-topic", &a.GroupsPerTopic, "brokers that have one topic"},
		{"restarts", &a.RestartsPerBroker, "restarts of each broker a month"},
		{"topic-changes", &a.TopicChangesPerDay, "registrations a day that change a topic"},
		{"silent", &a.SilentShare, "share of the restarts that only a deadline tells, without shims"},
		{"short-timeouts", &a.ShortTimeouts, "1: a broker has a timeout of about a minute or less, as with acting masters, and the sweeper never ends"},
		{"lists", &a.ListsPerDay, "lists of all topics a day (mqadmin, consoles)"},

		{"shims", &a.Shims, "shims (or bin/namesrv over the table), each with every broker and client"},
		{"beat", &a.BeatSeconds, "a shim's session beat, every so many seconds"},
		{"reconcile", &a.ReconcileMinutes, "a shim reads what is leased to it, every so many minutes"},
		{"shim-restarts", &a.ShimRestarts, "restarts of each shim a month"},

		{"heartbeat", &a.HeartbeatSeconds, "a broker's own heartbeat, every so many seconds"},
		{"lookup", &a.LookupSeconds, "a client asks for all its topics in one call, every so many seconds"},

		{"answer-bytes", &a.AnswerBytes, "an answer with its headers, bytes on the wire"},
		{"route-bytes", &a.RouteBytes, "a route in an answer, bytes on the wire, gzipped (2,435 before, of 10 brokers)"},
		{"log-bytes", &a.LogBytes, "logs of a change, metrics among them, bytes"},
		{"events", &a.EventsPerRestart, "events of a restart"},
	}
}

// Check refuses what no month can be computed from.
func (a Assumptions) Check() error {
	for _, f := range a.Fields() {
		if !(*f.Value >= 0) || math.IsInf(*f.Value, 1) {
			return fmt.Errorf("--%s %v: has to be a number, 0 or more", f.Name, *f.Value)
		}
	}
	for _, f := range []Field{
		{"beat", &a.BeatSeconds, ""}, {"reconcile", &a.ReconcileMinutes, ""}, {"heartbeat", &a.HeartbeatSeconds, ""},
		{"lookup", &a.LookupSeconds, ""}, {"groups-per-topic", &a.GroupsPerTopic, ""}, {"shims", &a.Shims, ""},
	} {
		if *f.Value == 0 {
			return fmt.Errorf("--%s 0: has to be more", f.Name)
		}
	}
	if a.HeartbeatSeconds >= leaseSeconds {
		return fmt.Errorf("--heartbeat %v: a lease ends after %v s", a.HeartbeatSeconds, leaseSeconds)
	}
	return nil
}
