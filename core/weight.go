package core

import "unsafe"

// A filed route is weighed, so that routes that are asked for once do not stay
// for ever where there is no room for all.

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
)

// weight is that of the route without its encodings, which the collector takes.
func (r *Route) weight() int64 {
	w := routeWeight + int64(len(r.Topic)) + int64(len(r.OrderConf)) +
		int64(len(r.Rows))*rowWeight + int64(len(r.brokers))*indexWeight + int64(len(r.Brokers))*brokerWeight + int64(len(r.Filters))*filterWeight
	for i := range r.Brokers {
		w += int64(len(r.Brokers[i].Addrs)) * addrWeight
	}
	return w
}
