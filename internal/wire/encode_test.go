package wire

import (
	"fmt"
	"testing"
	"unicode/utf16"

	"signpost/core"
)

func TestFormFor(t *testing.T) {
	for _, tc := range []struct {
		version int32
		asked   bool
		want    Form
	}{
		{0, false, Plain}, {373, false, Plain}, {400, false, Plain}, {401, false, Standard}, {479, false, Standard},
		{0, true, Standard}, {373, true, Standard}, {-1, false, Plain},
	} {
		if got := FormFor(tc.version, tc.asked); got != tc.want {
			t.Errorf("version %d, asked %v: got %v, want %v", tc.version, tc.asked, got, tc.want)
		}
	}
}

// What 5.3.3's own classes write of the same route.
func TestAppendRouteAsJavaWritesIt(t *testing.T) {
	r := &core.Route{
		Topic: "t",
		Rows: []core.Row{{Broker: "b/é", Topic: core.Topic{Name: "t", Queues: core.Queues{Read: 4, Write: 4, Perm: 6}, Mapping: &core.Mapping{
			Topic: "t", Broker: "b/é", Scope: "__global__", TotalQueues: 2, Epoch: 9007199254740993, Current: map[int32]int32{10: 1, 2: 0},
		}}}},
		Brokers: []core.RouteBroker{{Name: "b/é", Cluster: "c", EnableActingMaster: true, Zone: "z1", Addrs: []core.ReplicaAddr{
			{ID: 0, Addr: "1.1.1.1:1"}, {ID: 2, Addr: "1.1.1.1:2"}, {ID: 10, Addr: "1.1.1.1:3"}, {ID: 9007199254740993, Addr: "big"},
		}}},
		Filters:      []core.FilterServers{{Addr: "1.1.1.1:1", Servers: []string{"f1", "f2"}}},
		OrderConf:    "b:4;\x01",
		HasOrderConf: true,
	}
	for form, want := range map[Form]string{
		Plain:    `{"brokerDatas":[{"brokerAddrs":{0:"1.1.1.1:1",2:"1.1.1.1:2",10:"1.1.1.1:3",9007199254740993:"big"},"brokerName":"b/é","cluster":"c","enableActingMaster":true,"zoneName":"z1"}],"filterServerTable":{"1.1.1.1:1":["f1","f2"]},"orderTopicConf":"b:4;\u0001","queueDatas":[{"brokerName":"b/é","perm":6,"readQueueNums":4,"topicSynFlag":0,"topicSysFlag":0,"writeQueueNums":4}],"topicQueueMappingByBroker":{"b/é":{"bname":"b/é","currIdMap":{2:0,10:1},"dirty":false,"epoch":9007199254740993,"scope":"__global__","topic":"t","totalQueues":2}}}`,
		Standard: `{"brokerDatas":[{"brokerAddrs":{"0":"1.1.1.1:1","2":"1.1.1.1:2","10":"1.1.1.1:3","9007199254740993":"big"},"brokerName":"b\/\u00E9","cluster":"c","enableActingMaster":true,"zoneName":"z1"}],"filterServerTable":{"1.1.1.1:1":["f1","f2"]},"orderTopicConf":"b:4;\u0001","queueDatas":[{"brokerName":"b\/\u00E9","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}],"topicQueueMappingByBroker":{"b\/\u00E9":{"bname":"b\/\u00E9","currIdMap":{"2":0,"10":1},"dirty":false,"epoch":"9007199254740993","scope":"__global__","topic":"t","totalQueues":2}}}`,
	} {
		if got := string(AppendRoute(nil, r, form)); got != want {
			t.Errorf("form %v:\n got %s\nwant %s", form, got, want)
		}
	}
}

// What fastjson 1.2.83 makes of each character of the first plane, tried with
// the real one in both modes.
func TestEscapesAreFastjsons(t *testing.T) {
	named := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	for r := rune(0); r <= 0xffff; r++ {
		if utf16.IsSurrogate(r) {
			continue // no character by itself
		}
		escape := fmt.Sprintf(`\u%04X`, r)
		control := r < 0x20 || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029
		for _, form := range []Form{Plain, Standard} {
			want := string(r)
			switch {
			case named[r] != "":
				want = named[r]
			case form == Standard && r == '/':
				want = `\/`
			case control, form == Standard && r >= 0x7f:
				want = escape
			}
			if got := string(appendString(nil, "a"+string(r)+"b", form)); got != `"a`+want+`b"` {
				t.Errorf("form %d, %U: got %s, want %s", form, r, got, want)
			}
		}
	}
	for form, want := range map[Form]string{Plain: `"😀�"`, Standard: `"\uD83D\uDE00\uFFFD"`} {
		if got := string(appendString(nil, "😀\xff", form)); got != want {
			t.Errorf("form %d: got %s, want %s", form, got, want)
		}
	}
}

