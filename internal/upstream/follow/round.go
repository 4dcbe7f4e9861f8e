package follow

import (
	"context"
	"time"

	"signpost/core"
)

const (
	// roundGap is the least time from one round to the next: while many things
	// change, lookups ask for what they need.
	roundGap = time.Second
	// lastPart is the part of its time after which a topic that was good for
	// long is asked for again with others: so that fewer calls are made.
	lastPart = 4
)

// rounds is the loop that asks again for what is in use, before somebody has
// to wait for it.
func (f *Follower) rounds(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.due:
		case <-timer.C:
		}
		if wait := f.startRound(); wait > 0 {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// startRound has everything asked for that should be, or returns how long to
// wait before.
func (f *Follower) startRound() (wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	switch {
	case f.closed || f.link.down():
		return 0
	case !f.link.mayAsk(now):
		return f.link.asks.retryAt.Sub(now)
	case now.Sub(f.round) < roundGap:
		return roundGap - now.Sub(f.round)
	}
	due := f.dueAt(now.Sub(f.epoch))
	for _, e := range due {
		f.launchLater(e.topic, e, false)
	}
	if f.order.due() {
		f.launchOrder()
	}
	if len(due) > 0 {
		f.round = now
		return 0
	}
	if f.link.asks.failures == 0 || f.order.due() {
		return 0
	}
	// Nobody has asked since: there is nothing to see by whether it works again.
	if wait := f.link.asks.retryAt.Add(f.o.Interval).Sub(now); wait > 0 {
		return wait
	}
	f.link.asks = trouble{}
	f.judge(now)
	return 0
}

// dueAt returns what is in use, and stale or soon over; and with it, what will
// be over later and rests on no lease. All there is goes into one call, in good
// time: whose lease has been renewed is good for longer then, and nobody asks
// for it alone, or waits. The caller holds mu.
func (f *Follower) dueAt(at time.Duration) (due []*entry) {
	soon := at + 2*f.o.Interval
	var lasting []*entry
	over := false
	for e := range f.table.all() {
		if e.route == nil || !e.inUse(at) {
			continue
		}
		switch until := time.Duration(e.until.Load()); {
		case until == stale:
			due = append(due, e)
		case until <= soon:
			due, over = append(due, e), true
		case e.span > core.DefaultTimeout && until-at < e.span/lastPart:
			lasting = append(lasting, e)
		}
	}
	if over {
		due = append(due, lasting...)
	}
	return due
}
