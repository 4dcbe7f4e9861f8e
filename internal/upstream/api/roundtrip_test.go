package api_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/upstream/api"
	"signpost/internal/wire"
)

func same[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}

func TestSession(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	head, err := w.OpenSession(ctx, "s-1", "gw-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the opened session", head.Sessions, []api.SessionLeft{{ID: "s-1", Gateway: "gw-1", Remaining: 30 * time.Second}})
	if _, err := w.OpenSession(ctx, "s-1", "gw-1", 0); err != nil {
		t.Errorf("opening it again: %v", err) // the answer to the first time may be lost
	}
	raised := w.register("s-1", w.broker("b1", 0, "t1", "t2")).Meta.Revision

	w.clock.step(4 * time.Second)
	head, err = w.BeatSession(ctx, "s-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the head", head, api.SessionHead{
		Meta: api.Meta{Revision: raised}, Complete: true,
		Changes:  []core.Change{{Revision: raised, Broker: "b1", Replicas: true, Topics: []string{"t1", "t2"}}},
		Sessions: []api.SessionLeft{{ID: "s-1", Gateway: "gw-1", Remaining: 30 * time.Second}},
	})
	if head, err = w.BeatSession(ctx, "s-1", raised); err != nil || len(head.Changes) > 0 || !head.Complete {
		t.Errorf("who knows all hears %+v, %v", head, err)
	}
	w.session("s-2")
	w.clock.step(10 * time.Second)
	if head, err = w.BeatSession(ctx, "s-1", raised); err != nil {
		t.Fatal(err)
	}
	same(t, "the sessions", head.Sessions, []api.SessionLeft{
		{ID: "s-1", Gateway: "gw-1", Remaining: 30 * time.Second},
		{ID: "s-2", Gateway: "gw-s-2", Age: 10 * time.Second, Remaining: 20 * time.Second},
	})

	w.clock.step(31 * time.Second)
	if _, err := w.BeatSession(ctx, "s-1", raised); !errors.Is(err, core.ErrSessionClosed) {
		t.Errorf("the beat of a session that ran out: %v", err)
	}
	if _, err := w.as("another").OpenSession(ctx, "s-2", "gw-1", 0); !errors.Is(err, core.ErrForbidden) && !errors.Is(err, core.ErrSessionClosed) {
		t.Errorf("another's session: %v", err)
	}
}

func TestRegister(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprint("uncompressed=", plain), func(t *testing.T) {
			w := newWorld(t)
			w.options.Uncompressed = plain
			w.Client = w.client(w.options)
			s := w.session("s-1")
			master := w.broker("b1", 0, "orders", "%RETRY%billing")
			master.ActingMaster, master.Zone = core.ActingMasterOn, "z1"
			said := w.register(s, master)
			if said.Registered.Revision == 0 || said.Meta.Revision < said.Registered.Revision {
				t.Errorf("raised %d, at %d", said.Registered.Revision, said.Meta.Revision)
			}
			version := content("orders", "%RETRY%billing").DataVersion
			replica := func(id int64) core.Replica {
				return core.Replica{
					ID: id, Addr: addrOf("b1", id), HAAddr: addrOf("b1", id) + "2", Zone: "z1", Timeout: 2 * time.Minute,
					ActingMaster: core.ActingMasterOn, DataVersion: version, Leases: []core.Lease{{Session: s}},
				}
			}
			same(t, "the group", said.Group, api.Group{
				Group:    core.Group{Name: "b1", Cluster: "c1", Replicas: []core.Replica{replica(0)}},
				ValidFor: time.Hour,
			})
			if again := w.register(s, master); again.Registered.Revision != 0 {
				t.Errorf("an unchanged registration raised %d", again.Registered.Revision)
			}
			slave := w.broker("b1", 1, "orders", "%RETRY%billing")
			slave.ActingMaster, slave.Zone = core.ActingMasterOn, "z1"
			said = w.register(s, slave)
			same(t, "what a slave is told", [2]string{said.MasterAddr, said.HAAddr}, [2]string{addrOf("b1", 0), addrOf("b1", 0) + "2"})
			same(t, "the group of two", said.Group.Replicas, []core.Replica{replica(0), replica(1)})

			more := w.broker("b1", 0, "added")
			more.ActingMaster = core.ActingMasterOn
			w.register(s, more)
			names, _, err := w.Topics(t.Context(), core.AllTopics, "c1")
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the topics, merged", names, []string{"%RETRY%billing", "added", "orders"})
		})
	}
}

