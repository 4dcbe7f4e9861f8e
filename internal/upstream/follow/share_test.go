package follow

import (
	"slices"
	"testing"
	"unsafe"

	"signpost/core"
)

// A route that is read again has of its own only what has changed.
func TestShare(t *testing.T) {
	route := func(addr string, perm int32) *core.Route {
		return &core.Route{
			Topic: "t",
			Brokers: []core.RouteBroker{
				{Name: "a", Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0.1:10911"}}, EnableActingMaster: perm != 6},
				{Name: "b", Addrs: []core.ReplicaAddr{{ID: 0, Addr: addr}}},
			},
			Rows: []core.Row{
				{Broker: "a", Topic: core.Topic{Name: "t", Queues: core.Queues{Perm: 6}}},
				{Broker: "b", Topic: core.Topic{Name: "t", Queues: core.Queues{Perm: perm}}},
			},
		}
	}
	was := share(route("10.0.0.2:10911", 6), nil)
	same := func(a, b []core.ReplicaAddr) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }
	for _, c := range []struct {
		addr      string
		perm      int32
		rows, two bool
	}{
		{"10.0.0.2:10911", 6, true, true}, {"10.0.0.3:10911", 6, true, false}, {"10.0.0.2:10911", 4, false, true},
	} {
		want := route(c.addr, c.perm)
		r := share(route(c.addr, c.perm), was)
		if !slices.Equal(r.Rows, want.Rows) || !slices.EqualFunc(r.Brokers, want.Brokers, func(a, b core.RouteBroker) bool {
			return a.Name == b.Name && a.EnableActingMaster == b.EnableActingMaster && slices.Equal(a.Addrs, b.Addrs)
		}) {
			t.Errorf("%s, %d: %+v", c.addr, c.perm, r)
		}
		if got := unsafe.SliceData(r.Rows) == unsafe.SliceData(was.Rows); got != c.rows {
			t.Errorf("%s, %d: rows are shared: %v", c.addr, c.perm, got)
		}
		if !same(r.Brokers[0].Addrs, was.Brokers[0].Addrs) || same(r.Brokers[1].Addrs, was.Brokers[1].Addrs) != c.two {
			t.Errorf("%s, %d: not the right addresses are shared", c.addr, c.perm)
		}
	}
}

// What was asked for is not kept by the queue in which it waited.
func TestAskerKeepsNothing(t *testing.T) {
	a := newAsker()
	for i := range 10 {
		a.queue(&flight{topic: "t"}, i%2 == 0)
	}
	queues := [][]*flight{a.urgent, a.others}
	if batch := a.next(); len(batch) != 10 || a.queued != 0 || a.urgent != nil || a.others != nil {
		t.Errorf("%d to be asked for, %d left, %d and %d in the queues", len(batch), a.queued, len(a.urgent), len(a.others))
	}
	for _, fl := range slices.Concat(queues...) {
		if fl != nil {
			t.Fatal("it is still in its queue")
		}
	}
}
