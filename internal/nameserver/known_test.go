package nameserver_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

// remembering knows some of what a registry says, whose lookups it holds up.
type remembering struct {
	*core.Registry
	routes map[string]*core.Route // nil: there is none
	order  map[string]string
	stale  bool // order is not to be answered
	asked  atomic.Int64
	open   chan struct{} // closed: lookups go on
}

func (r *remembering) KnownRoute(_ time.Time, topic string) (*core.Route, error, bool) {
	if topic == "broken" {
		panic("a fault of its own")
	}
	route, ok := r.routes[topic]
	switch {
	case !ok:
		return nil, nil, false
	case route == nil:
		return nil, fmt.Errorf("known: %w", &core.NoTopicError{}), true
	}
	return route, nil, true
}

func (r *remembering) KnownOrder() (map[string]string, bool) { return r.order, !r.stale }

func (r *remembering) Route(ctx context.Context, now time.Time, topic string) (*core.Route, error) {
	r.asked.Add(1)
	resume := core.Waiting(ctx)
	<-r.open
	resume()
	return r.Registry.Route(ctx, now, topic)
}

func (r *remembering) KV(context.Context, string) (map[string]string, error) {
	r.asked.Add(1)
	return map[string]string{"t1": "asked:1"}, nil
}

func TestWhatIsKnownIsAnsweredAtOnce(t *testing.T) {
	var r *remembering
	f := start(t, func(o *nameserver.Options) {
		r = &remembering{Registry: o.Registry.(*core.Registry), open: make(chan struct{}), order: map[string]string{"t1": "known:1"},
			routes: map[string]*core.Route{"known": {Topic: "known", Brokers: []core.RouteBroker{{Name: "b9"}}}, "absent": nil}}
		o.Registry, o.Known, o.Local = r, r, false
	})
	// More lookups than may be worked on at a time wait for something else, and
	// on this very connection.
	c := f.dial()
	waiting := []remoting.Command{routeOf("u1"), routeOf("u2"), routeOf("u3"), routeOf("u4")}
	c.send(waiting...)
	if got := c.call(routeOf("known")); got.Code != remoting.Success || string(got.Body) == "" {
		t.Errorf("a known route is answered %v %q", got.Code, got.Remark)
	}
	if got := c.call(routeOf("absent")); got.Code != remoting.TopicNotExist {
		t.Errorf("a topic known to be absent is answered %v %q", got.Code, got.Remark)
	}
	// Those that wait have to be asked for before the service is off.
	for end := time.Now().Add(20 * time.Second); r.asked.Load() < int64(len(waiting)) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	f.switches.Store(&nameserver.Switches{ServiceFrom: time.Now().Add(time.Hour)})
	if got := c.call(routeOf("known")); got.Code != remoting.SystemError {
		t.Errorf("before the service begins a known route is answered %v", got.Code)
	}
	close(r.open)
	topics := map[int32]string{} // by opaque
	for _, cmd := range waiting {
		topics[cmd.Opaque], _ = cmd.ExtFields.Get("topic")
	}
	for range waiting {
		got := c.receive()
		if got.Code != remoting.TopicNotExist || !strings.Contains(got.Remark, ": "+topics[got.Opaque]+"\n") {
			t.Errorf("%s is answered %v %q", topics[got.Opaque], got.Code, got.Remark)
		}
	}
	if n := r.asked.Load(); n != int64(len(waiting)) {
		t.Errorf("%d topics are asked for", n)
	}
}

func TestAnUnchangedRegistrationWaitsForNothing(t *testing.T) {
	var r *remembering
	f := start(t, func(o *nameserver.Options) {
		r = &remembering{Registry: o.Registry.(*core.Registry), order: map[string]string{"t1": "known:1"}}
		o.Registry, o.Known, o.Local = r, r, false
	})
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "t1"))
	first := r.asked.Load()
	again := func() string { return string(c.call(registration("b1", "10.0.0.1:10911", 0, "t1")).Body) }
	if got := again(); got != `{"table":{"t1":"known:1"}}` || r.asked.Load() != first {
		t.Errorf("answered %s, after asking", got)
	}
	r.stale = true
	if got := again(); got != `{"table":{"t1":"asked:1"}}` || r.asked.Load() != first+1 {
		t.Errorf("while it is not known, answered %s", got)
	}
	r.stale, r.order = false, nil
	if got := again(); got != "" || r.asked.Load() != first+1 {
		t.Errorf("without any, answered %s", got)
	}
}

func TestWhoPanicsHasNotAnswered(t *testing.T) {
	f := start(t, func(o *nameserver.Options) {
		r := &remembering{Registry: o.Registry.(*core.Registry), open: make(chan struct{})}
		close(r.open)
		o.Registry, o.Known, o.Local = r, r, false
	})
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "broken"))
	if got := c.call(routeOf("broken")); got.Code != remoting.Success {
		t.Errorf("answered %v %q", got.Code, got.Remark)
	}
}
