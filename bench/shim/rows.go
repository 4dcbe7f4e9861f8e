//go:build linux

package shim

import (
	"strings"

	"signpost/bench/report"
)

// Namesrv is the server whose rates the shim's are compared with.
const Namesrv report.Server = "bin/namesrv"

// What is bounded: calls and write units a minute, the shim's memory in MB, how
// long a change may take to be seen.
const (
	maxCalls   = 15
	maxUnits   = 15
	maxMemory  = 80
	maxSeen    = 6_000
	maxNoticed = 10_000
	leastRate  = 0.8
)

// sameAs is the target of a row that must not depend on the number of brokers:
// what a beat more in the measured time makes of it is let pass.
func sameAs(row, name string) report.Target {
	return report.Target{Factor: 1.1, Of: row, OfName: name}
}

// Rows are all rows of the record.
var Rows = []report.Row{
	{Key: "calls-few", Unit: "/min", Name: "HTTPS calls, 10 brokers and 1,000 clients x 10 topics", Targets: []report.Target{{Factor: maxCalls}}},
	{Key: "calls-many", Unit: "/min", Name: "HTTPS calls, 1,000 brokers and 1,000 clients x 10 topics", Targets: []report.Target{{Factor: maxCalls}, sameAs("calls-few", "10 brokers")}},
	{Key: "calls-beats", Unit: "/min", Name: "HTTPS calls, the same with beats and group queries each second", Targets: []report.Target{{Factor: maxCalls}, sameAs("calls-few", "10 brokers")}},
	{Key: "writes-few", Unit: "/min", Name: "write units, 10 brokers", Targets: []report.Target{{Factor: maxUnits}}},
	{Key: "writes-many", Unit: "/min", Name: "write units, 1,000 brokers", Targets: []report.Target{{Factor: maxUnits}, sameAs("writes-few", "10 brokers")}},
	{Key: "writes-beats", Unit: "/min", Name: "write units, the same with beats and group queries each second", Targets: []report.Target{{Factor: maxUnits}, sameAs("writes-few", "10 brokers")}},
	{Key: "route", Unit: "/s", Name: "route queries from its cache, 32 connections x 8 in flight", Targets: []report.Target{{AtLeast: true, Factor: leastRate, Server: Namesrv}}},
	{Key: "memory-many", Unit: "MB", Name: "resident memory, 1,000 brokers x 40 of 5,000 topics, all asked for: the most of the steady state", Targets: []report.Target{{Factor: maxMemory}}},
	{Key: "memory-beats", Unit: "MB", Name: "resident memory, the same with beats each second: the most of the steady state", Targets: []report.Target{{Factor: maxMemory}}},
	{Key: "seen-other", Unit: "ms", Name: "until a change through another shim is seen, the longest", Targets: []report.Target{{Factor: maxSeen}}},
	{Key: "seen-own", Unit: "queries", Name: "queries until a change through this shim is seen, the most", Targets: []report.Target{{Factor: 1}}},
	{Key: "noticed", Unit: "ms", Name: "until a broker superseded elsewhere is noticed, the longest", Targets: []report.Target{{Factor: maxNoticed}}},

	{Key: "memory-few", Unit: "MB", Name: "resident memory, 10 brokers and 1,000 clients: the most of the steady state"},
	{Key: "files-many", Unit: "MB", Name: "of it pages of files, 1,000 brokers (code; the system takes them back when it needs room)"},
	{Key: "files-beats", Unit: "MB", Name: "of it pages of files, the same with beats each second"},
	{Key: "files-few", Unit: "MB", Name: "of it pages of files, 10 brokers"},
	{Key: "peak-few", Unit: "MB", Name: "the most memory since the start, 10 brokers that register at once (VmHWM)"},
	{Key: "peak-many", Unit: "MB", Name: "the most memory since the start, 1,000 brokers that register at once (VmHWM)"},
	{Key: "peak-beats", Unit: "MB", Name: "the most memory since the start, the same that register anew (VmHWM)"},
	{Key: "reads-few", Unit: "/min", Name: "read units, 10 brokers"},
	{Key: "reads-many", Unit: "/min", Name: "read units, 1,000 brokers"},
	{Key: "reads-beats", Unit: "/min", Name: "read units, the same with beats and group queries each second"},
	{Key: "first-few", Unit: "calls", Name: "HTTPS calls until 10 brokers are registered and all topics known"},
	{Key: "first-many", Unit: "calls", Name: "HTTPS calls until 1,000 brokers are registered and all topics known"},
	{Key: "first-few-late", Unit: "", Name: "of the first lookups, those without an answer in time, 50 topics"},
	{Key: "first-many-late", Unit: "", Name: "of the first lookups, those without an answer in time, 5,000 topics (DynamoDB Local)"},
	{Key: "first-beats-late", Unit: "", Name: "of the lookups after brokers registered anew, those without an answer in time"},
	{Key: "first-beats", Unit: "calls", Name: "HTTPS calls until 1,000 brokers are registered anew with other timeouts"},
	{Key: "first-few-answered", Unit: "ms", Name: "until all of 10 brokers that register at once are answered"},
	{Key: "first-many-answered", Unit: "ms", Name: "until all of 1,000 brokers that register at once are answered"},
	{Key: "first-many-time", Unit: "s", Name: "until the API has all of 1,000 brokers that register at once (DynamoDB Local)"},
	{Key: "first-beats-answered", Unit: "ms", Name: "until all of 1,000 brokers that register anew are answered"},
	{Key: "first-beats-time", Unit: "s", Name: "until the API has all of 1,000 brokers that register anew"},
	{Key: "first-few-time", Unit: "s", Name: "until the API has all of 10 brokers that register at once"},
	{Key: "cpu-few", Unit: "%", Name: "use of its core, 10 brokers and 1,000 clients"},
	{Key: "cpu-many", Unit: "%", Name: "use of its core, 1,000 brokers and 1,000 clients"},
	{Key: "cpu-beats", Unit: "%", Name: "use of its core, the same with beats and group queries each second"},
	{Key: "route-p99", Unit: "ms", Name: "p99 of the route queries"},
	{Key: "route-server", Unit: "%", Name: "route queries: use of the server's core"},
	{Key: "wide", Unit: "/s", Name: "route queries, 256 connections, one in flight each"},
	{Key: "others", Unit: "%", Name: "meanwhile: use of all cores by other programs (100 % is one core; spoils what is measured)"},
}

// kinds are the calls that are told apart in the log.
var kinds = []string{"PUT /v1/register/session", "PUT /v1/register/broker", "POST /v1/register/beats", "POST /v1/register/unregister", "POST /v1/read/routes", "GET /v1/read/"}

// Markdown writes the record for people.
func Markdown(m report.Measurement) string {
	var b strings.Builder
	b.WriteString("# The shim, measured on " + m.Date.Format("2006-01-02") + "\n\n")
	b.WriteString("Made by `make bench-shim`. The cloud are the functions behind a stand-in of API Gateway, and DynamoDB Local, which says what\n" +
		"each call takes. Calls are counted where they arrive, failed attempts too, while every broker registers in full and every\n" +
		"client asks for its topics each 30 s. MB are 10^6 bytes. Rates are medians of rounds that take turns with bin/namesrv, where\n" +
		"the server has one core for itself and everything else the other. What each row does is told in `bench/shim`.\n\n")
	b.WriteString(m.Values.Against(Rows, "bin/shim", Namesrv))
	b.WriteString("\n")
	for _, f := range m.Facts {
		b.WriteString("- " + f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}
