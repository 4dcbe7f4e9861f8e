//go:build e2e

package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// The cast of a scene: one group with a master and a slave, and three
// gateways whose sessions may hold them.
const (
	cluster = "production-cluster"
	group   = "broker-a"
	master  = "10.20.30.40:10911"
	slave   = "10.20.30.41:10911"
	other   = "10.20.30.42:10911" // who takes the master's place
	owner   = "arn:aws:sts::123456789012:assumed-role/gateway/host"
)

// The moments of a scene. The sessions outlive it.
var (
	before   = began                       // what was before is said
	acts     = began.Add(2 * time.Second)  // the one at work says it
	counters = began.Add(3 * time.Second)  // its rival does
	retries  = began.Add(4 * time.Second)  // who was not answered says it again
	outlived = began.Add(40 * time.Second) // a writer's token has ended
	finally  = began.Add(42 * time.Second)
)

var (
	sessions = []string{"s1", "s2", "s3"}
	names    = []string{"topic-0", "topic-1", "topic-2"}
)

// scene is a world of its own for one case.
type scene struct{ *world }

// items are what a table holds.
type items = []map[string]types.AttributeValue

// client is the tests' own.
var client = sync.OnceValue(func() *awsdynamodb.Client {
	return awsdynamodb.NewFromConfig(config, func(o *awsdynamodb.Options) { o.HTTPClient = connections })
})

// tables are empty ones that scenes have left.
var tables = make(chan string, 16)

// newScene returns a scene whose table holds that, for the time of a test.
func newScene(t *testing.T, holds items) *scene {
	t.Helper()
	s := &scene{&world{now: began}}
	select {
	case s.table = <-tables:
	default:
		s.table = newTable(t)
	}
	var puts []types.WriteRequest
	for _, it := range holds {
		puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
	}
	s.write(t, puts)
	return s
}

// close leaves the scene's table to others: there are many scenes.
func (s *scene) close(t *testing.T) {
	var deletes []types.WriteRequest
	for _, it := range s.items(t) {
		key := map[string]types.AttributeValue{"pk": it["pk"], "sk": it["sk"]}
		deletes = append(deletes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}})
	}
	s.write(t, deletes)
	select {
	case tables <- s.table:
	default:
	}
}

func (s *scene) write(t *testing.T, writes []types.WriteRequest) {
	t.Helper()
	for part := range slices.Chunk(writes, 25) {
		must(t, second(client().BatchWriteItem(t.Context(), &awsdynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{s.table: part},
		})))
	}
}

func (s *scene) items(t *testing.T) items {
	t.Helper()
	out, err := client().Scan(t.Context(), &awsdynamodb.ScanInput{TableName: &s.table})
	must(t, err)
	return out.Items
}

// topic is one of the group's.
func topic(n int, queues int32) core.Topic {
	return core.Topic{Name: names[n], Queues: core.Queues{Read: queues, Write: queues, Perm: core.PermReadWrite}}
}

// state is what readers see of everything.
type state struct {
	rows  [3]string // of each topic
	leads string    // to which brokers
	rest  string    // the group and by what it stands, sessions, order configuration
}

func (s state) String() string {
	return strings.Join(s.rows[:], "\n") + "\nroutes lead to " + s.leads + "\n" + s.rest
}

// mixes says whether s has each of its topics, and the rest, of one of those:
// what was stopped half way has changed some of its topics.
func (s state) mixes(those []state) bool {
	for i := range s.rows {
		if !slices.ContainsFunc(those, func(o state) bool { return o.rows[i] == s.rows[i] }) {
			return false
		}
	}
	return slices.ContainsFunc(those, func(o state) bool {
		return o.rest == s.rest && (s.rows == [3]string{} || o.leads == s.leads)
	})
}

// is says whether s is one of those.
func (s state) is(those []state) bool { return slices.Contains(those, s) }

