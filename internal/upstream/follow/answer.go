package follow

import (
	"fmt"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
	"signpost/internal/wire"
)

// answer is what was said of one topic.
type answer struct {
	status   api.RouteStatus
	etag     string
	validFor time.Duration
	silent   []string
	route    *core.Route // nil if it is absent, or later
}

// read reads the answer to a call. One that does not fit what was asked is
// damaged, as a whole.
func read(routes api.Routes, batch []*flight) ([]answer, error) {
	if len(routes.Routes) != len(batch) {
		return nil, damaged(errOthers)
	}
	answers := make([]answer, len(batch))
	later := 0
	for i, fl := range batch {
		said := &routes.Routes[i]
		if said.Topic != fl.topic {
			return nil, damaged(errOthers)
		}
		a := &answers[i]
		*a = answer{status: said.Status, etag: said.ETag, validFor: said.ValidFor, silent: said.Silent}
		switch said.Status {
		case api.RouteChanged:
			if known := fl.known(); known != nil && said.ETag == fl.etag {
				a.route = known
				continue
			}
			route, err := wire.DecodeRoute(fl.topic, said.Body)
			if err != nil {
				return nil, damaged(err)
			}
			if len(route.Brokers) == 0 {
				return nil, damaged(fmt.Errorf("topic %q has a route without brokers", fl.topic))
			}
			a.route = share(route, fl.known())
		case api.RouteUnchanged:
			if fl.known() == nil {
				return nil, damaged(fmt.Errorf("topic %q is not known here", fl.topic))
			}
			a.route, a.etag = fl.known(), fl.etag
		case api.RouteAbsent:
		case api.RouteLater:
			later++
		default:
			return nil, damaged(fmt.Errorf("topic %q is said to be %q", fl.topic, said.Status))
		}
	}
	if later == len(batch) {
		return nil, damaged(fmt.Errorf("all of %d topics are for later", later))
	}
	return answers, nil
}

// takeIn keeps the answers of a call that was sent at that moment, as far as
// nothing newer was heard meanwhile. The caller holds mu.
func (f *Follower) takeIn(answers []answer, batch []*flight, revision core.Revision, sent time.Time) {
	now := f.o.Now()
	if len(batch) > 0 && batch[0].era == f.era {
		f.newest.heard(revision, now)
	}
	changed := f.history.since(revision)
	for i, fl := range batch {
		a := &answers[i]
		if a.status == api.RouteAbsent && revision < fl.named && fl.era == f.era {
			// It is of another table than the one that is followed, or of one that
			// was emptied: that a topic is not there yet says nothing. The next
			// beat tells.
			f.asker.end(fl, nil, nil, rewound())
			continue
		}
		if a.status == api.RouteLater {
			fl.sent = false
			f.asker.queue(fl, fl.urgent)
			continue
		}
		fl.revision = revision
		// It is kept before those who wait go on: they may ask again at once.
		if a.route == nil {
			none := &core.NoTopicError{ValidUntil: sent.Add(min(a.validFor, absentTime))}
			f.absent(fl, none, revision, &changed)
			f.asker.end(fl, nil, none, nil)
		} else {
			f.keep(fl, a, revision, sent, &changed)
			f.asker.end(fl, a.route, nil, nil)
		}
	}
	f.forget(f.table.shed(f.o.Routes, f.o.Bytes))
}

// keep files a route, and notes whether it is old.
func (f *Follower) keep(fl *flight, a *answer, revision core.Revision, sent time.Time, changed *touched) {
	cur := f.table.find(fl.topic)
	if fl.old = cur.after(fl.era, revision); fl.old {
		return
	}
	until := sent.Sub(f.epoch) + a.validFor
	if fl.generation != f.generation || changed.hits(fl.topic, a.route, a.silent, revision) ||
		cur != nil && cur.route != nil && cur != fl.was && core.Revision(cur.revision.Load()) == revision && cur.etag != a.etag {
		until, fl.old = stale, true // what was said meanwhile, or at the same moment, is something else
	}
	e := cur
	if e == nil || e.route != a.route {
		e = &entry{topic: fl.topic, route: a.route}
		e.asked.Store(tick(f.o.Now().Sub(f.epoch)))
		if fl.was != nil {
			e.asked.Store(fl.was.asked.Load())
		}
		if fl.urgent {
			e.used(f.o.Now().Sub(f.epoch))
		}
	}
	e.era, e.span, e.silent = fl.era, a.validFor, a.silent
	e.revision.Store(uint64(revision))
	e.consistent = fl.generation != f.generation
	e.confirmed = sent.Sub(f.epoch)
	e.until.Store(int64(until))
	if e == cur && e.etag == a.etag {
		return
	}
	e.etag = a.etag
	f.table.put(e)
	if f.file != nil {
		f.file.keep(e.topic, e.etag, e.route)
	}
}

// absent files that a topic has no route, and notes whether that is old.
func (f *Follower) absent(fl *flight, none *core.NoTopicError, revision core.Revision, changed *touched) {
	cur := f.table.find(fl.topic)
	if fl.old = cur.after(fl.era, revision); fl.old {
		return
	}
	if cur != nil && cur.route != nil {
		f.table.remove(fl.topic)
		f.forget([]string{fl.topic})
	}
	if fl.old = fl.generation != f.generation || changed.hits(fl.topic, nil, nil, revision); fl.old {
		return // it may have one again
	}
	f.table.sweepAbsent(f.o.Now().Sub(f.epoch))
	e := &entry{topic: fl.topic, absent: none, era: fl.era}
	e.revision.Store(uint64(revision))
	e.until.Store(int64(none.ValidUntil.Sub(f.epoch)))
	f.table.put(e)
}

// forget has topics leave the file that have left the table.
func (f *Follower) forget(topics []string) {
	if f.file == nil {
		return
	}
	for _, topic := range topics {
		f.file.drop(topic)
	}
}
