package wire

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signpost/core"
)

// The files in testdata/java were written by RocketMQ's own classes of the
// version in their name: VERSION.json and VERSION.zlib by RegisterBrokerBody's
// encode(false) and encode(true), VERSION.route.json and
// VERSION.route-standard.json by TopicRouteData as code 105 calls it.
func java(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "java", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func byName(topics []core.Topic) []core.Topic {
	return slices.SortedFunc(slices.Values(topics), func(a, b core.Topic) int { return strings.Compare(a.Name, b.Name) })
}

func TestRegistrationsOfJavaBrokers(t *testing.T) {
	mapping := &core.Mapping{Topic: "orders", Broker: "broker-1", Scope: "__global__", TotalQueues: 3, Epoch: 9, Current: map[int32]int32{0: 1, 12: 0}}
	for _, tc := range []struct {
		file         string
		options      Options
		sysFlag      int32 // the compact form has none
		stateVersion int64
		mappings     []*core.Mapping
	}{
		{"4.8.0.json", Options{Version: 373}, 1, 0, nil},
		{"4.9.7.json", Options{Version: 407}, 1, 0, nil},
		{"5.3.3.json", Options{Version: 479}, 1, 5, []*core.Mapping{mapping}},
		{"4.8.0.zlib", Options{Version: 373, Compressed: true}, 0, 0, nil},
		{"4.9.7.zlib", Options{Version: 407, Compressed: true}, 0, 0, nil},
		{"5.3.3.zlib", Options{Version: 479, Compressed: true}, 0, 5, []*core.Mapping{mapping}},
		// A broker of 5.3.3 deflates its body and says that it does not.
		{"5.3.3.zlib", Options{Version: 479}, 0, 5, []*core.Mapping{mapping}},
		// A sender without a version is read by what it sends.
		{"4.8.0.json", Options{}, 1, 0, nil},
		{"5.3.3.json", Options{}, 1, 5, []*core.Mapping{mapping}},
		{"4.9.7.zlib", Options{Compressed: true}, 0, 0, nil},
		{"4.9.7.zlib", Options{}, 0, 0, nil},
		// The mappings are at the end of the compact form, for those who read on.
		{"5.3.3.zlib", Options{Version: 412, Compressed: true}, 0, 5, nil},
		{"5.3.3.zlib", Options{Version: 413, Compressed: true}, 0, 5, []*core.Mapping{mapping}},
		{"5.3.3.zlib", Options{Version: 9999, Compressed: true}, 0, 5, []*core.Mapping{mapping}},
	} {
		got, err := DecodeRegistration(java(t, tc.file), tc.options)
		if err != nil {
			t.Errorf("%s as %+v: %v", tc.file, tc.options, err)
			continue
		}
		got.Topics = byName(got.Topics)
		want := core.Content{
			DataVersion:   core.DataVersion{Counter: 42, Timestamp: 1700000000123, StateVersion: tc.stateVersion},
			FilterServers: []string{"10.0.0.1:3000", "10.0.0.1:3001"},
			Topics:        []core.Topic{topic("%RETRY%group-1", 8, 4, 6, 0), topic("TBW102", 8, 4, 7, 0), topic("orders", 8, 4, 6, tc.sysFlag), topic("日本_é", 8, 4, 6, 0)},
			Mappings:      tc.mappings,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s as %+v:\n got %+v\nwant %+v", tc.file, tc.options, got, want)
		}
	}
}

// Java reads the mappings of a compact body from 5.0.0 on, and answers with an
// error when there are none.
func TestCompactBodyOf4xFromASenderOf5xEndsTooEarly(t *testing.T) {
	_, err := DecodeRegistration(java(t, "4.9.7.zlib"), Options{Version: 413, Compressed: true})
	if !errors.Is(err, ErrDecode) || !strings.Contains(err.Error(), "ends too early") {
		t.Error(err)
	}
}

func TestOldSendersBodyIsTheWrapperAlone(t *testing.T) {
	body := []byte(`{"dataVersion":{"counter":3,"timestamp":9},"topicConfigTable":{"T":{"topicName":"T","perm":4}},"filterServerList":["x"]}`)
	for _, version := range []int32{0, 36} {
		got, err := DecodeRegistration(body, Options{Version: version, Compressed: true}) // which an old server does not look at
		want := core.Content{DataVersion: core.DataVersion{Counter: 3, Timestamp: 9}, Topics: []core.Topic{topic("T", 16, 16, 4, 0)}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %d: got %+v, %v; want %+v", version, got, err, want)
		}
	}
}

func TestRoutesOfJavaServers(t *testing.T) {
	for _, tc := range []struct {
		file string
		is5x bool
	}{
		{"4.8.0.route.json", false},
		{"4.9.7.route.json", false},
		{"4.9.7.route-standard.json", false},
		{"5.3.3.route.json", true},
		{"5.3.3.route-standard.json", true},
	} {
		got, err := DecodeRoute("orders", java(t, tc.file))
		if err != nil {
			t.Errorf("%s: %v", tc.file, err)
			continue
		}
		want := &core.Route{Topic: "orders", OrderConf: "broker-1:8;broker-2:8", HasOrderConf: true,
			Filters: []core.FilterServers{{Addr: "10.0.0.1:10911", Servers: []string{"10.0.0.1:3000"}}}}
		for _, n := range []string{"1", "2"} {
			want.Rows = append(want.Rows, core.Row{Broker: "broker-" + n, Topic: topic("orders", 8, 4, 6, 3)})
			want.Brokers = append(want.Brokers, core.RouteBroker{Name: "broker-" + n, Cluster: "DefaultCluster",
				Addrs: []core.ReplicaAddr{{ID: 0, Addr: "10.0.0." + n + ":10911"}, {ID: 1, Addr: "10.0.1." + n + ":10911"}}})
		}
		if tc.is5x {
			want.Rows[0].Mapping = &core.Mapping{Topic: "orders", Broker: "broker-1", Scope: "__global__", TotalQueues: 3, Epoch: 9, Current: map[int32]int32{0: 1, 12: 0}}
			want.Brokers[0].EnableActingMaster = true
			want.Brokers[1].Zone = "z/1"
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.file, got, want)
		}
	}
}

func TestQueueDatasAreReadFromAWholeRoute(t *testing.T) {
	for _, tc := range []struct {
		body string
		want []core.Row
	}{
		{"", nil}, {"null", nil}, {"{}", nil}, {`{"queueDatas":null}`, nil}, {`{"queueDatas":[]}`, nil},
		{string(java(t, "5.3.3.route.json")), []core.Row{{Broker: "broker-2", Topic: topic("t", 8, 4, 6, 3)}, {Broker: "broker-1", Topic: topic("t", 8, 4, 6, 3)}}},
		{`{"queueDatas":[{"brokerName":"b","topicSynFlag":2},{}]}`, []core.Row{{Broker: "b", Topic: topic("t", 0, 0, 0, 2)}, {Topic: topic("t", 0, 0, 0, 0)}}},
	} {
		got, err := DecodeQueueDatas("t", []byte(tc.body))
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q: got %+v, %v; want %+v", tc.body, got, err, tc.want)
		}
	}
	for _, body := range []string{"[]", "{", `{"queueDatas":{}}`, `{"queueDatas":[1]}`, `{"queueDatas":[{"perm":"x"}]}`} {
		if _, err := DecodeQueueDatas("t", []byte(body)); !errors.Is(err, ErrDecode) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}
