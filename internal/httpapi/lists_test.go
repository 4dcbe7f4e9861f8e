package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLists(t *testing.T) {
	a := newAPI(t)
	a.do("GET /v1/read/topics", nil).is(200).validFor(30 * time.Second).says(`{"topicList": []}`)
	a.do("GET /v1/read/topics?kind=system", nil).is(200).says(`{"topicList": []}`)
	a.do("GET /v1/read/clusters", nil).is(200).says(`{"brokerAddrTable": {}, "clusterAddrTable": {}}`)

	b := broker("a", 0).but("topicConfigTable", object{
		"plain": topicConfig("plain", 1),
		"unit":  topicConfig("unit", 1).but("topicSysFlag", 1),
		"sub":   topicConfig("sub", 1).but("topicSysFlag", 2),
		"both":  topicConfig("both", 1).but("topicSysFlag", 3),
	})
	a.register(b).is(200)
	a.register(broker("bb", 0).but("clusterName", "c2").but("zoneName", "z").but("heartbeatTimeoutMillis", 15000)).is(200)
	a.register(broker("bb", 11).but("clusterName", "c2")).is(200)
	for query, want := range map[string]string{
		"":                        "bb-own bb-own-2 both plain sub unit",
		"?cluster=c2":             "bb-own bb-own-2",
		"?cluster=c3":             "",
		"?cluster=":               "bb-own bb-own-2 both plain sub unit",
		"?kind=unit":              "both unit",
		"?kind=unit-sub":          "both sub",
		"?kind=unit-sub-ununit":   "sub",
		"?kind=unit&cluster=c2":   "",
		"?kind=system":            "a bb c1 c2",
		"?kind=system&cluster=c2": "bb c2",
		"?kind=&cluster=c2":       "bb-own bb-own-2",
	} {
		var list struct{ TopicList []string }
		a.do("GET /v1/read/topics"+query, nil).is(200).into(&list)
		if got := strings.Join(list.TopicList, " "); got != want {
			t.Errorf("topics%s: %s, want %s", query, got, want)
		}
	}
	a.do("GET /v1/read/topics", nil).validFor(15 * time.Second)
	a.do("GET /v1/read/topics?cluster=c1", nil).validFor(30 * time.Second)
	a.do("GET /v1/read/topics?kind=Unit", nil).problem(400, "invalid-field", "kind")
	a.do("GET /v1/read/clusters", nil).is(200).validFor(15 * time.Second).says(`{
		"brokerAddrTable": {
			"a": {"cluster": "c1", "brokerName": "a", "brokerAddrs": {"0": "10.0.1.1:10911"}, "enableActingMaster": false},
			"bb": {"cluster": "c2", "brokerName": "bb", "brokerAddrs": {"0": "10.0.2.1:10911", "11": "10.0.2.12:10911"}, "enableActingMaster": false, "zoneName": "z"}},
		"clusterAddrTable": {"c1": ["a"], "c2": ["bb"]}}`)
}

func TestGroup(t *testing.T) {
	a := newAPI(t)
	a.do("GET /v1/read/group?broker=a", nil).problem(404, "not-found", "")
	a.do(openS1, nil).is(200)
	b := broker("a", 0)
	a.register(b.but("session", "s1")).is(200)
	a.register(broker("a", 1).but("enableActingMaster", true).but("heartbeatTimeoutMillis", 20000)).is(200)
	a.step(5 * time.Second)
	a.do("GET /v1/read/group?broker=a&cluster=c1", nil).is(200).validFor(15 * time.Second).says(`{
		"cluster": "c1", "brokerName": "a", "brokerAddrs": {"0": "10.0.1.1:10911", "1": "10.0.1.2:10911"}, "enableActingMaster": false,
		"replicas": [
			{"brokerId": 0, "brokerAddr": "10.0.1.1:10911", "haServerAddr": "10.0.1.1:10912", "heartbeatTimeoutMillis": 120000, "remainingMillis": 115000,
			 "dataVersion": {"counter": 1, "stateVersion": 0, "timestamp": 1700000000000}, "sessions": ["s1"], "direct": false},
			{"brokerId": 1, "brokerAddr": "10.0.1.2:10911", "haServerAddr": "10.0.1.2:10912", "heartbeatTimeoutMillis": 20000, "remainingMillis": 15000,
			 "dataVersion": {"counter": 1, "stateVersion": 0, "timestamp": 1700000000000}, "sessions": [], "direct": true}]}`)
	a.do("GET /v1/read/group?broker=a&cluster=c2", nil).problem(404, "not-found", "")
	a.do("GET /v1/read/group?cluster=c2", nil).problem(400, "invalid-field", "broker")
}