// Numbers that JavaScript cannot hold go into quotes, in Standard alone.
func TestLongNumbers(t *testing.T) {
	for _, tc := range []struct {
		n               int64
		plain, standard string
	}{
		{9007199254740991, "9007199254740991", "9007199254740991"},
		{9007199254740992, "9007199254740992", `"9007199254740992"`},
		{-9007199254740991, "-9007199254740991", "-9007199254740991"},
		{-9007199254740992, "-9007199254740992", `"-9007199254740992"`},
	} {
		if p, s := string(appendInt64(nil, tc.n, Plain)), string(appendInt64(nil, tc.n, Standard)); p != tc.plain || s != tc.standard {
			t.Errorf("%d: got %s and %s", tc.n, p, s)
		}
	}
}

func TestBodiesAsJavaWritesThem(t *testing.T) {
	group := func(name, cluster string, acting core.ActingMaster, zone string, ids ...int64) core.Group {
		g := core.Group{Name: name, Cluster: cluster}
		for _, id := range ids {
			g.Replicas = append(g.Replicas, core.Replica{ID: id, Addr: fmt.Sprintf("%s-%d:10911", name, id), ActingMaster: acting, Zone: zone})
		}
		return g
	}
	a := group("a", "c2", core.ActingMasterOn, "z/1", 0, 2, 10)
	b := group("b", "c1", core.ActingMasterUnknown, "", 1)
	for _, tc := range []struct{ name, got, want string }{
		{"empty route", string(AppendRoute(nil, &core.Route{}, Plain)), `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}`},
		{"no clusters", string(AppendClusterInfo(nil, nil)), `{"brokerAddrTable":{},"clusterAddrTable":{}}`},
		{"clusters", string(AppendClusterInfo(nil, []core.Group{b, a, group("c", "c1", core.ActingMasterOff, "", 0)})),
			`{"brokerAddrTable":{"a":{"brokerAddrs":{0:"a-0:10911",2:"a-2:10911",10:"a-10:10911"},"brokerName":"a","cluster":"c2","enableActingMaster":true,"zoneName":"z/1"},` +
				`"b":{"brokerAddrs":{1:"b-1:10911"},"brokerName":"b","cluster":"c1","enableActingMaster":false},` +
				`"c":{"brokerAddrs":{0:"c-0:10911"},"brokerName":"c","cluster":"c1","enableActingMaster":false}},` +
				`"clusterAddrTable":{"c1":["b","c"],"c2":["a"]}}`},
		{"member group", string(AppendBrokerMemberGroup(nil, "c2", "a", a)),
			`{"brokerMemberGroup":{"brokerAddrs":{0:"a-0:10911",2:"a-2:10911",10:"a-10:10911"},"brokerName":"a","cluster":"c2"}}`},
		{"unknown member group", string(AppendBrokerMemberGroup(nil, "c", "x", core.Group{})),
			`{"brokerMemberGroup":{"brokerAddrs":{},"brokerName":"x","cluster":"c"}}`},
		{"member group without names", string(AppendBrokerMemberGroup(nil, "", "", core.Group{})), `{"brokerMemberGroup":{"brokerAddrs":{}}}`},
		{"no topics", string(AppendTopicList(nil, nil, "")), `{"topicList":[]}`},
		{"topics", string(AppendTopicList(nil, []string{"a", "é/"}, "1.1.1.1:1")), `{"brokerAddr":"1.1.1.1:1","topicList":["a","é/"]}`},
		{"no KV", string(AppendKVTable(nil, nil)), `{"table":{}}`},
		{"KV", string(AppendKVTable(nil, map[string]string{"t2": "b:4;c:4", "t1": "", "t0": "\n"})), `{"table":{"t0":"\n","t1":"","t2":"b:4;c:4"}}`},
		{"data version", string(AppendDataVersion(nil, core.DataVersion{Counter: 9007199254740993, StateVersion: 0, Timestamp: 1000})),
			`{"counter":9007199254740993,"stateVersion":0,"timestamp":1000}`},
		{"mapping of nothing", string(appendMapping(nil, &core.Mapping{}, Plain)), `{"dirty":false,"epoch":0,"totalQueues":0}`},
		{"mapping without a name", string(appendMapping(nil, &core.Mapping{Current: map[int32]int32{}}, Plain)), `{"currIdMap":{},"dirty":false,"epoch":0,"totalQueues":0}`},
	} {
		if tc.got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, tc.got, tc.want)
		}
	}
}

func TestMappingsAreSortedAndUnique(t *testing.T) {
	row := func(broker, bname string, epoch int64) core.Row {
		return core.Row{Broker: broker, Topic: core.Topic{Mapping: &core.Mapping{Broker: bname, Epoch: epoch}}}
	}
	got := string(appendMappings(nil, []core.Row{row("a", "z", 1), {Broker: "b"}, row("c", "y", 2), row("d", "z", 3)}, Plain))
	want := `,"topicQueueMappingByBroker":{"y":{"bname":"y","dirty":false,"epoch":2,"totalQueues":0},"z":{"bname":"z","dirty":false,"epoch":1,"totalQueues":0}}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRouteIsEncodedOncePerForm(t *testing.T) {
	r := sixteen()
	for _, form := range []Form{Plain, Standard} {
		first, second := Route(r, form), Route(r, form)
		if &first[0] != &second[0] {
			t.Errorf("form %d: encoded twice", form)
		}
		if want := AppendRoute(nil, r, form); string(first) != string(want) {
			t.Errorf("form %d: got %s, want %s", form, first, want)
		}
	}
}
