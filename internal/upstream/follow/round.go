package follow

import (
	"context"
	"time"
)

const (
	// roundGap is the least time from one round to the next: while many things
	// change, lookups ask for what they need.
	roundGap = time.Second
	// lastPart is the part of its time after which a topic is asked for again
	// with others whose time is over: so that they do not ask one by one.
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

// dueAt returns what is in use, and stale or soon over. What is good for a
// short time only is left to those who ask for it. The caller holds mu.
func (f *Follower) dueAt(at time.Duration) (due []*entry) {
	soon := at + 2*f.o.Interval
	var lasting []*entry
	over := false
	for e := range f.table.all() {
		if e.route == nil || !e.inUse(at) {
			continue
		}
		until := time.Duration(e.until.Load())
		switch {
		case until == stale:
			due = append(due, e)
		case e.span > 4*f.o.Interval && until-at < e.span/lastPart:
			lasting = append(lasting, e)
			over = over || until <= soon
		}
	}
	if over {
		due = append(due, lasting...)
	}
	return due
}
