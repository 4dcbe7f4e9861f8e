//go:build linux

package measure

import "signpost/bench/report"

// The parts of a run, each a group of rows that are measured together.
const (
	PartRoute    = "route"
	PartSingle   = "single"
	PartRegister = "register"
	PartBig      = "big"
	PartMemory   = "memory"
	PartStart    = "start"
	PartP99      = "p99"
)

// Parts are all parts, in the order of the table.
var Parts = []string{PartRoute, PartSingle, PartRegister, PartBig, PartMemory, PartStart, PartP99}

// Rows are all rows, first those with a target.
var Rows = []report.Row{
	{Key: "route", Part: PartRoute, Unit: "/s",
		Name: "route queries, 32 connections x 8 in flight, 1,000 topics x 4 brokers",
		Targets: []report.Target{
			{AtLeast: true, Factor: 5, Server: report.Java},
			{AtLeast: true, Factor: 0.65, Server: report.Canned},
		}},
	{Key: "single", Part: PartSingle, Unit: "/s",
		Name:    "route queries, one connection, one in flight",
		Targets: []report.Target{{AtLeast: true, Factor: 3, Server: report.Java}}},
	{Key: "register", Part: PartRegister, Unit: "/s",
		Name:    "unchanged full registrations, 100 brokers x 40 topics",
		Targets: []report.Target{{AtLeast: true, Factor: 8, Server: report.Java}}},
	{Key: "big-first", Part: PartBig, Unit: "ms",
		Name:    "one broker with 50,000 topics, first registration",
		Targets: []report.Target{{Factor: 150}}},
	{Key: "big-unchanged", Part: PartBig, Unit: "ms",
		Name:    "one broker with 50,000 topics, unchanged",
		Targets: []report.Target{{Factor: 15}}},
	{Key: "memory-small", Part: PartMemory, Unit: "MB",
		Name:    "resident memory, 100 brokers x 40 of 1,000 topics",
		Targets: []report.Target{{Factor: 25}}},
	{Key: "memory-large", Part: PartMemory, Unit: "MB",
		Name:    "resident memory, 1,000 brokers x 80 of 10,000 topics",
		Targets: []report.Target{{Factor: 70}}},
	{Key: "start", Part: PartStart, Unit: "ms",
		Name:    "start to first answer",
		Targets: []report.Target{{Factor: 30}}},
	{Key: "p99-rate", Part: PartP99, Unit: "ms",
		Name:    "p99 of reads at a fixed rate while 1,000 brokers re-register changed topics",
		Targets: []report.Target{{Factor: 3, Of: "p99-rate-idle", OfName: "idle"}}},
	{Key: "p99-full", Part: PartP99, Unit: "ms",
		Name:    "p99 of reads at saturation while 1,000 brokers re-register changed topics",
		Targets: []report.Target{{Factor: 3, Of: "p99-full-idle", OfName: "idle"}}},

	{Key: "p99-rate-idle", Part: PartP99, Unit: "ms", Name: "p99 of reads at a fixed rate, idle"},
	{Key: "p99-full-idle", Part: PartP99, Unit: "ms", Name: "p99 of reads at saturation, idle"},
	{Key: "p99-burst", Part: PartP99, Unit: "ms", Name: "p99 of reads at a fixed rate while 1,000 brokers re-register all at once"},
	{Key: "burst", Part: PartP99, Unit: "ms", Name: "time that 1,000 changed registrations sent at once take, under these reads"},
	{Key: "route-p99", Part: PartRoute, Unit: "ms", Name: "p99 of these route queries"},
	{Key: "route-server", Part: PartRoute, Unit: "%", Name: "route queries: use of the server's core"},
	{Key: "wide", Part: PartRoute, Unit: "/s", Name: "route queries, 256 connections, one in flight each"},
	{Key: "wide-server", Part: PartRoute, Unit: "%", Name: "256 connections: use of the server's core"},
	{Key: "single-p99", Part: PartSingle, Unit: "ms", Name: "p99 with one connection, one in flight"},
	{Key: "register-server", Part: PartRegister, Unit: "%", Name: "unchanged registrations: use of the server's core"},
	{Key: "register-changed", Part: PartRegister, Unit: "/s", Name: "changed full registrations, 100 brokers x 40 topics"},
	{Key: "route-late", Part: PartRoute, Unit: "/s", Name: "route queries of a process that is loaded for longer"},
	{Key: "single-late", Part: PartSingle, Unit: "/s", Name: "one connection, one in flight, of a process that is loaded for longer"},
	{Key: "register-late", Part: PartRegister, Unit: "/s", Name: "unchanged registrations of a process that is loaded for longer"},
	{Key: "others", Part: PartRoute, Unit: "%", Name: "meanwhile: use of all cores by other programs (100 % is one core; spoils what is measured)"},
	{Key: "memory-small-asked", Part: PartMemory, Unit: "MB", Name: "resident memory, 100 brokers x 40 topics, after every topic was asked for"},
	{Key: "memory-large-asked", Part: PartMemory, Unit: "MB", Name: "resident memory, 1,000 brokers x 80 topics, after every topic was asked for"},
	{Key: "restart", Part: PartMemory, Unit: "ms", Name: "kill -9 and start to first right route, 100 brokers x 40 topics"},
}
