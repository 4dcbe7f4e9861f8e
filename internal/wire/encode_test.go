package wire

import (
	"testing"

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
