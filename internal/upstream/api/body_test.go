package api_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/internal/upstream/api"
)

// static is a content that has all there is to a registration.
func static() core.Content {
	c := content("b", "a", "%RETRY%ä\"\\ &<\u2028")
	c.Topics[1].Queues = core.Queues{Read: -1, Write: 0, Perm: 2, SysFlag: 1 << 30}
	c.DataVersion.Counter = 1<<63 - 1
	c.FilterServers = []string{"f2:1", "f1:1"}
	c.Mappings = []*core.Mapping{
		{Topic: "b", Broker: "b1", Scope: "__global__", TotalQueues: 4, Epoch: 1<<62 + 1, Current: map[int32]int32{0: 0, 2: 1}},
		{Topic: "a", Broker: "b1", Scope: "s", Dirty: true, Current: map[int32]int32{}},
	}
	return c
}

// inOrder is what is left of a content in a body.
func inOrder(c core.Content) core.Content {
	c.Topics, c.Mappings, c.Whole = slices.Clone(c.Topics), slices.Clone(c.Mappings), false
	slices.SortFunc(c.Topics, func(a, b core.Topic) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Mappings, func(a, b *core.Mapping) int { return strings.Compare(a.Topic, b.Topic) })
	return c
}

func TestBodyKeepsItsContent(t *testing.T) {
	whole := static()
	whole.Whole = true
	unsaid := static()
	unsaid.FilterServers = nil
	bare := core.Content{Topics: []core.Topic{}}
	for _, c := range []core.Content{static(), whole, unsaid, content("t1"), bare} {
		got, err := bodyOf(t, c).Content()
		if err != nil {
			t.Fatal(err)
		}
		if want := inOrder(c); !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	}
}

func TestBodyArrives(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newWorld(t)
		w.options.Uncompressed = plain
		w.Client = w.client(w.options)
		r := w.broker("b1", 0)
		r.Body = bodyOf(t, static())
		w.register(w.session("s-1"), r)
		for _, want := range static().Topics {
			route, err := w.registry.Route(t.Context(), w.clock.now(), want.Name)
			if err != nil {
				t.Fatal(err)
			}
			same(t, want.Name, route.Rows[0].Queues, want.Queues)
		}
		route, err := w.registry.Route(t.Context(), w.clock.now(), "b")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the mapping", route.Rows[0].Mapping, static().Mappings[0])
		same(t, "the filter servers", route.Filters, []core.FilterServers{{Addr: addrOf("b1", 0), Servers: []string{"f2:1", "f1:1"}}})
	}
}

func TestSameContentMakesTheSameBody(t *testing.T) {
	c := content()
	for i := range 3000 { // more than is compressed at a time
		c.Topics = append(c.Topics, core.Topic{Name: fmt.Sprintf("topic-%d", i), Queues: core.Queues{Read: int32(i)}})
	}
	first := bodyOf(t, c)
	rand.Shuffle(len(c.Topics), func(i, j int) { c.Topics[i], c.Topics[j] = c.Topics[j], c.Topics[i] })
	if second := bodyOf(t, c); !reflect.DeepEqual(first, second) {
		t.Error("the order of topics makes another body")
	}
	c.Topics[7].Queues.Perm++
	if second := bodyOf(t, c); reflect.DeepEqual(first, second) {
		t.Error("another content makes the same body")
	}
}

func TestBodyThatCannotBe(t *testing.T) {
	var field *core.FieldError
	if _, err := api.NewBody(content("a\xffb")); !errors.As(err, &field) || field.Field != "topicName" {
		t.Errorf("a name that is no text: %v", err)
	}
	if _, err := (api.Body{}).Content(); err == nil {
		t.Error("no body has a content")
	}
	w := newWorld(t)
	r := w.broker("b1", 0)
	r.Body = api.Body{}
	if _, err := w.Register(t.Context(), w.session("s-1"), r); err == nil || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("a registration without a body: %v", err)
	}
}

func TestBodyIsSmall(t *testing.T) {
	names := make([]string, 60_000)
	for i := range names {
		names[i] = fmt.Sprintf("%%RETRY%%consumer-group-%d", i)
	}
	// What a function takes is 4.5 MB.
	if size := bodyOf(t, content(names...)).Size(); size > 1<<20 {
		t.Errorf("60,000 topics take %d bytes", size)
	}
	if size := bodyOf(t, content(names[:10]...)).Size(); size > 512 {
		t.Errorf("10 topics take %d bytes", size)
	}
}

func TestBodyKeepsAnyContent(t *testing.T) {
	numbers := rapid.Int32()
	rapid.Check(t, func(t *rapid.T) {
		c := core.Content{
			DataVersion: core.DataVersion{Counter: rapid.Int64().Draw(t, "counter"), Timestamp: rapid.Int64().Draw(t, "timestamp"), StateVersion: rapid.Int64().Draw(t, "state")},
			Topics:      []core.Topic{},
		}
		if rapid.Bool().Draw(t, "says filters") {
			c.FilterServers = append([]string{}, rapid.SliceOf(rapid.String()).Draw(t, "filters")...)
		}
		for _, name := range rapid.SliceOfDistinct(rapid.StringN(1, 20, -1), rapid.ID[string]).Draw(t, "topics") {
			c.Topics = append(c.Topics, core.Topic{Name: name, Queues: core.Queues{
				Read: numbers.Draw(t, "read"), Write: numbers.Draw(t, "write"), Perm: numbers.Draw(t, "perm"), SysFlag: numbers.Draw(t, "flag"),
			}})
		}
		for _, name := range rapid.SliceOfDistinct(rapid.String(), rapid.ID[string]).Draw(t, "mappings") {
			c.Mappings = append(c.Mappings, &core.Mapping{
				Topic: name, Broker: rapid.String().Draw(t, "broker"), Scope: rapid.String().Draw(t, "scope"),
				TotalQueues: numbers.Draw(t, "total"), Epoch: rapid.Int64().Draw(t, "epoch"), Dirty: rapid.Bool().Draw(t, "dirty"),
				Current: rapid.MapOf(numbers, numbers).Draw(t, "current"),
			})
		}
		body, err := api.NewBody(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := body.Content()
		if err != nil {
			t.Fatal(err)
		}
		if want := inOrder(c); !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	})
}

func BenchmarkNewBody(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%%RETRY%%consumer-group-%d", i)
		}
		c := content(names...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bodyOf(b, c)
			}
		})
	}
}
