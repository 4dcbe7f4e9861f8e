package core

import "unsafe"

// A filed route is weighed, with its encodings, so that routes that are asked
// for once do not stay for ever where there is no room for all.

// defaultRouteBytes is Options.RouteBytes if it is 0.
const defaultRouteBytes = 8 << 20

// Sizes of what a route consists of, in bytes: what it takes in memory, with
// what the allocator and the maps that lead to it add, about.
const (
	routeWeight  = int64(unsafe.Sizeof(Route{})) + 128
	rowWeight    = int64(unsafe.Sizeof(Row{}))
	indexWeight  = int64(unsafe.Sizeof("")) + 48 // a broker's name, and its topic in view.topics
	brokerWeight = int64(unsafe.Sizeof(RouteBroker{}))
	addrWeight   = int64(unsafe.Sizeof(ReplicaAddr{}) + 8)
	filterWeight = int64(unsafe.Sizeof(FilterServers{}))
	bytesWeight  = int64(unsafe.Sizeof([]byte{}))
)

// gone is the weight of a route that is not filed any more.
const gone = -1

// bare is the route's weight without encodings.
func (r *Route) bare() int64 {
	w := routeWeight + int64(len(r.Topic)) + int64(len(r.OrderConf)) +
		int64(len(r.Rows))*rowWeight + int64(len(r.brokers))*indexWeight + int64(len(r.Brokers))*brokerWeight + int64(len(r.Filters))*filterWeight
	for i := range r.Brokers {
		w += int64(len(r.Brokers[i].Addrs)) * addrWeight
	}
	return w
}

// filed weighs a route that is about to be found in v.
func (r *Route) filed(v *view) {
	w := r.bare()
	r.view = v
	r.weight.Store(w)
	v.bytes.Add(w)
}

// dropped takes a route's weight from v's.
func (r *Route) dropped(v *view) { v.bytes.Add(-max(0, r.weight.Swap(gone))) }

// grew adds an encoding to the weight of a filed route. If that is too much
// then, others are dropped; not if somebody is at it already: he who comes next
// will do it.
func (r *Route) grew(encoding []byte) {
	if r.view == nil {
		return
	}
	more := bytesWeight + int64(cap(encoding))
	for w := r.weight.Load(); w != gone; w = r.weight.Load() {
		if r.weight.CompareAndSwap(w, w+more) {
			r.view.grew(more)
			return
		}
	}
}

func (v *view) grew(more int64) {
	if v.bytes.Add(more) <= v.limit || !v.follow.TryLock() {
		return
	}
	defer v.follow.Unlock()
	v.shed(v.limit)
}
