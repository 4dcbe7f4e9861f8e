package wire

import (
	"errors"
	"reflect"
	"testing"

	"signpost/core"
)

func TestDataVersion(t *testing.T) {
	for body, want := range map[string]core.DataVersion{
		"{}":                              {},
		`{"counter":1,"timestamp":1000}`:  {Counter: 1, Timestamp: 1000},
		`{"counter":"5","timestamp":6.9}`: {Counter: 5, Timestamp: 6},
		`{"counter":9223372036854775807,"stateVersion":-1,"timestamp":null,"later":{}}`: {Counter: 1<<63 - 1, StateVersion: -1},
	} {
		if got, err := DecodeDataVersion([]byte(body)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", body, got, err, want)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"counter":9223372036854775808}`, `{"counter":"x"}`, "{} {}"} {
		if _, err := DecodeDataVersion([]byte(body)); !errors.Is(err, ErrDecode) {
			t.Errorf("%q: got %v", body, err)
		}
	}
}

func TestClusterInfo(t *testing.T) {
	// As 5.3.3 answers, which lists a name under a second cluster that used it.
	body := `{"brokerAddrTable":{"b":{"brokerAddrs":{1:"b1",0:"b0"},"brokerName":"b","cluster":"c1","enableActingMaster":true,"zoneName":"z"},
		"a":{"brokerAddrs":{"0":"a0"},"brokerName":"a","cluster":"c1"}},"clusterAddrTable":{"c1":["b","a"],"c2":["b"]}}`
	groups, clusters, err := DecodeClusterInfo([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	wantGroups := []core.Group{
		{Name: "a", Cluster: "c1", Replicas: []core.Replica{{ID: 0, Addr: "a0", ActingMaster: core.ActingMasterOff}}},
		{Name: "b", Cluster: "c1", Replicas: []core.Replica{
			{ID: 0, Addr: "b0", Zone: "z", ActingMaster: core.ActingMasterOn}, {ID: 1, Addr: "b1", Zone: "z", ActingMaster: core.ActingMasterOn}}},
	}
	wantClusters := map[string][]string{"c1": {"a", "b"}, "c2": {"b"}}
	if !reflect.DeepEqual(groups, wantGroups) || !reflect.DeepEqual(clusters, wantClusters) {
		t.Errorf("got %+v %v", groups, clusters)
	}
	delete(wantClusters, "c2")
	again, clusters, err := DecodeClusterInfo(AppendClusterInfo(nil, groups))
	if err != nil || !reflect.DeepEqual(again, groups) || !reflect.DeepEqual(clusters, wantClusters) {
		t.Errorf("again: got %+v %v, %v", again, clusters, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{"", "null", "[]", "{", `{"x":`, `{"x":{]}`, "{}x", "\xff"} {
		for name, decode := range map[string]func([]byte) error{
			"route":   func(b []byte) error { _, err := DecodeRoute("t", b); return err },
			"cluster": func(b []byte) error { _, _, err := DecodeClusterInfo(b); return err },
			"topics":  func(b []byte) error { _, _, err := DecodeTopicList(b); return err },
			"kv":      func(b []byte) error { _, err := DecodeKVTable(b); return err },
		} {
			if err := decode([]byte(body)); !errors.Is(err, ErrDecode) {
				t.Errorf("%s of %q: %v", name, body, err)
			}
		}
	}
	for _, body := range []string{"{}", `{"brokerDatas":null,"queueDatas":null,"filterServerTable":null,"orderTopicConf":null,"topicQueueMappingByBroker":null}`} {
		if r, err := DecodeRoute("t", []byte(body)); err != nil || !reflect.DeepEqual(r, &core.Route{Topic: "t"}) {
			t.Errorf("%s: got %+v, %v", body, r, err)
		}
	}
}

// In Java's maps the last one counts, and so it does here.
func TestTheLastOfANameCounts(t *testing.T) {
	for _, tc := range []struct {
		body string
		want []core.Topic
	}{
		{`{"A":{"topicName":"T","perm":2},"B":{"topicName":"U"},"C":{"topicName":"T","perm":4}}`, []core.Topic{topic("T", 16, 16, 4, 0), topic("U", 16, 16, 6, 0)}},
		{`{"A":{"topicName":"T"}},"topicConfigTable":{"B":{"topicName":"U"}}`, []core.Topic{topic("U", 16, 16, 6, 0)}},
		// fastjson's way to say that the same object stands elsewhere, too
		{`{"A":{"topicName":"T"},"B":{"$ref":"$.topicConfigSerializeWrapper.topicConfigTable.A"}}`, []core.Topic{topic("T", 16, 16, 6, 0)}},
	} {
		got := decodeJSON(t, `{"topicConfigSerializeWrapper":{"topicConfigTable":`+tc.body+`}}`)
		if !reflect.DeepEqual(got.Topics, tc.want) {
			t.Errorf("%s: got %+v, want %+v", tc.body, got.Topics, tc.want)
		}
	}
	twice := pack(section("{}"), 2, section("T 1 1 1 SINGLE_TAG"), section("T 2 2 2 SINGLE_TAG"), section("[]"),
		2, section(`{"topic":"T","epoch":1}`), section(`{"topic":"T","epoch":2}`))
	got, err := DecodeRegistration(twice, Options{Compressed: true, Version: 479})
	if err != nil || len(got.Topics) != 1 || got.Topics[0].Queues.Perm != 2 || len(got.Mappings) != 1 || got.Mappings[0].Epoch != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A mapping is registered under its key, whatever it says of itself; what it
// does not say is as in Java's TopicQueueMappingInfo.
func TestMappingDefaults(t *testing.T) {
	for mapping, want := range map[string]*core.Mapping{
		`{}`: {Topic: "T", Scope: "__global__", Current: map[int32]int32{}},
		`{"currIdMap":null,"scope":null,"topic":null,"bname":null,"dirty":null}`: {Topic: "T", Scope: "__global__", Current: map[int32]int32{}},
		`{"currIdMap":{0:1,"2":"3",'-4':5},"topic":"other","dirty":true,"epoch":"9","totalQueues":7,"bname":"b","scope":"s","hostedQueues":{0:[{}]}}`: {
			Topic: "T", Broker: "b", Scope: "s", TotalQueues: 7, Epoch: 9, Dirty: true, Current: map[int32]int32{0: 1, 2: 3, -4: 5}},
		`null`: nil,
	} {
		got := decodeJSON(t, `{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{"T":`+mapping+`}}}`).Mappings
		if want == nil {
			if got != nil {
				t.Errorf("%s: got %+v", mapping, got)
			}
			continue
		}
		if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%s: got %+v, want %+v", mapping, got, want)
		}
	}
}
