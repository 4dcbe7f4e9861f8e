package core

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
	"weak"
)

// Route is where a topic is: the queue rows of its living groups and their
// living replicas, sorted by broker name. It is shared between all who ask and
// never modified.
type Route struct {
	Topic        string
	Rows         []Row // Perm as readers see it
	Brokers      []RouteBroker
	Filters      []FilterServers // sorted by Addr
	OrderConf    string
	HasOrderConf bool
	Revision     Revision // the state it was assembled from

	holds atomic.Pointer[hold] // nil if it rests on no lease
	memo  [routeForms]atomic.Pointer[encoding]

	brokers []string // that have a row of the topic, shown or not
}

// RouteBroker is one group of a route.
type RouteBroker struct {
	Name               string
	Cluster            string
	Addrs              []ReplicaAddr // sorted by ID
	EnableActingMaster bool
	Zone               string
}

// Group returns the group as far as the route shows it.
func (b RouteBroker) Group() Group {
	g := Group{Name: b.Name, Cluster: b.Cluster}
	acting := ActingMasterOff
	if b.EnableActingMaster {
		acting = ActingMasterOn
	}
	for _, a := range b.Addrs {
		g.Replicas = append(g.Replicas, Replica{ID: a.ID, Addr: a.Addr, Zone: b.Zone, ActingMaster: acting})
	}
	return g
}

// ReplicaAddr is where a replica is.
type ReplicaAddr struct {
	ID   int64
	Addr string
}

// FilterServers are the filter servers beside one broker address.
type FilterServers struct {
	Addr    string
	Servers []string
}

// RouteForm numbers the encodings that a front keeps of a route.
type RouteForm uint8

const routeForms = 4

// encoding is one of a route, for as long as the collector leaves it.
type encoding struct {
	first weak.Pointer[byte]
	size  int
}

// Encoded returns the route in one of the asker's encodings, made by encode:
// answers are encoded once per change and collection of memory, not once per
// request. So the encodings of routes that are seldom asked for, which are
// larger than the routes, take no memory. The meaning of form is the caller's.
func (r *Route) Encoded(form RouteForm, encode func(*Route) []byte) []byte {
	known := r.memo[form].Load()
	if known != nil {
		if first := known.first.Value(); first != nil {
			return unsafe.Slice(first, known.size)
		}
	}
	b := encode(r)
	if len(b) > 0 {
		r.memo[form].CompareAndSwap(known, &encoding{weak.Make(&b[0]), len(b)}) // all that were made are the same
	}
	return b
}

// ValidUntil is the first moment at which a lease behind the route could run
// out: a cache asks again after it.
func (r *Route) ValidUntil() time.Time {
	if h := r.holds.Load(); h != nil {
		return h.until
	}
	return time.Time{}
}

// FollowedUntil is ValidUntil for one who hears of the sessions at least every
// FollowTime: leases of sessions that have beaten within it do not count, for he
// notices when one of them stops. The zero time if no other lease is behind the
// route.
func (r *Route) FollowedUntil(sessions Sessions, now time.Time) time.Time {
	h := r.holds.Load()
	if h == nil {
		return time.Time{}
	}
	for _, id := range h.sessions {
		if s, _ := sessions.Find(id); !s.followed(now) {
			return h.until
		}
	}
	return h.others
}

// Silent are the brokers that have the topic and do not live, sorted: it is
// shown at them as soon as they are back.
func (r *Route) Silent() []string {
	var silent []string
	for _, name := range r.brokers {
		_, shown := slices.BinarySearchFunc(r.Brokers, name, func(b RouteBroker, name string) int { return cmp.Compare(b.Name, name) })
		if !shown {
			silent = append(silent, name)
		}
	}
	return silent
}

// Near returns the route as seen from a zone: brokers of that zone, and those
// without a master whatever their zone, so that their messages stay readable
// (Java: ZoneRouteRPCHook). A blank zone is everywhere.
func (r *Route) Near(zone string) *Route {
	if strings.TrimSpace(zone) == "" {
		return r
	}
	near := &Route{Topic: r.Topic, OrderConf: r.OrderConf, HasOrderConf: r.HasOrderConf, Revision: r.Revision}
	near.holds.Store(r.holds.Load())
	keep := map[string]bool{}
	dropped := map[string]bool{}
	for _, b := range r.Brokers {
		master := len(b.Addrs) > 0 && slices.ContainsFunc(b.Addrs, func(a ReplicaAddr) bool { return a.ID == MasterID })
		if master && !strings.EqualFold(b.Zone, zone) {
			for _, a := range b.Addrs {
				dropped[a.Addr] = true
			}
			continue
		}
		keep[b.Name] = true
		near.Brokers = append(near.Brokers, b)
	}
	for _, row := range r.Rows {
		if keep[row.Broker] {
			near.Rows = append(near.Rows, row)
		}
	}
	for _, f := range r.Filters {
		if !dropped[f.Addr] {
			near.Filters = append(near.Filters, f)
		}
	}
	return near
}

// recheckTime is how long it is believed that a replica has lapsed while it is
// not evicted yet: somebody whose clock is behind may still renew it, and a
// renewal raises no revision.
const recheckTime = time.Second

// validity is how long an answer holds that rests on the leases of some groups.
type validity struct {
	first  time.Time // at which one of them could run out; zero: none can
	lapsed bool      // a replica was left out which is not evicted yet

	sessions []string  // that hold replicas, and are followed
	others   time.Time // as first, of the replicas that none of these holds
}

