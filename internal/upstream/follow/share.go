package follow

import (
	"hash/maphash"
	"slices"
	"sync"
	"unique"
	"unsafe"
	"weak"

	"signpost/core"
)

// share makes routes share what they have in common: names, and the list of
// their brokers, for most topics of a cluster are on the same ones. With the
// route that was known before, if it is not nil, it shares the rows if they are
// the same: while a thousand brokers register every route is read many times,
// and what stays of each time would be strewn over all the memory that this
// takes.
func share(r, was *core.Route) *core.Route {
	r.Brokers = lists.share(r.Brokers)
	if was != nil && slices.Equal(r.Rows, was.Rows) {
		r.Rows = was.Rows
		return r
	}
	for i := range r.Rows {
		r.Rows[i].Broker = shared(r.Rows[i].Broker)
	}
	return r
}

func shared(s string) string { return unique.Make(s).Value() }

// lists is of the process, as the names of package unique are.
var lists = brokerLists{seed: maphash.MakeSeed(), known: map[uint64]brokerList{}}

// brokerLists has the lists of brokers that routes have, for as long as one has
// them.
type brokerLists struct {
	seed maphash.Seed

	mu    sync.Mutex
	known map[uint64]brokerList // by a hash of its content
	bound int                   // of known, at which those are removed that are gone
}

type brokerList struct {
	first weak.Pointer[core.RouteBroker]
	size  int
}

// leastLists is how many lists are never worth to be looked through.
const leastLists = 256

// share returns the list that routes have which has the same in it: the one that
// is given if there is none. It is not to be modified any more.
func (l *brokerLists) share(brokers []core.RouteBroker) []core.RouteBroker {
	if len(brokers) == 0 {
		return brokers
	}
	hash := l.hash(brokers)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.known[hash].get(); slices.EqualFunc(known, brokers, sameBroker) {
		return known
	}
	for i := range brokers {
		b := &brokers[i]
		b.Name, b.Cluster, b.Zone = shared(b.Name), shared(b.Cluster), shared(b.Zone)
		for j := range b.Addrs {
			b.Addrs[j].Addr = shared(b.Addrs[j].Addr)
		}
	}
	if len(l.known) >= max(l.bound, leastLists) {
		for hash, list := range l.known {
			if list.get() == nil {
				delete(l.known, hash)
			}
		}
		l.bound = 2 * len(l.known)
	}
	l.known[hash] = brokerList{weak.Make(&brokers[0]), len(brokers)}
	return brokers
}

// get returns the list, nil if it is gone.
func (b brokerList) get() []core.RouteBroker {
	if first := b.first.Value(); first != nil {
		return unsafe.Slice(first, b.size)
	}
	return nil
}

func (l *brokerLists) hash(brokers []core.RouteBroker) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for i := range brokers {
		b := &brokers[i]
		for _, s := range [...]string{b.Name, b.Cluster, b.Zone} {
			h.WriteString(s)
			h.WriteByte(0)
		}
		maphash.WriteComparable(&h, b.EnableActingMaster)
		for _, a := range b.Addrs {
			maphash.WriteComparable(&h, a)
		}
	}
	return h.Sum64()
}

func sameBroker(a, b core.RouteBroker) bool {
	return a.Name == b.Name && a.Cluster == b.Cluster && a.Zone == b.Zone && a.EnableActingMaster == b.EnableActingMaster &&
		slices.Equal(a.Addrs, b.Addrs)
}
