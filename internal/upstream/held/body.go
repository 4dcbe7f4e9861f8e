package held

import (
	"hash/maphash"
	"slices"
	"time"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// sayTime is within what time a broker says again all that it has: it registers
// every 10 to 60 s (BrokerConfig.registerNameServerPeriod).
const sayTime = time.Minute

// maxBodies bounds what is kept of one broker. A split registration of 100,000
// topics has 125 bodies. What is beyond it is heard again from the broker.
const maxBodies = 256

// body is the content of one registration of a broker, kept for as long as it
// is the newest word on one of its topics: a split registration has several
// bodies, and topics stay though a later one does not name them (rule 8).
type body struct {
	digest  uint64 // 0: to be heard in full when it comes again
	content api.Body
	names   []uint64  // hashes of the topics, and mappings, on which it is the newest word; sorted
	since   time.Time // when it was said first
	said    time.Time // and last

	overtaken []uint64 // those of names of which another has said something since; sorted

	accepted bool // by the cloud, and nothing is known to have ended that
	tried    bool // perhaps accepted: a call was made
	before   bool // said before the broker left last

	settled bool
	answer  core.Registered
	err     error
	done    chan struct{} // closed when it is settled
}

// settle ends the wait of who has said it.
func (x *body) settle(answer core.Registered, err error) {
	if !x.settled {
		x.settled, x.answer, x.err = true, answer, err
		close(x.done)
	}
}

// reopen has who says it again wait for what the cloud says then, not for what it
// said once: it is to hear it again.
func (x *body) reopen() {
	if x.settled {
		x.settled, x.done = false, make(chan struct{})
	}
}

// namesOf are the hashes of what a content is the word on.
func namesOf(seed maphash.Seed, c core.Content) []uint64 {
	names := make([]uint64, 0, len(c.Topics)+len(c.Mappings))
	for _, t := range c.Topics {
		names = append(names, maphash.String(seed, t.Name))
	}
	for _, m := range c.Mappings {
		names = append(names, ^maphash.String(seed, m.Topic))
	}
	slices.Sort(names)
	return names
}

// without takes the names of others out, and says whether there were any. Both
// are sorted.
func without(names, others []uint64) (rest []uint64, some bool) {
	shared := func() bool {
		for i, j := 0, 0; i < len(names) && j < len(others); {
			switch {
			case names[i] < others[j]:
				i++
			case names[i] > others[j]:
				j++
			default:
				return true
			}
		}
		return false
	}
	if !shared() {
		return names, false
	}
	rest = make([]uint64, 0, len(names))
	for _, n := range names {
		if _, there := slices.BinarySearch(others, n); !there {
			rest = append(rest, n)
		}
	}
	return slices.Clip(rest), true
}

// say takes a new body of the replica. Those before it that the cloud has not
// accepted need not be said of what this one names.
func (r *replica) say(x *body) {
	for _, old := range r.bodies {
		rest, shared := without(old.names, x.names)
		if shared {
			old.digest = 0 // were it said again, it would be news
		}
		if !old.accepted {
			old.names = rest
		}
	}
	r.bodies = append(r.bodies, x)
	r.prune()
}

// accept notes that the cloud has accepted the body, which is the newest word on
// what it names; those before it are not any more.
func (r *replica) accept(x *body) {
	x.accepted = true
	if at := slices.Index(r.bodies, x); at >= 0 {
		for _, old := range r.bodies[:at] {
			old.names, _ = without(old.names, x.names)
		}
	}
	r.prune()
}

// prune drops the bodies that are the newest word on nothing, but for the last,
// and the last that was accepted: they say that the broker is there at all.
func (r *replica) prune() {
	over, accepted := max(0, len(r.bodies)-maxBodies), 0
	for i, x := range r.bodies {
		if x.accepted {
			accepted = i
		}
	}
	r.keep(func(i int, x *body) bool {
		return i >= over && (len(x.names) > 0 || i == len(r.bodies)-1 || x.accepted && i == accepted)
	})
}

// keep drops the other bodies.
func (r *replica) keep(ok func(i int, x *body) bool) {
	kept := make([]*body, 0, len(r.bodies))
	for i, x := range r.bodies {
		if ok(i, x) {
			kept = append(kept, x)
		} else {
			x.settle(core.Registered{}, nil)
		}
	}
	r.bodies = kept
}

// find returns the body with that digest.
func (r *replica) find(digest uint64) *body {
	if digest == 0 {
		return nil
	}
	for _, x := range r.bodies {
		if x.digest == digest {
			return x
		}
	}
	return nil
}

// unsaid is the first body that the cloud has not accepted.
func (r *replica) unsaid() *body {
	for _, x := range r.bodies {
		if !x.accepted {
			return x
		}
	}
	return nil
}

// Overtaken notes that somebody is saying what a group offers of a topic (217):
// what its brokers said of that before is not to be repeated for them.
func (b *Brokers) Overtaken(topic, group string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[group]
	if g == nil {
		return
	}
	name := maphash.String(b.seed, topic)
	for _, r := range g.replicas {
		for _, x := range r.bodies {
			if _, named := slices.BinarySearch(x.names, name); !named {
				continue
			}
			x.digest = 0 // said by the broker again, it is the cloud's to judge
			if i, there := slices.BinarySearch(x.overtaken, name); !there {
				x.overtaken = slices.Insert(x.overtaken, i, name)
			}
		}
	}
}

// repeats says whether what the broker said may be said again for it.
func (r *replica) repeats() bool {
	return !slices.ContainsFunc(r.bodies, func(x *body) bool {
		_, some := without(x.names, x.overtaken)
		return some
	})
}

// heardOf says whether the cloud has accepted anything of what is kept.
func (r *replica) heardOf() bool {
	return slices.ContainsFunc(r.bodies, func(x *body) bool { return x.accepted })
}

// saidAt is when a body was said. What the broker says now and again counts as
// said with the last of its registrations: the parts of a split one are one. But
// a part that it has left out, in a whole round of the others, is said no more:
// what was deleted since is not to come back by it.
func (r *replica) saidAt(x *body) time.Time {
	over := slices.ContainsFunc(r.bodies, func(y *body) bool { return y.since.After(x.said) && y.said.After(y.since) })
	if over || r.said.Sub(x.said) > sayTime {
		return x.said
	}
	return r.said
}
