//go:build linux

package measure

import (
	"fmt"

	"signpost/bench/load"
)

// sampling is how many answers go unread for one that is compared with what
// the fleet registered.
const sampling = 1021

// traffic makes the works of one fleet against one server.
type traffic struct {
	fleet  load.Fleet
	canned bool
	routes []load.Request // by topic
	bodies []load.Request // registrations of version 0, by broker
	rng    uint32
	seen   int
}

func newTraffic(fleet load.Fleet, canned bool) (*traffic, error) {
	t := &traffic{fleet: fleet, canned: canned, rng: 2463534242}
	for i := range fleet.Topics {
		r, err := load.RouteRequest(fleet.Topic(i))
		if err != nil {
			return nil, err
		}
		t.routes = append(t.routes, r)
	}
	var err error
	t.bodies, err = t.version(0)
	return t, err
}

// version prepares the registrations of all brokers with that topic set.
func (t *traffic) version(v int) ([]load.Request, error) {
	requests := make([]load.Request, t.fleet.Brokers)
	for b := range requests {
		r, err := load.RegisterRequest(t.fleet.Broker(b), t.fleet.Body(b, v))
		if err != nil {
			return nil, err
		}
		requests[b] = r
	}
	return requests, nil
}

// random returns a number below n (xorshift: the same sequence in every run).
func (t *traffic) random(n int) int {
	t.rng ^= t.rng << 13
	t.rng ^= t.rng >> 17
	t.rng ^= t.rng << 5
	return int(t.rng) % n
}

// reads asks for random topics. Exact says that no broker changes meanwhile.
func (t *traffic) reads(conns []*load.Conn, inFlight int, exact bool) *load.Work {
	return &load.Work{
		Conns:    conns,
		InFlight: inFlight,
		Next: func(int) (*load.Request, int) {
			n := t.random(len(t.routes))
			return &t.routes[n], n
		},
		Check: func(topic int, a load.Answer) error { return t.checkRoute(topic, a, exact) },
	}
}

// everyRoute asks for each topic once.
func (t *traffic) everyRoute(conns []*load.Conn) *load.Work {
	next := 0
	w := t.reads(conns, 8, true)
	w.Limit = len(t.routes)
	w.Next = func(int) (*load.Request, int) {
		n := next % len(t.routes)
		next++
		return &t.routes[n], n
	}
	return w
}

func (t *traffic) checkRoute(topic int, a load.Answer, exact bool) error {
	if a.Code != 0 || len(a.Body) == 0 {
		return fmt.Errorf("the route of %s: code %d with %d bytes: %q", t.fleet.Topic(topic), a.Code, len(a.Body), a.Header)
	}
	t.seen++
	if t.seen%sampling != 1 {
		return nil
	}
	if t.canned {
		topic = 0
	}
	return t.fleet.CheckRoute(topic, a.Body, exact)
}

// registrations sends each connection's broker's request of sets[0], then of
// sets[1] and so on, and begins again. Connection i is broker i.
func (t *traffic) registrations(conns []*load.Conn, sets ...[]load.Request) *load.Work {
	turn := make([]int, len(conns))
	return &load.Work{
		Conns:    conns,
		InFlight: 1,
		Next: func(conn int) (*load.Request, int) {
			set := sets[turn[conn]%len(sets)]
			turn[conn]++
			return &set[conn], conn
		},
		Check: func(broker int, a load.Answer) error {
			if a.Code != 0 {
				return fmt.Errorf("the registration of %s: code %d: %q", t.fleet.Broker(broker).Name, a.Code, a.Header)
			}
			return nil
		},
	}
}

// once makes w end after one request a connection.
func once(w *load.Work) *load.Work {
	w.Limit = len(w.Conns)
	return w
}
