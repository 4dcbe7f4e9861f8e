//go:build linux

// Package measure runs the servers and fills the table's rows.
//
// Each server runs on one core and the load on another. In each round every
// server in turn is started anew, warmed up shortly, and takes the load of the
// single, register and big rows; memory and p99 are measured on processes of
// their own. Then they, started anew, run beside each other and take the load of
// the route rows in turns. So rounds are alike. A JVM is far from its best
// after so short a time; what it reaches later is measured in rows of its own.
// A wrong answer anywhere ends the run.
package measure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"signpost/bench/load"
	"signpost/bench/process"
	"signpost/bench/report"
)

// Subject is a server to be measured.
type Subject struct {
	Server  report.Server
	Command process.Command
	// Canned says that all routes are the first topic's, and that there is no
	// state whose cost could be measured.
	Canned bool
	// Durable says that routes outlive the process.
	Durable bool
	// Know, if not nil, waits until the server knows the routes of a fleet that
	// has registered. Others know them at once.
	Know func(ctx context.Context, addr netip.AddrPort, fleet load.Fleet) error
	// Restless says that the server goes on working after its turn, as a JVM
	// compiles: it runs beside nobody.
	Restless bool
	// Late is for how long the server is loaded, once and at the end, to see
	// what rates it reaches then.
	Late time.Duration
}

// Options are the extent of a run.
type Options struct {
	// Core is the servers' core.
	Core int
	// Parts are those to be measured.
	Parts []string
	// Rounds is how often each server has its turn with start and the rates,
	// FleetRounds how often with memory and p99.
	Rounds, FleetRounds int
	// Warmup is how long a new process is loaded before anything counts,
	// Settle how long it is left alone before its memory is read.
	Warmup, Settle time.Duration
	// Time is how long one rate is measured; latencies of reads under
	// registrations are measured for longer.
	Time time.Duration
	// Rate is the moderate rate of reads, per second.
	Rate float64
}

// Run measures subjects in turn.
func (o Options) Run(ctx context.Context, log *slog.Logger, subjects []Subject) (report.Values, error) {
	values := report.Values{}
	for round := range max(o.Rounds, o.FleetRounds) {
		for _, s := range subjects {
			b := &bench{Subject: s, options: o, values: values, log: log.With("server", s.Server, "round", round+1)}
			late := s.Late
			if round+1 < o.Rounds {
				late = 0
			}
			if round < o.Rounds && (o.wants(PartStart, PartSingle, PartRegister, PartBig) || late > 0 && o.wants(PartRoute)) {
				if err := b.started(ctx, func() error { return b.rates(ctx, late) }); err != nil {
					return nil, err
				}
			}
			if round < o.FleetRounds && !s.Canned && o.wants(PartMemory, PartP99) {
				if err := b.fleets(ctx); err != nil {
					return nil, err
				}
			}
		}
		if round < o.Rounds && o.wants(PartRoute) {
			if err := o.lookups(ctx, log.With("round", round+1), values, subjects); err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

// Attach measures the rates of a server that runs already.
func (o Options) Attach(ctx context.Context, log *slog.Logger, p *process.Process) (report.Values, error) {
	b := &bench{Subject: Subject{Server: report.Ours}, options: o, values: report.Values{}, log: log, process: p}
	for range o.Rounds {
		if err := b.rates(ctx, 0); err != nil {
			return nil, err
		}
		if o.wants(PartRoute) {
			if err := inTurns(ctx, []*bench{b}); err != nil {
				return nil, err
			}
		}
	}
	return b.values, nil
}

func (o Options) wants(parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(o.Parts, p) })
}

// bench is one server with the load on it.
type bench struct {
	Subject
	options Options
	values  report.Values
	log     *slog.Logger
	process *process.Process
}

// record keeps a value.
func (b *bench) record(row string, value float64) {
	b.values.Add(row, b.Server, value)
	b.log.Info("measured", "row", row, "value", fmt.Sprintf("%.3g", value))
}

const (
	// startTime is how long a server may take until its first answer.
	startTime = 60 * time.Second
	// startPoll is the interval of asking.
	startPoll = time.Millisecond
	// answerTime is how long a single answer may take.
	answerTime = 30 * time.Second
)

// started starts the server with nothing in it, waits for its first answer,
// calls do, and stops the server.
func (b *bench) started(ctx context.Context, do func() error) (err error) {
	if b.process, err = b.Command.Start(b.options.Core); err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, b.process.Stop()); err != nil {
			err = fmt.Errorf("%s: %w", b.Server, err)
		}
	}()
	req, err := load.RouteRequest("no-such-topic")
	if err != nil {
		return err
	}
	took, err := b.firstAnswer(ctx, &req, func(load.Answer) error { return nil })
	if err != nil {
		return err
	}
	if b.options.wants(PartStart) {
		b.record("start", ms(took))
	}
	return do()
}

// firstAnswer asks until there is an answer, which check judges, and returns
// the time since the start of the process.
func (b *bench) firstAnswer(ctx context.Context, req *load.Request, check func(load.Answer) error) (time.Duration, error) {
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for time.Since(b.process.Started) < startTime {
		if c, err := load.DialClient(b.process.Addr, answerTime); err == nil {
			a, _, err := c.Do(req, answerTime)
			took := time.Since(b.process.Started)
			_ = c.Close()
			if err == nil {
				return took, check(a)
			}
		}
		if err := b.process.Ended(); err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-tick.C:
		}
	}
	return 0, fmt.Errorf("no answer within %v of the start", startTime)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }
