package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/core"
)

func TestRegistration(t *testing.T) {
	a := newAPI(t)
	r := a.register(broker("a", 0, "orders")).is(200).validFor(0)
	var said struct{ Revision uint64 }
	if r.into(&said); said.Revision == 0 || r.revision() != said.Revision {
		t.Errorf("the first registration raised %d, its header says %d", said.Revision, r.revision())
	}
	a.register(broker("a", 1, "orders")).is(200)
	if got, want := a.addrs("orders"), "a/0=10.0.1.1:10911 a/1=10.0.1.2:10911"; got != want {
		t.Errorf("orders is at %q, want %q", got, want)
	}
}

func TestRegistrationTellsSlaveItsMaster(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0)).is(200)
	r := a.register(broker("a", 1)).is(200)
	r.says(fmt.Sprintf(`{"masterAddr": "10.0.1.1:10911", "haServerAddr": "10.0.1.1:10912", "revision": %d}`, r.revision()))
	a.step(core.DefaultTimeout + time.Millisecond)
	r = a.register(broker("a", 1).but("zoneName", "z")).is(200)
	r.says(fmt.Sprintf(`{"revision": %d}`, r.revision())) // the master ran out
}

func TestUnchangedRegistrationChangesNothing(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders")
	revision := a.register(b).is(200).revision()
	a.step(time.Minute)
	same := []struct {
		how  string
		body any
	}{
		{"again", b},
		{"later", b.but("age", 50)},
		{"asking for more", b.but("returnOrderTopicConf", true)},
		{"its members in another order", `{"topicConfigTable":{"a-own":{"perm":6,"readQueueNums":1,"topicName":"a-own","topicSysFlag":0,"writeQueueNums":1},` +
			`"orders":{"perm":6,"readQueueNums":8,"topicName":"orders","topicSysFlag":0,"writeQueueNums":8}} ,` + "\n" +
			`"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},` +
			`"brokerAddr":"10.0.1.1:10911","brokerId":0,"brokerName":"a","clusterName":"c1","haServerAddr":"10.0.1.1:10912"}`},
	}
	for _, s := range same {
		r := a.register2(s.body).is(200).says(`{}`)
		if r.revision() != revision {
			t.Errorf("%s: the revision went from %d to %d", s.how, revision, r.revision())
		}
	}
	// It was heard: the lease is as long as after a first registration.
	a.step(core.DefaultTimeout)
	if a.addrs("orders") == "" {
		t.Error("the unchanged registration did not renew the lease")
	}
	a.step(time.Millisecond)
	if got := a.addrs("orders"); got != "" {
		t.Errorf("orders is at %q after the broker's timeout", got)
	}
}

func (a *api) register2(body any) *response {
	a.t.Helper()
	return a.do("PUT /v1/register/broker", body)
}

// The digest covers every member but when, through whom and what is asked.
func TestEveryMemberOfRegistrationCounts(t *testing.T) {
	b := broker("a", 0, "orders")
	changes := map[string]any{
		"haServerAddr":             "10.9.9.9:1",
		"zoneName":                 "z1",
		"heartbeatTimeoutMillis":   60000,
		"enableActingMaster":       false,
		"partial":                  true,
		"dataVersion":              object{"counter": 2, "stateVersion": 0, "timestamp": 1700000000000},
		"topicConfigTable":         object{"orders": topicConfig("orders", 9), "a-own": topicConfig("a-own", 1)},
		"topicQueueMappingInfoMap": object{"orders": object{"bname": "a", "totalQueues": 8}},
		"filterServerList":         []string{"10.0.0.9:1"},
	}
	for name, value := range changes {
		a := newAPI(t)
		decoded := &counting{Registry: a.registry}
		a.options.Write = decoded
		a = a.again()
		a.register(b).is(200)
		a.register(b.but("age", 1).but("returnOrderTopicConf", true)).is(200)
		if decoded.contents != 1 {
			t.Fatalf("two registrations that say the same were decoded %d times", decoded.contents)
		}
		a.register(b.but(name, value)).is(200)
		if decoded.contents != 2 {
			t.Errorf("a registration with another %s was not heard", name)
		}
	}
}

func TestRegistrationInForceIsTheLast(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders").but("heartbeatTimeoutMillis", 10000).but("filterServerList", []string{"10.0.0.9:1"}).but("zoneName", "z1")).is(200)
	a.route("orders").is(200).validFor(10 * time.Second).says(`{
		"brokerDatas": [{"brokerAddrs": {"0": "10.0.1.1:10911"}, "brokerName": "a", "cluster": "c1", "enableActingMaster": false, "zoneName": "z1"}],
		"filterServerTable": {"10.0.1.1:10911": ["10.0.0.9:1"]},
		"queueDatas": [{"brokerName": "a", "perm": 6, "readQueueNums": 8, "topicSysFlag": 0, "writeQueueNums": 8}]}`)
	// Absent filter servers are kept, none are removed.
	a.register(broker("a", 0, "orders")).is(200)
	if got := string(a.route("orders").is(200).validFor(30 * time.Second).body); !strings.Contains(got, "10.0.0.9:1") {
		t.Errorf("filter servers were not kept: %s", got)
	}
	a.register(broker("a", 0, "orders").but("filterServerList", []string{})).is(200)
	if got := string(a.route("orders").is(200).body); strings.Contains(got, "10.0.0.9:1") {
		t.Errorf("filter servers were not removed: %s", got)
	}
}

func TestPartialRegistrationMerges(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	a.register(broker("a", 0, "bills").but("partial", true)).is(200)
	for _, topic := range []string{"orders", "bills"} {
		if a.addrs(topic) == "" {
			t.Errorf("%s is nowhere", topic)
		}
	}
}