// hold is what a route rests on.
type hold struct {
	until    time.Time // the first moment at which a lease could run out
	sessions []string  // whose leases count as long as they beat, for who follows them
	others   time.Time // as until, without what these hold; zero: nothing else
	early    time.Time // from when on it is worth looking whether others were renewed; zero: when they are over
}

// earlyTime is how long before the end of leases that no session holds a route
// is read again: most were renewed, which raises no revision. So who keeps
// routes, and comes for many in good time, hears of a later end.
const earlyTime = 10 * time.Second

// due says whether the route is to be read again before it is answered.
func (r *Route) due(now time.Time) bool {
	h := r.holds.Load()
	return h == nil || now.After(h.until) || !h.early.IsZero() && now.After(h.early)
}

// judged takes in a group, as it is stored and reduced to what lives.
func (v *validity) judged(stored, live Group, sessions Sessions, now time.Time) {
	v.lapsed = v.lapsed || len(live.Replicas) < len(stored.Replicas)
	for _, r := range live.Replicas {
		d := r.Deadline(sessions, now)
		v.first = sooner(v.first, d)
		if id, ok := r.followed(sessions, now); !ok {
			v.others = sooner(v.others, d)
		} else if !slices.Contains(v.sessions, id) {
			v.sessions = append(v.sessions, id)
		}
	}
}

// sooner is the earlier of two moments, of which the zero time is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// until is the last moment at which the answer made at now is to be believed;
// the zero time if it rests on no lease.
func (v *validity) until(now time.Time) time.Time { return v.hold(now).until }

func (v *validity) hold(now time.Time) *hold {
	h := &hold{until: v.first, sessions: v.sessions, others: v.others}
	if v.lapsed {
		again := now.Add(recheckTime)
		h.until, h.others = sooner(h.until, again), sooner(h.others, again)
	}
	// Of what is left half is waited for at least, so that the last moments of
	// one who has stopped are not read over and over.
	if left := h.others.Sub(now); !h.others.IsZero() && left > 2*recheckTime {
		h.early = h.others.Add(-min(earlyTime, left/2))
	}
	return h
}

// assemble builds the route of a topic from its rows and its groups, whose
// lapsed replicas are left out. The route is nil if no living group has the
// topic; lapsed says that a replica was left out which is not evicted yet.
func assemble(topic string, rows []Row, groups []Group, sessions Sessions, rules Rules, now time.Time) (route *Route, lapsed bool) {
	r := &Route{Topic: topic}
	var v validity
	for _, row := range rows {
		i, ok := slices.BinarySearchFunc(groups, row.Broker, func(g Group, name string) int { return cmp.Compare(g.Name, name) })
		if !ok {
			continue
		}
		g := groups[i].Live(sessions, now)
		v.judged(groups[i], g, sessions, now)
		if len(g.Replicas) == 0 {
			continue
		}
		row.Queues.Perm = g.perm(row.Queues.Perm)
		r.Rows = append(r.Rows, row)
		r.Brokers = append(r.Brokers, routeBroker(g, row, rules))
		for _, replica := range g.Replicas {
			if len(replica.FilterServers) > 0 {
				r.Filters = append(r.Filters, FilterServers{Addr: replica.Addr, Servers: replica.FilterServers})
			}
		}
	}
	if len(r.Rows) == 0 {
		return nil, v.lapsed
	}
	// A broker that came back under another name may be in two groups for a while.
	slices.SortStableFunc(r.Filters, func(a, b FilterServers) int { return cmp.Compare(a.Addr, b.Addr) })
	r.Filters = slices.CompactFunc(r.Filters, func(a, b FilterServers) bool { return a.Addr == b.Addr })
	r.holds.Store(v.hold(now))
	return r, v.lapsed
}

// routeBroker shows the lowest slave as master where the group allows it, has
// no master and does not take writes (Java: RouteInfoManager.pickupTopicRouteData).
func routeBroker(g Group, row Row, rules Rules) RouteBroker {
	b := RouteBroker{Name: g.Name, Cluster: g.Cluster, EnableActingMaster: g.EnableActingMaster(), Zone: g.Zone()}
	b.Addrs = make([]ReplicaAddr, len(g.Replicas))
	for i, r := range g.Replicas {
		b.Addrs[i] = ReplicaAddr{ID: r.ID, Addr: r.Addr}
	}
	_, master := g.Master()
	if rules.ActingMaster && !master && b.EnableActingMaster && row.Queues.Perm&PermWrite == 0 &&
		!strings.HasPrefix(row.Name, memberTopicPrefix) {
		b.Addrs[0].ID = MasterID
		slices.SortFunc(b.Addrs, func(x, y ReplicaAddr) int { return cmp.Compare(x.ID, y.ID) })
	}
	return b
}

// sameContent says whether two routes read the same.
func (r *Route) sameContent(o *Route) bool {
	return r.OrderConf == o.OrderConf && r.HasOrderConf == o.HasOrderConf &&
		slices.EqualFunc(r.Rows, o.Rows, func(a, b Row) bool { return a.Broker == b.Broker && a.Topic.Equal(b.Topic) }) &&
		slices.EqualFunc(r.Brokers, o.Brokers, func(a, b RouteBroker) bool {
			return a.Name == b.Name && a.Cluster == b.Cluster && a.EnableActingMaster == b.EnableActingMaster &&
				a.Zone == b.Zone && slices.Equal(a.Addrs, b.Addrs)
		}) &&
		slices.EqualFunc(r.Filters, o.Filters, func(a, b FilterServers) bool {
			return a.Addr == b.Addr && slices.Equal(a.Servers, b.Servers)
		})
}
