//go:build linux

package shim

import (
	"context"
	"fmt"
	"time"

	"signpost/bench/load"
)

// part lets a fleet register, waits until the shim has told the API all of it,
// and measures the steady state and the most memory that the shim has in it. It
// returns the traffic, which may go on.
func (w *world) part(ctx context.Context, fleet load.Fleet, beats bool, name string) (*traffic, error) {
	t, err := newTraffic(fleet, beats)
	if err != nil {
		return nil, err
	}
	if w.brokers == nil {
		if w.brokers, err = w.loop.Dial(w.shim.Addr, fleet.Brokers); err != nil {
			return nil, err
		}
		if w.clients, err = w.loop.Dial(w.shim.Addr, clients); err != nil {
			return nil, err
		}
	}
	if err := w.first(ctx, t, name); err != nil {
		return nil, fmt.Errorf("%s: the first registrations: %w", name, err)
	}
	memory, err := w.watched(ctx, func() error { return w.steady(ctx, t, name) })
	if err != nil {
		return nil, fmt.Errorf("%s: the steady state: %w", name, err)
	}
	w.record("memory-"+name, float64(memory.Now)/1e6)
	w.record("files-"+name, float64(memory.Files)/1e6)
	w.record("peak-"+name, float64(memory.Peak)/1e6)
	return t, nil
}

// first has all brokers register at once, and go on as they do until the shim
// has told the API of all of them; then every client asks for all of its topics,
// again if one was not answered in time.
// What clients see while brokers register is tested elsewhere: with a cloud of
// two cores it would take minutes here.
func (w *world) first(ctx context.Context, t *traffic, name string) error {
	start, calls := time.Now(), w.link.Calls("")
	results, err := w.loop.Run(ctx, firstTime, false, t.first(w.brokers))
	if err != nil {
		return err
	}
	w.record("first-"+name+"-answered", float64(results[0].Elapsed)/float64(time.Millisecond))
	registered := func() int { return w.link.Calls("PUT /v1/register/broker") + w.link.Calls("POST /v1/register/beats") }
	last := time.Now()
	for before := -1; before != registered(); {
		before, last = registered(), time.Now()
		if last.Sub(start) > firstTime {
			return fmt.Errorf("the shim still tells the API of brokers after %v", firstTime)
		}
		if _, err := w.loop.Run(ctx, quiet, false, t.brokers(w.brokers)); err != nil {
			return err
		}
	}
	w.record("first-"+name+"-time", last.Sub(start).Seconds())
	for late := -1; late != t.late; {
		late = t.late
		if _, err := w.loop.Run(ctx, period+quiet, false, t.brokers(w.brokers), t.clients(w.clients)); err != nil {
			return err
		}
	}
	t.calm = true
	w.record("first-"+name+"-late", float64(t.late))
	w.record("first-"+name, float64(w.link.Calls("")-calls))
	return nil
}

// steady counts what the shim takes of the API and of its core.
func (w *world) steady(ctx context.Context, t *traffic, name string) error {
	before, err := w.count()
	if err != nil {
		return err
	}
	if _, err := w.loop.Run(ctx, w.Time, false, t.brokers(w.brokers), t.clients(w.clients)); err != nil {
		return err
	}
	after, err := w.count()
	if err != nil {
		return err
	}
	minutes := after.at.Sub(before.at).Minutes()
	w.record("calls-"+name, float64(after.calls-before.calls)/minutes)
	w.record("writes-"+name, (after.units.Write-before.units.Write)/minutes)
	w.record("reads-"+name, (after.units.Read-before.units.Read)/minutes)
	w.record("cpu-"+name, 100*float64(after.cpu-before.cpu)/float64(after.at.Sub(before.at)))
	for i, kind := range kinds {
		w.log.Info("calls", "of", kind, "count", after.kinds[i]-before.kinds[i])
	}
	return nil
}
