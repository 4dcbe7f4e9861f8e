package function

import (
	"context"
	"fmt"
	"time"

	"signpost/core"
)

const (
	// maxTick is how old a tick may be. A sweep is not worth catching up on: the
	// next tick does the same work.
	maxTick = time.Minute
	// stay is until when a sweep answers for what expires: the next tick comes
	// within a minute, give or take.
	stay = 65 * time.Second
	// sweepMargin is what a sweep leaves of its invocation's time.
	sweepMargin = 3 * time.Second
)

// Tick is the event of the schedule.
type Tick struct {
	// Time is when it was due (EventBridge Scheduler:
	// <aws.scheduler.scheduled-time>); without it, it is due now.
	Time string `json:"time"`
}

// Sweeper announces what has expired and tidies up.
type Sweeper struct {
	f        *Function
	registry *core.Registry
	wait     func(ctx context.Context, d time.Duration) error
}

// Sweeper returns the sweeper of this instance.
func (f *Function) Sweeper() *Sweeper { return &Sweeper{f: f, registry: f.model(), wait: wait} }

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Handle sweeps once, and stays for what expires before the next tick.
func (s *Sweeper) Handle(ctx context.Context, tick Tick) error {
	defer s.f.flush()
	now := s.f.Store.Now()
	if tick.Time != "" {
		due, err := time.Parse(time.RFC3339, tick.Time)
		if err != nil {
			return fmt.Errorf("time: %q is not a time of RFC 3339", tick.Time)
		}
		if late := now.Sub(due); late > maxTick {
			s.f.Log.WarnContext(ctx, "tick dropped", "late", late.String())
			return nil
		}
	}
	if err := s.f.Store.CheckClock(); err != nil {
		return fmt.Errorf("no sweep: %w", err)
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-sweepMargin))
		defer cancel()
	}
	swept, err := s.registry.SweepUntil(ctx, s.f.Store.Now, now.Add(stay), s.wait)
	s.f.Metrics.add(evictions, len(swept.Evicted))
	s.f.Metrics.add(guardHeld, swept.Held)
	s.f.Metrics.add(outboxDropped, int(swept.Dropped))
	if len(swept.Removed) > 0 {
		s.f.Log.InfoContext(ctx, "groups tidied away", "brokerNames", swept.Removed)
	}
	if swept.Held > 0 {
		s.f.Log.WarnContext(ctx, "all gateways fell silent: the guard holds brokers", "count", swept.Held)
	}
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}