func TestKV(t *testing.T) {
	a := newAPI(t)
	a.do("GET /v1/read/kv?namespace=n", nil).problem(404, "not-found", "")
	value := `a "quoted" <b> %RETRY% 日本語 ` + "\u0000\n"
	a.do("PUT /v1/admin/kv?namespace=n&key=%25k", object{"value": value}).is(204).validFor(0)
	a.do("PUT /v1/admin/kv?namespace=n&key=l", object{"value": ""}).is(204)
	a.do("GET /v1/read/kv?namespace=n", nil).is(200).validFor(0).says(fmt.Sprintf(`{"table": {"%%k": %s, "l": ""}}`, jsonOf(t, value)))
	a.do("GET /v1/read/kv?namespace=n&key=l", nil).is(200).says(`{"table": {"l": ""}}`)
	a.do("GET /v1/read/kv?namespace=n&key=", nil).problem(404, "not-found", "")
	a.do("DELETE /v1/admin/kv?namespace=n&key=l", nil).is(204)
	a.do("DELETE /v1/admin/kv?namespace=n&key=l", nil).is(204)
	a.do("GET /v1/read/kv?namespace=n&key=l", nil).problem(404, "not-found", "")
	a.do("DELETE /v1/admin/kv?namespace=n&key=%25k", nil).is(204)
	a.do("GET /v1/read/kv?namespace=n", nil).is(200).says(`{"table": {}}`)

	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": strings.Repeat("x", 65536)}).is(204)
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": strings.Repeat("x", 65537)}).problem(400, "invalid-field", "value")
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{}).problem(400, "invalid-field", "value")
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": 1}).problem(400, "invalid-field", "value")
	a.do("PUT /v1/admin/kv?namespace=n", object{"value": ""}).problem(400, "invalid-field", "key")
	a.do("PUT /v1/admin/kv?key=n", object{"value": ""}).problem(400, "invalid-field", "namespace")
}

func TestOrderConfigurationIsPartOfTheRoute(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	before := a.route("orders").is(200)
	r := a.do("PUT /v1/admin/kv?namespace=ORDER_TOPIC_CONFIG&key=orders", object{"value": "a:8"}).is(204)
	if r.revision() <= before.revision() {
		t.Errorf("the revision is %d after the change, %d before", r.revision(), before.revision())
	}
	after := a.route("orders", with("If-None-Match", before.header.Get("ETag"))).is(200)
	if !strings.Contains(string(after.body), `"orderTopicConf":"a:8"`) {
		t.Errorf("the route is %s", after.body)
	}
}

func TestWritePermission(t *testing.T) {
	a := newAPI(t)
	a.do("DELETE /v1/admin/write-permission?broker=a", nil).is(200).says(`{"wipeTopicCount": 0}`)
	a.register(broker("a", 0, "orders")).is(200)
	perm := func() string {
		t.Helper()
		var route struct{ QueueDatas []struct{ Perm int } }
		a.route("orders").is(200).into(&route)
		return fmt.Sprint(route.QueueDatas[0].Perm)
	}
	before := a.route("orders").revision()
	r := a.do("DELETE /v1/admin/write-permission?broker=a", nil).is(200).validFor(0).says(`{"wipeTopicCount": 2}`)
	if got := perm(); got != "4" || r.revision() <= before {
		t.Errorf("perm is %s, the revision %d after %d", got, r.revision(), before)
	}
	a.do("PUT /v1/admin/write-permission?broker=a", nil).is(200).says(`{"addTopicCount": 2}`)
	if got := perm(); got != "6" {
		t.Errorf("perm is %s", got)
	}
	a.do("PUT /v1/admin/write-permission", nil).problem(400, "invalid-field", "broker")
	a.do("PUT /v1/admin/write-permission?broker=", nil).problem(400, "invalid-field", "broker")
	if log := a.log.String(); strings.Count(log, "administration") != 3 {
		t.Errorf("the log says:\n%s", log)
	}
}

func TestDeleteTopic(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	a.register(broker("b", 0, "orders").but("clusterName", "c2")).is(200)
	a.do("DELETE /v1/admin/topic?topic=orders&cluster=", nil).problem(400, "invalid-field", "cluster")
	a.do("DELETE /v1/admin/topic?topic=orders&clustr=c1", nil).problem(400, "invalid-field", `"clustr"`)
	a.do("DELETE /v1/admin/topic?topic=orders&cluster=c9", nil).is(204)
	if got := a.addrs("orders"); got != "a/0=10.0.1.1:10911 b/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q", got)
	}
	a.do("DELETE /v1/admin/topic?topic=orders&cluster=c1", nil).is(204)
	if got := a.addrs("orders"); got != "b/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q", got)
	}
	a.do("DELETE /v1/admin/topic?topic=orders", nil).is(204)
	if got := a.addrs("orders"); got != "" {
		t.Errorf("orders is at %q", got)
	}
	a.do("DELETE /v1/admin/topic?topic=orders", nil).is(204)
	a.step(time.Second) // who still has it brings it back
	a.register(broker("a", 0, "orders")).is(200)
	if got := a.addrs("orders"); got != "a/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q", got)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