// state reads everything through r.
func (s *scene) state(t *testing.T, r *core.Registry) (seen state) {
	t.Helper()
	ctx, now := t.Context(), s.time()
	leads := map[string]bool{}
	for i, route := range s.routes(t, r) {
		if route != nil {
			seen.rows[i] = fmt.Sprintf("%s: %v %v %q", route.Topic, route.Rows, route.Filters, route.OrderConf)
			leads[fmt.Sprint(route.Brokers)] = true
		}
	}
	seen.leads = fmt.Sprint(slices.Sorted(maps.Keys(leads)))
	var b strings.Builder
	store := s.healthy()
	open, err := store.Sessions(ctx)
	must(t, err)
	g, err := r.Group(ctx, now, group)
	if !errors.Is(err, core.ErrNotFound) {
		must(t, err)
		fmt.Fprintf(&b, "%s of %s, override %d\n", g.Name, g.Cluster, g.Override)
		for _, x := range g.Replicas {
			fmt.Fprintf(&b, "  %d at %s until +%v, by", x.ID, x.Addr, x.Deadline(open, now).Sub(began))
			for _, l := range x.Leases {
				alone := x
				alone.Leases = []core.Lease{l}
				if alone.Alive(open, now) {
					fmt.Fprintf(&b, " %q%q", l.Session, l.Front)
				}
			}
			b.WriteByte('\n')
		}
	}
	gateways := map[string]bool{}
	for _, session := range open {
		gateways[session.Gateway] = true
	}
	fmt.Fprintln(&b, "gateways", slices.Sorted(maps.Keys(gateways)))
	kv, err := store.KV(ctx, core.OrderNamespace)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		t.Fatal(err)
	}
	fmt.Fprint(&b, kv)
	seen.rest = b.String()
	return seen
}

// routes returns that of each topic; nil if it has none.
func (s *scene) routes(t *testing.T, r *core.Registry) (routes [3]*core.Route) {
	t.Helper()
	for i, name := range names {
		route, err := r.Route(t.Context(), s.time(), name)
		if !errors.Is(err, core.ErrNoTopic) {
			must(t, err)
			routes[i] = route
		}
	}
	return routes
}

// check looks at what is left: one of the states that are allowed, for reader,
// who has read before, and for who has not; the set covering every row.
func (s *scene) check(t *testing.T, reader *core.Registry, allowed []state, ok func(state, []state) bool) {
	t.Helper()
	got := s.state(t, newRegistry(s.healthy()))
	if old := s.state(t, reader); old != got {
		t.Errorf("who has read before sees\n%v\nwho has not sees\n%v", old, got)
	}
	if !ok(got, allowed) {
		t.Errorf("it ends as\n%v\nwhich none of these does:\n%v", got, allowed)
	}
	covered := map[string]bool{}
	set, err := s.healthy().TopicSet(t.Context(), group)
	must(t, err)
	for _, f := range set {
		covered[f.Name] = true
	}
	for _, it := range s.items(t) {
		topic, isRow := strings.CutPrefix(it["pk"].(*types.AttributeValueMemberS).Value, "R#")
		if isRow && !covered[topic] {
			t.Errorf("the set does not cover the row of %s", topic)
		}
	}
}

// act is something that is done to the scene.
type act struct {
	name   string
	before []step
	do     func(ctx context.Context, r *core.Registry, now time.Time) error
	sweeps bool // the sweeper does it
}

// prepare returns what a table holds before the act.
func (a act) prepare(t *testing.T) items {
	t.Helper()
	s := newScene(t, nil)
	defer s.close(t)
	store := s.healthy()
	for _, id := range sessions {
		must(t, store.OpenSession(t.Context(), core.Session{ID: id, Gateway: "gateway of " + id, Owner: owner, Last: outlived}))
	}
	r := newRegistry(store)
	for _, step := range a.before {
		s.now = step.now
		must(t, step.do(t.Context(), r, step.now))
	}
	return s.items(t)
}

// scene returns one in which the act is about to happen, and a reader who has
// seen it.
func (a act) scene(t *testing.T, holds items) (*scene, *core.Registry) {
	t.Helper()
	s := newScene(t, holds)
	reader := newRegistry(s.healthy())
	s.routes(t, reader)
	s.pass(acts)
	return s, reader
}

// answered says that an act needs no repetition: it was done, or will never be.
func answered(err error) bool {
	return err == nil || errors.Is(err, core.ErrStale) || errors.Is(err, core.ErrSessionClosed) || errors.Is(err, core.ErrRefused)
}

// repeat does what its author does who was not answered: says it again, at
// once and once more when a writer's token has ended.
func (a act) repeat(t *testing.T, s *scene, r *core.Registry) {
	t.Helper()
	var err error
	for _, now := range []time.Time{retries, outlived} {
		s.pass(now)
		if err = a.do(t.Context(), r, s.time()); answered(err) {
			return
		}
	}
	t.Fatalf("%s, repeated: %v", a.name, err)
}
