package follow

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"signpost/core"
)

func routeOf(topic, addr string, acting bool, perm int32) *core.Route {
	return &core.Route{
		Topic: topic,
		Brokers: []core.RouteBroker{
			{Name: "a", Cluster: "c", Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0.1:10911"}, {ID: 1, Addr: addr}}},
			{Name: "b", Cluster: "c", Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0.2:10911"}}, EnableActingMaster: acting},
		},
		Rows: []core.Row{
			{Broker: "a", Topic: core.Topic{Name: topic, Queues: core.Queues{Perm: 6}}},
			{Broker: "b", Topic: core.Topic{Name: topic, Queues: core.Queues{Perm: perm}}},
		},
	}
}

// A route has of its own only what no other has, nor the one before it.
func TestShare(t *testing.T) {
	was := share(routeOf("t", "10.0.0.3:10911", false, 6), nil)
	for _, c := range []struct {
		topic, addr   string
		acting        bool
		perm          int32
		brokers, rows bool
	}{
		{"t", "10.0.0.3:10911", false, 6, true, true},
		{"u", "10.0.0.3:10911", false, 6, true, false},
		{"t", "10.0.0.3:10911", false, 4, true, false},
		{"t", "10.0.0.4:10911", false, 6, false, true},
		{"t", "10.0.0.3:10911", true, 6, false, true},
	} {
		name := fmt.Sprint(c.topic, c.addr, c.acting, c.perm)
		want, r := routeOf(c.topic, c.addr, c.acting, c.perm), share(routeOf(c.topic, c.addr, c.acting, c.perm), was)
		if !slices.Equal(r.Rows, want.Rows) || !slices.EqualFunc(r.Brokers, want.Brokers, sameBroker) {
			t.Errorf("%s: %+v", name, r)
		}
		if got := unsafe.SliceData(r.Brokers) == unsafe.SliceData(was.Brokers); got != c.brokers {
			t.Errorf("%s: brokers are shared: %v", name, got)
		}
		if got := unsafe.SliceData(r.Rows) == unsafe.SliceData(was.Rows); got != c.rows {
			t.Errorf("%s: rows are shared: %v", name, got)
		}
	}
	runtime.KeepAlive(was)
}

// What no route has any more is forgotten, what one has is not.
func TestListsAreGone(t *testing.T) {
	l := brokerLists{seed: maphash.MakeSeed(), known: map[uint64]brokerList{}}
	var kept [][]core.RouteBroker
	for i := range 4 * leastLists {
		list := l.share([]core.RouteBroker{{Name: fmt.Sprint("b", i)}})
		if i < 10 {
			kept = append(kept, list)
		}
		if i%leastLists == leastLists-1 {
			runtime.GC()
		}
	}
	if len(l.known) > 2*leastLists {
		t.Errorf("%d lists are known", len(l.known))
	}
	for i, list := range kept {
		again := l.share([]core.RouteBroker{{Name: fmt.Sprint("b", i)}})
		if unsafe.SliceData(again) != unsafe.SliceData(list) {
			t.Errorf("list %d is not known any more", i)
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
