package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// maxOutbox bounds the events that wait at one group; beyond it the oldest is
// dropped and counted.
const maxOutbox = 8

// transition is one decision about a group: the group as it will be, and what
// that changes for readers and receivers of events. It begins by applying
// expiry at its own now, so no decision rests on a sweep having run.
type transition struct {
	group    Group // a clone
	now      time.Time
	sessions Sessions

	before   Group    // as stored, live or not
	live     Group    // before, without what had lapsed
	replicas bool     // the replicas, or a state that counts for all topics, changed
	topics   []string // whose rows changed; sorted
	many     bool     // a writer that stopped half way has changed others
	events   []Event
	offline  string  // address of the lowest id that left, before anybody else did
	newcomer *string // HA address of who came with a lower id than all
}

func begin(g Group, sessions Sessions, now time.Time) *transition {
	t := &transition{group: g.Clone(), before: g, now: now, sessions: sessions}
	for _, r := range g.Replicas {
		if !r.Alive(sessions, now) {
			t.remove(r, BrokerEvicted)
		}
	}
	t.live = t.group
	t.live.Replicas = slices.Clone(t.group.Replicas)
	return t
}

// changed says whether anything is to be stored or told.
func (t *transition) changed() bool { return t.replicas || len(t.events) > 0 }

func (t *transition) event(kind EventKind, r Replica) {
	t.events = append(t.events, Event{Kind: kind, At: t.now, Cluster: t.group.Cluster, Broker: t.group.Name, ID: r.ID, Addr: r.Addr})
}

// remove takes the replica out, and with the last one what the group was told.
func (t *transition) remove(r Replica, kind EventKind) {
	i := t.group.indexOf(r.ID)
	if i < 0 {
		return
	}
	t.cut(i)
	t.event(kind, r)
	if i == 0 && t.offline == "" {
		t.offline = r.Addr
	}
	if len(t.group.Replicas) == 0 {
		t.offline = "" // nobody is left to hear it
		t.group.Gone = t.now
		t.group.Override = NoOverride
		t.group.Refused = ""
	}
}

// cut takes out the replica at index i. A slave that is the lowest then is
// heard in full with its next registration, though it says nothing new: its
// topics did not count before.
func (t *transition) cut(i int) {
	t.group.Replicas = slices.Delete(t.group.Replicas, i, i+1)
	t.replicas = true
	if first, ok := t.group.First(); ok && i == 0 && first.contributesAsLowest() {
		t.group.Replicas[0].Digest = 0
	}
}

// put stores the replica under its id.
func (t *transition) put(r Replica) {
	i, found := slices.BinarySearchFunc(t.group.Replicas, r.ID, func(x Replica, id int64) int { return cmp.Compare(x.ID, id) })
	if found {
		t.group.Replicas[i] = r
	} else {
		t.group.Replicas = slices.Insert(t.group.Replicas, i, r)
	}
	t.group.Gone = time.Time{}
}

// owns says why who speaks for a session may not: ErrSessionClosed if it is not
// there, ErrForbidden if it is another's. No session is everybody's.
func (t *transition) owns(session, owner string) error {
	if session == "" {
		return nil
	}
	s, ok := t.sessions.Find(session)
	switch {
	case !ok:
		return fmt.Errorf("session %s: %w", session, ErrSessionClosed)
	case s.Owner != owner:
		return fmt.Errorf("session %s: %w", session, ErrForbidden)
	}
	return nil
}

// vouches is owns for a statement that rests on the session: it has to be alive.
func (t *transition) vouches(session, owner string) error {
	err := t.owns(session, owner)
	if s, ok := t.sessions.Find(session); err == nil && ok && !s.Alive(t.now) {
		return fmt.Errorf("session %s: %w", session, ErrSessionClosed)
	}
	return err
}

// holding returns those of the replica's leases that still hold.
func (t *transition) holding(r Replica) []Lease {
	return slices.DeleteFunc(slices.Clone(r.Leases), func(l Lease) bool {
		return t.now.After(l.deadline(r.Timeout, t.sessions, t.now))
	})
}

// minChange is what the brokers of the group are to hear of its lowest id, by
// what it is in the end. Everybody is told who went, if slaves act as master;
// everybody but the newcomer is told who came (Java: RouteInfoManager
// chooseBrokerAddrsToNotify).
func (t *transition) minChange() (MinBrokerChange, bool) {
	first, ok := t.group.First()
	c := MinBrokerChange{Broker: t.group.Name, MinID: first.ID, MinAddr: first.Addr}
	others := t.group.Replicas
	switch {
	case !ok:
		return c, false
	case t.newcomer != nil:
		c.HAAddr = *t.newcomer
		if len(others) > 1 {
			others = others[1:]
		}
	case t.offline != "" && t.group.EnableActingMaster():
		c.OfflineAddr = t.offline
	default:
		return c, false
	}
	for _, r := range others {
		c.Tell = append(c.Tell, r.Addr)
	}
	slices.Sort(c.Tell)
	return c, true
}

// forget makes every broker of the group be heard in full again.
func (t *transition) forget() {
	for i := range t.group.Replicas {
		t.group.Replicas[i].Digest = 0
	}
}

// topicsChanged notes which topics' rows changed.
func (t *transition) topicsChanged(names []string) {
	if len(names) == 0 && !t.many {
		return
	}
	t.topics = names
	t.events = append(t.events, Event{
		Kind: TopicRouteChanged, At: t.now, Cluster: t.group.Cluster, Broker: t.group.Name,
		Topics: slices.Clone(names[:min(len(names), maxEventTopics)]), Count: len(names),
	})
}

// finish completes the group: with the events in its outbox and the intent to
// raise what changed. It returns that change in full, with what was intended
// before and perhaps not raised.
func (t *transition) finish() Change {
	was, had := t.before.Master()
	is, has := t.group.Master()
	if len(t.before.Replicas) > 0 && (had != has || was.Addr != is.Addr) {
		t.events = append(t.events, Event{
			Kind: MasterChanged, At: t.now, Cluster: t.group.Cluster, Broker: t.group.Name,
			ID: MasterID, Addr: is.Addr, OldAddr: was.Addr,
		})
	}
	t.group.Outbox = append(t.group.Outbox, t.events...)
	if over := len(t.group.Outbox) - maxOutbox; over > 0 {
		t.group.Outbox = slices.Delete(t.group.Outbox, 0, over)
		t.group.Dropped += int64(over)
	}
	change := t.before.Intent
	change.Replicas = change.Replicas || t.replicas || t.shortened()
	change.Many = change.Many || t.many
	change.Topics = union(change.Topics, t.topics)
	t.group.Intent = change
	if len(change.Topics) > maxEventTopics {
		t.group.Intent.Topics, t.group.Intent.Many = nil, true
	}
	return change
}

// shortened says whether a replica that stays may lapse earlier than those
// believe who have read it before, now or when sessions have beaten on: its
// timeout is shorter, or a lease is gone that held. They are to read it again.
func (t *transition) shortened() bool {
	return slices.ContainsFunc(t.group.Replicas, func(r Replica) bool {
		i := t.before.indexOf(r.ID)
		if i < 0 {
			return false
		}
		was := t.before.Replicas[i]
		return r.Timeout < was.Timeout || slices.ContainsFunc(t.holding(was), func(l Lease) bool {
			return !slices.ContainsFunc(r.Leases, func(o Lease) bool { return l.compare(o) == 0 })
		})
	})
}
