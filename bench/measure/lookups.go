//go:build linux

package measure

import (
	"context"
	"fmt"
	"log/slog"

	"signpost/bench/load"
	"signpost/bench/report"
)

// turns is how often each server has its turn with the route queries of a round.
const turns = 4

// lookups measures the route rows. These are the ones that are judged against
// another server's closely, and a machine's speed may change by half within a
// minute: so the servers run beside each other and take the load in short
// turns, while the others have nothing to do.
func (o Options) lookups(ctx context.Context, log *slog.Logger, values report.Values, subjects []Subject) error {
	var together []*bench
	for _, s := range subjects {
		b := &bench{Subject: s, options: o, values: values, log: log.With("server", s.Server)}
		if !s.Restless {
			together = append(together, b)
			continue
		}
		if err := b.started(ctx, func() error { return inTurns(ctx, []*bench{b}) }); err != nil {
			return err
		}
	}
	return startAll(ctx, together, func() error { return inTurns(ctx, together) })
}

// startAll calls do while all servers run.
func startAll(ctx context.Context, benches []*bench, do func() error) error {
	if len(benches) == 0 {
		return do()
	}
	return benches[0].started(ctx, func() error { return startAll(ctx, benches[1:], do) })
}

// asked is a server with its fleet and those who ask for routes.
type asked struct {
	*bench
	loop      *load.Loop
	fleet     *load.Work // all brokers register once
	few, many *load.Work
}

// inTurns measures the route rows of servers that run.
func inTurns(ctx context.Context, benches []*bench) error {
	servers := make([]*asked, len(benches))
	for i, b := range benches {
		a, err := b.ask(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", b.Server, err)
		}
		defer a.loop.Close()
		servers[i] = a
	}
	for _, a := range servers { // to know the routes may have taken the next server long
		if _, err := a.loop.Run(ctx, onceTime, false, a.fleet); err != nil {
			return fmt.Errorf("%s: register the fleet again: %w", a.Server, err)
		}
	}
	for _, row := range []string{"route", "wide"} {
		taken := make([]taken, len(servers))
		for range turns {
			for i, a := range servers {
				work := a.few
				if row == "wide" {
					work = a.many
				}
				if err := a.take(ctx, a.loop, work, a.options.Time/turns, &taken[i]); err != nil {
					return fmt.Errorf("%s: %s: %w", a.Server, row, err)
				}
			}
		}
		for i, a := range servers {
			a.tell(row, &taken[i])
			a.record(row+"-server", taken[i].server())
			if row == "route" {
				a.record("route-p99", ms(taken[i].Latency.Percentile(99)))
			}
		}
	}
	return nil
}

// ask registers the fleet, and warms the server up.
func (b *bench) ask(ctx context.Context) (a *asked, err error) {
	t, err := newTraffic(Small, b.Canned)
	if err != nil {
		return nil, err
	}
	loop, err := load.NewLoop()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = loop.Close()
		}
	}()
	brokers, err := loop.Dial(b.process.Addr, Small.Brokers)
	if err != nil {
		return nil, err
	}
	few, err := loop.Dial(b.process.Addr, readers)
	if err != nil {
		return nil, err
	}
	many, err := loop.Dial(b.process.Addr, readers*readerInFlight)
	if err != nil {
		return nil, err
	}
	a = &asked{bench: b, loop: loop, fleet: once(t.registrations(brokers, t.bodies)),
		few: t.reads(few, readerInFlight, true), many: t.reads(many, 1, true)}
	if err := b.know(ctx, loop, a.fleet); err != nil {
		return nil, err
	}
	if _, err := loop.Run(ctx, b.options.Warmup, false, a.few); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	return a, nil
}

// know lets the small fleet register, and waits until its routes are known.
func (b *bench) know(ctx context.Context, loop *load.Loop, fleet *load.Work) error {
	if _, err := loop.Run(ctx, onceTime, false, fleet); err != nil {
		return fmt.Errorf("register the fleet: %w", err)
	}
	if b.Know == nil {
		return nil
	}
	if err := b.Know(ctx, b.process.Addr, Small); err != nil {
		return fmt.Errorf("know the routes: %w", err)
	}
	return nil
}
