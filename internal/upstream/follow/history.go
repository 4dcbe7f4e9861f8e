package follow

import (
	"slices"
	"time"

	"signpost/core"
)

// historyBound limits the changes that are remembered, and their names.
const (
	historyBound = 1024
	historyNames = 16384
)

// history is the revision's log as it was heard here: what an answer that was
// made at an earlier revision does not know.
type history struct {
	followed core.Revision // all changes up to it were heard
	floor    core.Revision // changes has all after it
	changes  []core.Change
	names    int
}

// add takes in what came up to the revision.
func (h *history) add(changes []core.Change, revision core.Revision) {
	h.changes = append(h.changes, changes...)
	for _, c := range changes {
		h.names += len(c.Topics)
	}
	h.followed = revision
	n := 0
	for ; len(h.changes)-n > historyBound || h.names > historyNames; n++ {
		h.names -= len(h.changes[n].Topics)
		h.floor = h.changes[n].Revision
	}
	h.changes = slices.Delete(h.changes, 0, n)
}

// restart is for a log that does not reach back: nothing is known of what came
// before the revision.
func (h *history) restart(revision core.Revision) {
	*h = history{followed: revision, floor: revision}
}

// since returns what changed after the revision.
func (h *history) since(revision core.Revision) touched {
	t := touch(nil)
	if revision < h.floor {
		t.all = h.floor
	}
	for _, c := range h.changes {
		if c.Revision > revision {
			t.add(c)
		}
	}
	return t
}

// touched is what changes may touch, each with the last revision that did.
type touched struct {
	topics   map[string]core.Revision
	brokers  map[string]core.Revision
	replicas core.Revision // of any broker
	all      core.Revision // anything
	order    core.Revision // order configuration
}

func touch(changes []core.Change) touched {
	t := touched{topics: map[string]core.Revision{}, brokers: map[string]core.Revision{}}
	for _, c := range changes {
		t.add(c)
	}
	return t
}

func (t *touched) add(c core.Change) {
	for _, topic := range c.Topics {
		t.topics[topic] = max(t.topics[topic], c.Revision)
	}
	if c.Replicas {
		t.brokers[c.Broker] = max(t.brokers[c.Broker], c.Revision)
		t.replicas = max(t.replicas, c.Revision)
	}
	if c.Many {
		// Any topic may have got a row of that broker.
		t.all = max(t.all, c.Revision)
	}
	if c.Broker == "" {
		t.order = max(t.order, c.Revision)
	}
}

func (t *touched) none() bool { return t.all == 0 && t.replicas == 0 && len(t.topics) == 0 }

// hits says whether an answer that was made at the revision may be different
// now. Which brokers have a topic that has no route is not told: any broker
// that comes back may be one of them.
func (t *touched) hits(topic string, route *core.Route, silent []string, revision core.Revision) bool {
	if t.all > revision || t.topics[topic] > revision {
		return true
	}
	if t.replicas <= revision {
		return false
	}
	if route == nil {
		return true
	}
	for i := range route.Brokers {
		if t.brokers[route.Brokers[i].Name] > revision {
			return true
		}
	}
	return slices.ContainsFunc(silent, func(broker string) bool { return t.brokers[broker] > revision })
}

// newest is the newest revision that anybody told, which every question names.
type newest struct {
	revision core.Revision
	at       time.Time
}

// newestTime is for how long a revision is believed that no beat reaches. A
// beat's answer may be two seconds old; a revision of a store that was replaced
// by an older one would be named for ever.
const newestTime = 10 * time.Second

func (n *newest) heard(r core.Revision, now time.Time) {
	if r > n.revision {
		n.revision, n.at = r, now
	}
}

// beaten says what a beat has brought.
func (n *newest) beaten(r core.Revision, now time.Time) {
	if n.heard(r, now); n.revision > r && now.Sub(n.at) > newestTime {
		n.revision = r
	}
}
