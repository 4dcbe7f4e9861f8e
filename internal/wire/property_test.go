package wire

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signpost/core"
)

// sameContent compares contents, nil and empty topics being the same.
func sameContent(a, b core.Content) bool {
	return a.DataVersion == b.DataVersion && (a.FilterServers == nil) == (b.FilterServers == nil) && slices.Equal(a.FilterServers, b.FilterServers) &&
		slices.EqualFunc(a.Topics, b.Topics, core.Topic.Equal) &&
		slices.EqualFunc(a.Mappings, b.Mappings, func(x, y *core.Mapping) bool { return reflect.DeepEqual(x, y) })
}

// anyName has all that can be in a name, and some that tells encodings apart.
var anyName = rapid.OneOf(
	rapid.StringMatching(`[%A-Za-z0-9_-]{1,30}`),
	rapid.SampledFrom([]string{"%RETRY%g", "a/b", "日本", "é", "😀", "\u2028", "\u007f", "\u0085", "\x00", "\"", "\\", "'", "{", "null", "\ufeff", "\t"}),
	rapid.StringN(1, 20, -1),
)

// lineName is a name that the compact form can carry.
var lineName = anyName.Filter(func(s string) bool { return !strings.Contains(s, " ") })

func anyMapping(topic string) *rapid.Generator[*core.Mapping] {
	return rapid.Custom(func(t *rapid.T) *core.Mapping {
		return &core.Mapping{
			Topic:       topic,
			Broker:      anyName.Draw(t, "bname"),
			Scope:       rapid.SampledFrom([]string{globalScope, "other"}).Draw(t, "scope"),
			TotalQueues: rapid.Int32().Draw(t, "total"),
			Epoch:       rapid.Int64().Draw(t, "epoch"),
			Dirty:       rapid.Bool().Draw(t, "dirty"),
			Current:     rapid.MapOfN(rapid.Int32(), rapid.Int32(), 0, 4).Draw(t, "current"),
		}
	})
}

var anyQueues = rapid.Custom(func(t *rapid.T) core.Queues {
	n := rapid.Int32()
	return core.Queues{Read: n.Draw(t, "read"), Write: n.Draw(t, "write"), Perm: n.Draw(t, "perm"), SysFlag: n.Draw(t, "flag")}
})

func anyContent(form RegistrationForm) *rapid.Generator[core.Content] {
	return rapid.Custom(func(t *rapid.T) core.Content {
		c := core.Content{DataVersion: core.DataVersion{Counter: rapid.Int64().Draw(t, "counter"), Timestamp: rapid.Int64().Draw(t, "timestamp")}}
		if form == JSON5 || form == Compact5 {
			c.DataVersion.StateVersion = rapid.Int64().Draw(t, "state")
			for _, name := range rapid.SliceOfNDistinct(anyName, 0, 3, rapid.ID[string]).Draw(t, "mapped") {
				c.Mappings = append(c.Mappings, anyMapping(name).Draw(t, "mapping"))
			}
		}
		if rapid.Bool().Draw(t, "has filter servers") {
			c.FilterServers = rapid.SliceOfN(anyName, 0, 3).Draw(t, "filter servers")
		}
		names := anyName
		if form.Compressed() {
			names = lineName
		}
		for _, name := range rapid.SliceOfNDistinct(names, 0, 8, rapid.ID[string]).Draw(t, "names") {
			q := anyQueues.Draw(t, "queues")
			if form.Compressed() {
				q.SysFlag = 0
			}
			c.Topics = append(c.Topics, core.Topic{Name: name, Queues: q})
		}
		return c
	})
}

func TestRegistrationRoundTrip(t *testing.T) {
	for _, form := range []RegistrationForm{JSON4, JSON5, Compact4, Compact5} {
		rapid.Check(t, func(t *rapid.T) {
			want := anyContent(form).Draw(t, "content")
			body := AppendRegistration([]byte("before"), want, form)[len("before"):]
			got, err := DecodeRegistration(body, Options{Compressed: form.Compressed(), Version: form.Version()})
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if !sameContent(got, want) {
				t.Fatalf("form %d: got %+v, want %+v, by %q", form, got, want, body)
			}
		})
	}
}

var anyRoute = rapid.Custom(func(t *rapid.T) *core.Route {
	r := &core.Route{Topic: "t"}
	for _, name := range slices.Sorted(slices.Values(rapid.SliceOfNDistinct(anyName, 0, 4, rapid.ID[string]).Draw(t, "brokers"))) {
		b := core.RouteBroker{Name: name, Cluster: anyName.Draw(t, "cluster"), EnableActingMaster: rapid.Bool().Draw(t, "acting")}
		if rapid.Bool().Draw(t, "has zone") {
			b.Zone = anyName.Draw(t, "zone")
		}
		for _, id := range slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.Int64(), 1, 3, rapid.ID[int64]).Draw(t, "ids"))) {
			b.Addrs = append(b.Addrs, core.ReplicaAddr{ID: id, Addr: anyName.Draw(t, "addr")})
		}
		r.Brokers = append(r.Brokers, b)
		row := core.Row{Broker: name, Topic: core.Topic{Name: "t", Queues: anyQueues.Draw(t, "queues")}}
		if rapid.Bool().Draw(t, "static") {
			row.Mapping = anyMapping("t").Draw(t, "mapping")
			row.Mapping.Broker = name
		}
		r.Rows = append(r.Rows, row)
	}
	for _, addr := range slices.Sorted(slices.Values(rapid.SliceOfNDistinct(anyName, 0, 2, rapid.ID[string]).Draw(t, "filtered"))) {
		r.Filters = append(r.Filters, core.FilterServers{Addr: addr, Servers: rapid.SliceOfN(anyName, 0, 2).Draw(t, "filter servers")})
	}
	if r.HasOrderConf = rapid.Bool().Draw(t, "ordered"); r.HasOrderConf {
		r.OrderConf = rapid.StringN(0, 20, -1).Draw(t, "order")
	}
	return r
})

func TestRouteRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRoute.Draw(t, "route")
		for _, form := range []Form{Plain, Standard} {
			body := AppendRoute([]byte("before"), want, form)[len("before"):]
			got, err := DecodeRoute("t", body)
			if err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, want %+v, by %q", got, want, body)
			}
			if again := AppendRoute(nil, got, form); string(again) != string(body) {
				t.Fatalf("got %q, want %q", again, body)
			}
			if form == Standard && !(json.Valid(body) && isASCII(body)) {
				t.Fatalf("not JSON in ASCII: %q", body)
			}
		}
	})
}

func isASCII(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x7f || c < ' ' })
}

// encoding/json is the judge of what a string says.
func TestStringsSayTheSameToEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(anyName, rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		for _, form := range []Form{Plain, Standard} {
			var got string
			if err := json.Unmarshal(appendString(nil, s, form), &got); err != nil {
				t.Fatal(err)
			}
			if want := string([]rune(s)); got != want {
				t.Fatalf("form %d: got %q, want %q", form, got, want)
			}
		}
	})
}

// What encoding/json writes is read as it was meant.
func TestScannerReadsWhatEncodingJSONWrites(t *testing.T) {
	type config struct {
		Name    string         `json:"topicName"`
		Read    int32          `json:"readQueueNums"`
		Write   int32          `json:"writeQueueNums"`
		Perm    int32          `json:"perm"`
		SysFlag int32          `json:"topicSysFlag"`
		More    map[string]any `json:"more,omitempty"`
	}
	more := rapid.MapOfN(anyName, rapid.OneOf(
		rapid.Map(anyName, func(s string) any { return s }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.SliceOfN(anyName, 0, 3), func(s []string) any { return map[string]any{"{": s, "]": nil} }),
	), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		table := map[string]config{}
		for _, name := range rapid.SliceOfNDistinct(anyName, 0, 5, rapid.ID[string]).Draw(t, "names") {
			q := anyQueues.Draw(t, "queues")
			table[name] = config{name, q.Read, q.Write, q.Perm, q.SysFlag, more.Draw(t, "more")}
		}
		wrapper := map[string]any{"topicConfigTable": table, "zzz": more.Draw(t, "more")}
		body, err := json.MarshalIndent(map[string]any{"topicConfigSerializeWrapper": wrapper}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRegistration(body, Options{Version: modern})
		if err != nil || len(got.Topics) != len(table) {
			t.Fatalf("%d topics, %v, by %s", len(got.Topics), err, body)
		}
		for _, topic := range got.Topics {
			want := table[topic.Name]
			if topic.Queues != (core.Queues{Read: want.Read, Write: want.Write, Perm: want.Perm, SysFlag: want.SysFlag}) {
				t.Fatalf("got %+v, want %+v", topic, want)
			}
		}
	})
}

func TestListsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(anyName, 0, 5).Draw(t, "names")
		addr := rapid.SampledFrom([]string{"", "10.0.0.1:10911"}).Draw(t, "addr")
		gotNames, gotAddr, err := DecodeTopicList(AppendTopicList(nil, names, addr))
		if err != nil || gotAddr != addr || !slices.Equal(gotNames, names) {
			t.Fatalf("got %q %q %v, want %q %q", gotNames, gotAddr, err, names, addr)
		}
		table := rapid.MapOfN(anyName, rapid.String(), 0, 5).Draw(t, "table")
		gotTable, err := DecodeKVTable(AppendKVTable(nil, table))
		if err != nil || !maps.Equal(gotTable, table) {
			t.Fatalf("got %q %v, want %q", gotTable, err, table)
		}
		dv := core.DataVersion{Counter: rapid.Int64().Draw(t, "counter"), StateVersion: rapid.Int64().Draw(t, "state"), Timestamp: rapid.Int64().Draw(t, "timestamp")}
		gotDV, err := DecodeDataVersion(AppendDataVersion(nil, dv))
		if err != nil || gotDV != dv {
			t.Fatalf("got %+v %v, want %+v", gotDV, err, dv)
		}
	})
}

// Whatever a body is cut off at, it is refused, and never read as less.
func TestTruncatedBodiesAreRefused(t *testing.T) {
	for _, form := range []RegistrationForm{JSON4, JSON5, Compact4, Compact5} {
		c := fleet(3)
		c.Mappings = []*core.Mapping{{Topic: "t", Current: map[int32]int32{1: 2}}}
		body := AppendRegistration(nil, c, form)
		for n := 1; n < len(body); n++ {
			if _, err := DecodeRegistration(body[:n], Options{Version: form.Version(), Compressed: form.Compressed()}); !errors.Is(err, ErrDecode) {
				t.Fatalf("form %d, %d of %d bytes: %v", form, n, len(body), err)
			}
		}
	}
}
