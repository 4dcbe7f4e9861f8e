package core

import (
	"cmp"
	"slices"
	"time"
)

// MasterID is the brokerId of a group's master (Java: MixAll.MASTER_ID).
const MasterID = 0

// DataVersion is a broker's version of its topic table (Java: DataVersion).
// Only equality counts; it is no order.
type DataVersion struct {
	StateVersion int64
	Timestamp    int64 // milliseconds, by the broker's clock
	Counter      int64
}

// Override is an operator's write permission for a whole group, applied on
// read so that what brokers say of themselves is never lost.
type Override uint8

// The override's states. They follow Java's RouteInfoManager, which rewrites
// the rows: wipe clears the write bit, add sets 6 whatever was there.
const (
	NoOverride     Override = iota
	Wiped                   // perm & ~2
	Added                   // 6
	AddedThenWiped          // 4
)

func (o Override) wipe() Override {
	if o == Added || o == AddedThenWiped {
		return AddedThenWiped
	}
	return Wiped
}

func (o Override) apply(perm int32) int32 {
	switch o {
	case Wiped:
		return perm &^ PermWrite
	case Added:
		return PermReadWrite
	case AddedThenWiped:
		return PermRead
	default:
		return perm
	}
}

// Replica is one broker process of a group.
type Replica struct {
	ID            int64
	Addr          string // ip:port
	HAAddr        string
	Zone          string
	Timeout       time.Duration // how long it lives after a heartbeat
	ActingMaster  ActingMaster
	DataVersion   DataVersion
	FilterServers []string // sorted as sent; nil is none

	// Digest covers everything its last accepted registration said; 0 if
	// that must be heard again.
	Digest     uint64
	Registered time.Time // when that registration was said
	Said       time.Time // its newest accepted statement, heartbeats included
	Leases     []Lease   // sorted by Session and Front
}

// contributesAsLowest says whether the replica is a slave whose topics count
// while it is the lowest (Java: isPrimeSlave).
func (r Replica) contributesAsLowest() bool {
	return r.ID != MasterID && r.ActingMaster != ActingMasterUnknown
}

// ActingMaster is a broker's word on slaves acting as master: a broker before
// 5.0 says nothing of it.
type ActingMaster uint8

// What a registration can say in its enableActingMaster header.
const (
	ActingMasterUnknown ActingMaster = iota // absent: a broker before 5.0
	ActingMasterOff
	ActingMasterOn
)

// Deadline is the last moment at which the replica is alive, as far as is known
// at now, by the lease that lasts longest; the zero time if none holds.
func (r Replica) Deadline(sessions Sessions, now time.Time) time.Time {
	var last time.Time
	for _, l := range r.Leases {
		if d := l.deadline(r.Timeout, sessions, now); d.After(last) {
			last = d
		}
	}
	return last
}

// followed returns a session that holds the replica and goes on beating.
func (r Replica) followed(sessions Sessions, now time.Time) (id string, ok bool) {
	for _, l := range r.Leases {
		if s, _ := sessions.Find(l.Session); s.followed(now) {
			return l.Session, true
		}
	}
	return "", false
}

// Alive is the one function that decides whether a broker is there (rule 1).
func (r Replica) Alive(sessions Sessions, now time.Time) bool {
	d := r.Deadline(sessions, now)
	return !d.IsZero() && !now.After(d)
}

// Writer is the token of the one writer that stores a group's topics at a
// time. It ends by itself, so a crashed writer blocks nobody for long. A token
// that has ended and still stands tells that its writer stopped half way:
// which topics it has changed is not known.
type Writer struct {
	ID    string // "" while nobody writes
	Until time.Time
}

func (w Writer) active(now time.Time) bool  { return w.ID != "" && !now.After(w.Until) }
func (w Writer) stopped(now time.Time) bool { return w.ID != "" && now.After(w.Until) }

