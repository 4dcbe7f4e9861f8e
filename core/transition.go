package core

import (
	"cmp"
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

	before   Group // as stored, live or not
	live     Group // before, without what had lapsed
	replicas bool  // the replicas, or a state that counts for all topics, changed
	events   []Event
	min      []MinBrokerChange
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

// remove takes the replica out, and the group's override with the last one.
func (t *transition) remove(r Replica, kind EventKind) {
	i := t.group.indexOf(r.ID)
	if i < 0 {
		return
	}
	wasFirst := i == 0
	t.group.Replicas = slices.Delete(t.group.Replicas, i, i+1)
	t.replicas = true
	t.event(kind, r)
	if len(t.group.Replicas) == 0 {
		t.group.Gone = t.now
		t.group.Override = NoOverride
		return
	}
	if wasFirst && t.group.EnableActingMaster() {
		t.tellMin(r.Addr, "")
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

// holding returns those of the replica's leases that still hold.
func (t *transition) holding(r Replica) []Lease {
	return slices.DeleteFunc(slices.Clone(r.Leases), func(l Lease) bool {
		return t.now.After(l.deadline(r.Timeout, t.sessions))
	})
}

// tellMin notes that the lowest id has changed. Everybody is told who went;
// everybody but the newcomer is told who came (Java: RouteInfoManager
// chooseBrokerAddrsToNotify).
func (t *transition) tellMin(offline, ha string) {
	first := t.group.Replicas[0]
	c := MinBrokerChange{Broker: t.group.Name, MinID: first.ID, MinAddr: first.Addr, OfflineAddr: offline, HAAddr: ha}
	for i, r := range t.group.Replicas {
		if i > 0 || offline != "" || len(t.group.Replicas) == 1 {
			c.Tell = append(c.Tell, r.Addr)
		}
	}
	slices.Sort(c.Tell)
	t.min = append(t.min, c)
}

// forget makes every broker of the group be heard in full again.
func (t *transition) forget() {
	for i := range t.group.Replicas {
		t.group.Replicas[i].Digest = 0
	}
}

// topicsChanged notes which topics' rows changed.
func (t *transition) topicsChanged(names []string) {
	if len(names) == 0 {
		return
	}
	t.events = append(t.events, Event{
		Kind: TopicRouteChanged, At: t.now, Cluster: t.group.Cluster, Broker: t.group.Name,
		Topics: names[:min(len(names), maxEventTopics)], Count: len(names),
	})
}

// finish compares masters and moves the events to the outbox.
func (t *transition) finish() {
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
}

// topicNames is a list of changed topics without repetition.
type topicNames []string

func (n topicNames) add(more []string) topicNames {
	if len(n) == 0 {
		return more
	}
	all := append(slices.Clone(n), more...)
	slices.Sort(all)
	return slices.Compact(all)
}
