package httpapi_test

import (
	"testing"

	"signpost/internal/wire"
)

// What reads NameServers' bodies reads these answers as well: a gateway needs
// no second set of decoders.
func TestAnswersReadAsRocketMQBodies(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders", `"%日本`)).is(200)
	a.register(broker("a", 1)).is(200)
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": "v"}).is(204)

	route, err := wire.DecodeRoute("orders", a.route("orders").is(200).body)
	if err != nil || len(route.Rows) != 1 || len(route.Brokers) != 1 || len(route.Brokers[0].Addrs) != 2 {
		t.Errorf("route: %+v, %v", route, err)
	}
	names, _, err := wire.DecodeTopicList(a.do("GET /v1/read/topics", nil).is(200).body)
	if err != nil || len(names) != 3 || names[0] != `"%日本` {
		t.Errorf("topics: %q, %v", names, err)
	}
	groups, clusters, err := wire.DecodeClusterInfo(a.do("GET /v1/read/clusters", nil).is(200).body)
	if err != nil || len(groups) != 1 || len(groups[0].Replicas) != 2 || len(clusters["c1"]) != 1 {
		t.Errorf("clusters: %+v, %v, %v", groups, clusters, err)
	}
	table, err := wire.DecodeKVTable(a.do("GET /v1/read/kv?namespace=n", nil).is(200).body)
	if err != nil || table["k"] != "v" {
		t.Errorf("kv: %v, %v", table, err)
	}
}