// Group is one brokerName with its replicas. Values handed out by a Store or
// a Registry are never modified: changes are made on a clone.
type Group struct {
	Name     string
	Cluster  string
	Replicas []Replica // sorted by ID
	Override Override

	// What statements have to be newer than: to bring back a replica, to add
	// topics, to end the override.
	Said       time.Time // last removal of a replica
	Deleted    time.Time // last deletion of a topic
	Overridden time.Time // last word on Override

	Gone    time.Time // when the last replica went; zero while there is one
	Writer  Writer
	Intent  Change  // stored, but perhaps not raised; its Revision is 0
	Outbox  []Event // not published; oldest first
	Dropped int64   // outbox entries lost to its bound
	Refused string  // the cluster that was refused the name last, so that its next tries are no news

	// Version is the store's, for its conditional writes; 0 is "not stored".
	Version uint64
}

// Clone returns a copy whose slices may be modified, nested ones apart.
func (g Group) Clone() Group {
	g.Replicas = slices.Clone(g.Replicas)
	for i := range g.Replicas {
		g.Replicas[i].Leases = slices.Clone(g.Replicas[i].Leases)
	}
	g.Outbox = slices.Clone(g.Outbox)
	return g
}

// Replica returns the index of the replica with that id, or -1.
func (g Group) indexOf(id int64) int {
	i, ok := slices.BinarySearchFunc(g.Replicas, id, func(r Replica, id int64) int { return cmp.Compare(r.ID, id) })
	if !ok {
		return -1
	}
	return i
}

// indexOfAddr returns the index of the replica at that address, or -1.
func (g Group) indexOfAddr(addr string) int {
	return slices.IndexFunc(g.Replicas, func(r Replica) bool { return r.Addr == addr })
}

// unsettled says that a writer has stored something that readers may not have
// been told of.
func (g Group) unsettled() bool {
	return !g.Intent.empty() || slices.ContainsFunc(g.Outbox, func(e Event) bool { return e.Revision == 0 })
}

// Live returns the group with only the replicas that are alive at now.
func (g Group) Live(sessions Sessions, now time.Time) Group {
	lapsed := slices.ContainsFunc(g.Replicas, func(r Replica) bool { return !r.Alive(sessions, now) })
	if lapsed {
		g.Replicas = slices.DeleteFunc(slices.Clone(g.Replicas), func(r Replica) bool { return !r.Alive(sessions, now) })
	}
	return g
}

// FollowedUntil is the first moment at which a replica could go by its leases;
// see Route.FollowedUntil.
func (g Group) FollowedUntil(sessions Sessions, now time.Time) (until time.Time) {
	for _, r := range g.Replicas {
		if _, ok := r.followed(sessions, now); ok {
			continue
		}
		d := r.Deadline(sessions, now)
		if d.IsZero() { // by these sessions it is gone already
			d = now
		}
		until = sooner(until, d)
	}
	return until
}

// Master returns the replica with id 0.
func (g Group) Master() (Replica, bool) {
	if i := g.indexOf(MasterID); i >= 0 {
		return g.Replicas[i], true
	}
	return Replica{}, false
}

// First returns the replica with the lowest id: the master, or else the one
// that would act as master.
func (g Group) First() (Replica, bool) {
	if len(g.Replicas) == 0 {
		return Replica{}, false
	}
	return g.Replicas[0], true
}

// EnableActingMaster is the lowest replica's word. Java keeps the word of
// whoever registered last, which flips while replicas disagree.
func (g Group) EnableActingMaster() bool {
	r, ok := g.First()
	return ok && r.ActingMaster == ActingMasterOn
}

// Zone is the lowest replica's zone; see EnableActingMaster.
func (g Group) Zone() string {
	r, _ := g.First()
	return r.Zone
}

// perm is what readers see of a raw permission, for a group reduced to its
// live replicas: the operator's override, and no writing while a slave stands
// in for an absent master.
func (g Group) perm(raw int32) int32 {
	perm := g.Override.apply(raw)
	if _, ok := g.Master(); !ok && g.EnableActingMaster() {
		perm &^= PermWrite
	}
	return perm
}