func TestGzippedRegistration(t *testing.T) {
	a := newAPI(t)
	plain := `{"clusterName":"c1","brokerName":"a","brokerId":0,"brokerAddr":"10.0.1.1:10911",` +
		`"topicConfigTable":{"x":{"topicName":"orders"},"y":{"topicName":"%RETRY%g","readQueueNums":1}}}`
	a.do("PUT /v1/register/broker", zipped([]byte(plain)), with("Content-Type", gzipType)).is(200)
	// The digest is over what is in it: whoever gzips differently, or not at all, says the same.
	a.do("PUT /v1/register/broker", plain).is(200).says(`{}`)
	a.do("PUT /v1/register/broker", plain, with("Content-Type", `application/json; charset="UTF-8"`)).is(200).says(`{}`)
	if got := a.addrs("%RETRY%g"); got != "a/0=10.0.1.1:10911" {
		t.Errorf("%%RETRY%%g is at %q", got)
	}
	a.route("orders").is(200).says(`{
		"brokerDatas": [{"brokerAddrs": {"0": "10.0.1.1:10911"}, "brokerName": "a", "cluster": "c1", "enableActingMaster": false}],
		"filterServerTable": {},
		"queueDatas": [{"brokerName": "a", "perm": 6, "readQueueNums": 16, "topicSysFlag": 0, "writeQueueNums": 16}]}`)
}

func TestRegistrationReturnsOrderConfiguration(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders")
	a.register(b.but("returnOrderTopicConf", true)).is(200)
	a.do("PUT /v1/admin/kv?namespace=ORDER_TOPIC_CONFIG&key=orders", object{"value": "a:8"}).is(204)
	a.register(b).is(200).says(`{}`)
	a.register(b.but("returnOrderTopicConf", true)).is(200).says(`{"orderTopicConf": {"orders": "a:8"}}`)
}

func TestStaticTopic(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "static").but("topicQueueMappingInfoMap", object{"static": object{
		"topic": "static", "bname": "a", "scope": "__global__", "totalQueues": 2, "epoch": 9007199254740993, "dirty": false, "currIdMap": object{"0": 0, "1": 1},
	}})).is(200)
	var route struct {
		TopicQueueMappingByBroker map[string]struct {
			Epoch     any
			CurrIDMap map[string]int `json:"currIdMap"`
		}
	}
	a.route("static").is(200).into(&route)
	if m := route.TopicQueueMappingByBroker["a"]; m.Epoch != "9007199254740993" || len(m.CurrIDMap) != 2 {
		t.Errorf("the mapping reads %+v", m)
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	a.step(10 * time.Second)

	other := broker("a", 0, "orders").but("clusterName", "c2").but("brokerAddr", "10.7.7.7:1")
	a.register(other).problem(409, "broker-name-conflict", "")
	a.register(broker("a", 0, "orders").but("brokerAddr", "10.7.7.7:1").but("age", 20000)).problem(409, "stale", "")
	a.register(broker("b", 0).but("topicConfigTable", object{"one": topicConfig("one", 1)}).but("partial", true)).problem(409, "registration-refused", "")
	a.register(broker("b", 0).but("age", 121000)).problem(409, "stale", "")
	if got := a.addrs("orders"); got != "a/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q after what was refused", got)
	}
	if log := a.log.String(); strings.Count(log, `msg="registration refused"`) != 4 {
		t.Errorf("the log says:\n%s", log)
	}
}

func TestUnregister(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	a.register(broker("b", 0, "orders")).is(200)
	gone := beatOf(broker("a", 0))
	before := a.route("orders").revision()
	if after := a.do("POST /v1/register/unregister", gone).is(204).validFor(0).revision(); after <= before {
		t.Errorf("the revision is %d after leaving, %d before", after, before)
	}
	if got := a.addrs("orders"); got != "b/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q", got)
	}
	a.do("POST /v1/register/unregister", gone).is(204)
	a.do("POST /v1/register/unregister", gone.but("clusterName", "c9").but("brokerName", "b")).is(204) // another cluster's b
	a.register(broker("a", 0, "orders").but("age", 10)).problem(409, "stale", "")                      // was on its way
	a.do("POST /v1/register/unregister", beatOf(broker("b", 0)).but("age", 10)).is(204)                // said before b registered
	if got := a.addrs("orders"); got != "b/0=10.0.1.1:10911" {
		t.Errorf("orders is at %q", got)
	}
}

func TestRegisterQueues(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0)).is(200)
	queues := object{"queueDatas": []object{{"brokerName": "a", "readQueueNums": 3, "writeQueueNums": 4, "perm": 6, "topicSysFlag": 0}}}
	a.do("PUT /v1/register/queues?topic=%25RETRY%25g", queues).is(204)
	if got := a.addrs("%RETRY%g"); got != "a/0=10.0.1.1:10911" {
		t.Errorf("the topic is at %q", got)
	}
	a.do("PUT /v1/register/queues?topic=t", object{"queueDatas": []object{}}).is(204)
	a.do("PUT /v1/register/queues", queues).problem(400, "invalid-field", "topic")
	a.do("PUT /v1/register/queues?topic=t", object{"queueDatas": []object{{"perm": 6}}}).problem(400, "invalid-field", "brokerName")
	a.do("PUT /v1/register/queues?topic=t", object{}).problem(400, "invalid-field", "queueDatas")
	a.do("PUT /v1/register/queues?topic=t", `{"queueDatas":[{"brokerName":"a","perm":"x"}]}`).problem(400, "invalid-field", "perm")
	a.do("PUT /v1/register/queues?topic=t", `{"queueDatas":[{brokerName:"a"}]}`).problem(400, "invalid-field", "body")
	a.do("PUT /v1/register/queues?topic=t", `{"queueDatas":null}`).problem(400, "invalid-field", "queueDatas")
}