func TestRegisterSaysItsAge(t *testing.T) {
	w := newWorld(t)
	s := w.session("s-1")
	r := w.broker("b1", 0, "t1", "t2")
	w.register(s, r)
	w.clock.step(5 * time.Second)
	if _, err := w.Unregister(t.Context(), s, leaves(r, w.clock.now())); err != nil {
		t.Fatal(err)
	}
	w.clock.step(time.Second)
	if _, err := w.Register(t.Context(), s, r); !errors.Is(err, core.ErrStale) {
		t.Errorf("what was said before the broker left: %v", err)
	}
	r.Said = w.clock.now()
	w.register(s, r)
	w.clock.step(time.Second)
	if _, err := w.Unregister(t.Context(), s, leaves(r, r.Said.Add(-500*time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Group(t.Context(), "b1"); err != nil {
		t.Errorf("a departure from before took the broker out: %v", err)
	}
}

// leaves is the departure of a broker that was registered.
func leaves(r api.Registration, said time.Time) api.Departure {
	return api.Departure{Departure: core.Departure{Cluster: r.Cluster, Broker: r.Broker, ID: r.ID, Addr: r.Addr}, Said: said}
}

func TestUnregisterEndsOneLeaseOnly(t *testing.T) {
	w := newWorld(t)
	s1, s2 := w.session("s-1"), w.session("s-2")
	r := w.broker("b1", 0, "t1", "t2")
	w.register(s1, r)
	w.register(s2, r)
	w.clock.step(time.Second)
	d := leaves(r, w.clock.now())
	d.LeaseOnly = true
	if _, err := w.Unregister(t.Context(), s1, d); err != nil {
		t.Fatal(err)
	}
	g, _, err := w.Group(t.Context(), "b1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the leases that are left", g.Replicas[0].Leases, []core.Lease{{Session: s2}})
	meta, err := w.Unregister(t.Context(), s2, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, at, err := w.Group(t.Context(), "b1"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the broker that nobody holds: %v (at %d, raised %d)", err, at.Revision, meta.Revision)
	}
	w.register(s1, w.broker("b1", 0, "t1", "t2"))
	w.register(s2, w.broker("b1", 0, "t1", "t2"))
	w.clock.step(time.Second)
	if _, err := w.Unregister(t.Context(), s1, leaves(r, w.clock.now())); err != nil { // for all
		t.Fatal(err)
	}
	if _, _, err := w.Group(t.Context(), "b1"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the broker that left: %v", err)
	}
}

func TestNothingIsSaidInNobodysName(t *testing.T) {
	w := newWorld(t)
	r := w.broker("b1", 0, "t1", "t2")
	d := leaves(r, w.clock.now())
	d.LeaseOnly = true
	_, register := w.Register(t.Context(), "", r)
	_, _, beats := w.Beats(t.Context(), "", []api.Beat{{}})
	_, unregister := w.Unregister(t.Context(), "", d)
	for _, err := range []error{register, beats, unregister} {
		var field *core.FieldError
		if !errors.As(err, &field) || field.Field != "session" {
			t.Errorf("without a session: %v", err)
		}
	}
}

func TestBeats(t *testing.T) {
	w := newWorld(t)
	s1, s2 := w.session("s-1"), w.session("s-2")
	r := w.broker("b1", 0, "t1", "t2")
	w.register(s1, r)
	beat := func(broker string, id int64) api.Beat {
		return api.Beat{Beat: core.Beat{Cluster: "c1", Broker: broker, ID: id, HasID: true, Addr: addrOf(broker, id)}, Said: w.clock.now()}
	}
	other := core.DataVersion{Counter: 99}
	changed := beat("b1", 0)
	changed.DataVersion = &other
	w.clock.step(time.Second)
	confirmed, _, err := w.Beats(t.Context(), s2, []api.Beat{beat("b1", 0), beat("nobody", 0), changed, beat("b1", 1)})
	if err != nil {
		t.Fatal(err)
	}
	var answers []core.BeatAnswer
	for _, c := range confirmed {
		answers = append(answers, c.Answer)
	}
	same(t, "the answers", answers, []core.BeatAnswer{core.BeatOK, core.BeatRegister, core.BeatRegister, core.BeatRegister})
	same(t, "the group", confirmed[0].Group.Replicas[0].Leases, []core.Lease{{Session: s1}, {Session: s2}})
	same(t, "nobody's group", confirmed[1].Group, api.Group{Group: core.Group{Name: "nobody"}, ValidFor: time.Hour})
	same(t, "the group again", confirmed[3].Group, confirmed[0].Group)

	gone := beat("b1", 0) // said before it left
	w.clock.step(time.Second)
	if _, err := w.Unregister(t.Context(), s1, leaves(r, w.clock.now())); err != nil {
		t.Fatal(err)
	}
	if confirmed, _, err = w.Beats(t.Context(), s1, []api.Beat{gone}); err != nil || confirmed[0].Answer != core.BeatGone {
		t.Errorf("a broker that left: %v, %v", confirmed, err)
	}
	if _, _, err := w.Beats(t.Context(), s1, make([]api.Beat, api.MaxBatch+1)); err == nil {
		t.Error("more beats than fit a call")
	}
	if confirmed, _, err = w.Beats(t.Context(), s1, nil); err != nil || len(confirmed) > 0 {
		t.Errorf("no beats at all: %v, %v", confirmed, err)
	}
	many := make([]api.Beat, api.MaxBatch)
	for i := range many {
		many[i] = beat(fmt.Sprintf("broker-%04d", i), 0)
	}
	if confirmed, _, err = w.Beats(t.Context(), s1, many); err != nil || len(confirmed) != len(many) {
		t.Errorf("as many as fit: %d, %v", len(confirmed), err)
	}
}

func TestRoutes(t *testing.T) {
	w := newWorld(t)
	s := w.session("s-1")
	w.register(s, w.broker("b1", 0, "t1", "%RETRY%a & b"))
	w.register(s, w.broker("b2", 0, "t1", "t2"))
	ask := func(q api.RoutesQuery) api.Routes {
		t.Helper()
		routes, err := w.Routes(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return routes
	}
	first := ask(api.RoutesQuery{Topics: []api.KnownRoute{{Topic: "t1"}, {Topic: "%RETRY%a & b"}, {Topic: "none"}}})
	var statuses []api.RouteStatus
	for _, r := range first.Routes {
		statuses = append(statuses, r.Status)
	}
	same(t, "the statuses", statuses, []api.RouteStatus{api.RouteChanged, api.RouteChanged, api.RouteAbsent})
	route, err := wire.DecodeRoute("t1", first.Routes[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(route.Brokers) != 2 || route.Rows[0].Queues != (core.Queues{Read: 8, Write: 4, Perm: 6}) {
		t.Errorf("the route is %+v", route)
	}
	if got := first.Routes[0].ValidFor; got != time.Hour {
		t.Errorf("a route of brokers that a session holds may be kept for %v", got)
	}
	second := ask(api.RoutesQuery{Revision: first.Revision, Topics: []api.KnownRoute{{Topic: "t1", ETag: first.Routes[0].ETag}}})
	if got := second.Routes[0]; got.Status != api.RouteUnchanged || got.Body != nil {
		t.Errorf("what is known comes as %+v", got)
	}
	w.clock.step(time.Second)
	if _, err := w.Unregister(t.Context(), s, leaves(w.broker("b2", 0), w.clock.now())); err != nil {
		t.Fatal(err)
	}
	third := ask(api.RoutesQuery{Revision: second.Revision, Consistent: true, Topics: []api.KnownRoute{{Topic: "t1", ETag: first.Routes[0].ETag}}})
	if got := third.Routes[0]; got.Status != api.RouteChanged || !slices.Equal(got.Silent, []string{"b2"}) {
		t.Errorf("without b2 it is %+v", got)
	}

	longest := strings.Repeat("x", 512)
	if got := ask(api.RoutesQuery{Topics: []api.KnownRoute{{Topic: longest}}}); got.Routes[0].Status != api.RouteAbsent {
		t.Errorf("the longest name is answered %+v", got)
	}
	var field *core.FieldError
	for _, topic := range []string{"\xff", "a\nb", "a\x7f", longest + "x"} {
		if _, err := w.Routes(t.Context(), api.RoutesQuery{Topics: []api.KnownRoute{{Topic: topic}}}); !errors.As(err, &field) || field.Field != "topic" {
			t.Errorf("topic %.10q: %v", topic, err)
		}
	}
}

func TestRoutesLeaveForLater(t *testing.T) {
	const brokers, topics = 5, 100
	w := newWorld(t, func(o *httpapi.Options) { o.Limits.Answer = brokers * topics * 100 }) // less than half of it all
	s := w.session("s-1")
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprintf("topic-%04d", i)
	}
	body := bodyOf(t, content(names...))
	for i := range brokers {
		r := w.broker(fmt.Sprintf("broker-%04d", i), 0)
		r.Body = body
		w.register(s, r)
	}
	q := api.RoutesQuery{}
	for _, name := range names {
		q.Topics = append(q.Topics, api.KnownRoute{Topic: name})
	}
	for rounds := 1; len(q.Topics) > 0; rounds++ {
		routes, err := w.Routes(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if rounds == 1 && routes.Routes[topics-1].Status != api.RouteLater {
			t.Fatal("all of them came at once")
		}
		q.Topics = nil
		for _, r := range routes.Routes {
			if r.Status == api.RouteLater {
				q.Topics = append(q.Topics, api.KnownRoute{Topic: r.Topic})
			}
		}
		if rounds > 5 {
			t.Fatalf("%d topics are never answered", len(q.Topics))
		}
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	s := w.session("s-1")
	w.register(s, w.broker("b2", 0, "t1", "t2"))
	slave := w.broker("b1", 1, "t1", "t3")
	slave.ActingMaster = core.ActingMasterOff // a slave of 5.x: its topics count
	w.register(s, slave)

	groups, meta, err := w.Clusters(ctx)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the clusters", groups, []core.Group{
		{Name: "b1", Cluster: "c1", Replicas: []core.Replica{{ID: 1, Addr: addrOf("b1", 1), ActingMaster: core.ActingMasterOff}}},
		{Name: "b2", Cluster: "c1", Replicas: []core.Replica{{ID: 0, Addr: addrOf("b2", 0), ActingMaster: core.ActingMasterOff}}},
	})
	if meta.ValidFor != 30*time.Second || meta.Revision == 0 || meta.Guarded {
		t.Errorf("the list is at %+v", meta)
	}
	held, err := w.Leases(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the leases", held, []core.Held{{Cluster: "c1", Broker: "b1", ID: 1, Addr: addrOf("b1", 1)}, {Cluster: "c1", Broker: "b2", Addr: addrOf("b2", 0)}})
	if held, err = w.Leases(ctx, "s-2"); err != nil || len(held) > 0 {
		t.Errorf("another session holds %v, %v", held, err)
	}

	// A broker that heartbeats by itself.
	now := w.clock.now()
	if _, err := w.registry.Register(ctx, now, core.Registration{
		Cluster: "c1", Broker: "b3", Addr: "b3:1", Front: "https", Timeout: 10 * time.Second,
		Content: func() (core.Content, error) { return content("t1", "t2"), nil },
	}); err != nil {
		t.Fatal(err)
	}
	g, _, err := w.Group(ctx, "b3")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "its leases", g.Replicas[0].Leases, []core.Lease{{Front: "direct"}})
	if g.ValidFor != 10*time.Second {
		t.Errorf("it may be kept for %v", g.ValidFor)
	}
	for kind, want := range map[core.TopicKind]int{core.AllTopics: 3, core.UnitTopics: 0, core.UnitSubTopics: 0, core.UnitSubNotUnit: 0} {
		if names, _, err := w.Topics(ctx, kind, ""); err != nil || len(names) != want {
			t.Errorf("topics of kind %d: %v, %v", kind, names, err)
		}
	}
	if names, _, err := w.Topics(ctx, core.AllTopics, "c2"); err != nil || len(names) > 0 {
		t.Errorf("topics of another cluster: %v, %v", names, err)
	}
}

func TestAdministration(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.register(w.session("s-1"), w.broker("b1", 0, "t1", "t2"))
	n, meta, err := w.WipeWrite(ctx, "b1")
	if err != nil || n != 2 || meta.Revision == 0 {
		t.Errorf("wiped %d, %+v, %v", n, meta, err)
	}
	if n, _, err := w.AddWrite(ctx, "b1"); err != nil || n != 2 {
		t.Errorf("added %d, %v", n, err)
	}
	if n, _, err := w.AddWrite(ctx, "nobody"); err != nil || n != 0 {
		t.Errorf("added %d to nobody, %v", n, err)
	}
	if _, err := w.DeleteTopic(ctx, "t2", "c1"); err != nil {
		t.Error(err)
	}
	if _, err := w.DeleteTopic(ctx, "never there", ""); err != nil {
		t.Error(err)
	}
	if _, err := w.RegisterQueues(ctx, "t 4", []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 3, Write: 2, Perm: 6, SysFlag: 1}}}}); err != nil {
		t.Error(err)
	}
	names, _, err := w.Topics(ctx, core.AllTopics, "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the topics", names, []string{"t 4", "t1"})
	route, err := w.registry.Route(ctx, w.clock.now(), "t 4")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the queues", route.Rows[0].Queues, core.Queues{Read: 3, Write: 2, Perm: 6, SysFlag: 1})

	const space = "N & M+"
	if _, err := w.PutKV(ctx, space, "k 1", "v=\"1\"\n%20"); err != nil {
		t.Fatal(err)
	}
	table, _, err := w.KV(ctx, space)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the values", table, map[string]string{"k 1": "v=\"1\"\n%20"})
	if _, err := w.DeleteKV(ctx, space, "k 1"); err != nil {
		t.Error(err)
	}
	if table, _, err := w.KV(ctx, "no such"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a namespace that is not there: %v, %v", table, err)
	}
}
