package httpapi_test

import (
	"strings"
	"testing"

	"signpost/internal/httpapi"
)

func TestCallerWritesItsClustersOnly(t *testing.T) {
	a := newAPI(t)
	one := as("x c1,c3")
	mine, theirs := broker("a", 0, "orders"), broker("bb", 0, "orders").but("clusterName", "c2")
	a.register(mine, one).is(200)
	a.register(theirs, one).problem(403, "cluster-forbidden", "")
	a.register(theirs).is(200)

	beats := func(b object) object { return object{"beats": []object{beatOf(mine), beatOf(b)}} }
	a.do("POST /v1/register/beats", beats(mine), one).is(200)
	a.do("POST /v1/register/beats", beats(theirs), one).problem(403, "cluster-forbidden", "")
	a.do("POST /v1/register/unregister", beatOf(theirs), one).problem(403, "cluster-forbidden", "")

	// The cluster that it names is its own, and the broker is in the other one.
	a.do("POST /v1/register/unregister", beatOf(theirs).but("clusterName", "c1"), one).is(204)
	a.register(theirs.but("clusterName", "c1"), one).problem(403, "cluster-forbidden", "")
	queues := func(b string) object { return object{"queueDatas": []object{{"brokerName": b, "perm": 6}}} }
	a.do("PUT /v1/register/queues?topic=t", queues("a"), one).is(204)
	a.do("PUT /v1/register/queues?topic=t", queues("bb"), one).problem(403, "cluster-forbidden", "")
	a.do("DELETE /v1/admin/write-permission?broker=a", nil, one).is(200)
	a.do("DELETE /v1/admin/write-permission?broker=bb", nil, one).problem(403, "cluster-forbidden", "")
	a.do("PUT /v1/admin/write-permission?broker=bb", nil, one).problem(403, "cluster-forbidden", "")
	a.do("PUT /v1/admin/write-permission?broker=no-such", nil, one).is(200)
	a.do("DELETE /v1/admin/topic?topic=t&cluster=c1", nil, one).is(204)
	a.do("DELETE /v1/admin/topic?topic=orders&cluster=c2", nil, one).problem(403, "cluster-forbidden", "")
	a.do("DELETE /v1/admin/topic?topic=orders", nil, one).problem(403, "cluster-forbidden", "")
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": ""}, one).problem(403, "cluster-forbidden", "")
	a.do("DELETE /v1/admin/kv?namespace=n&key=k", nil, one).problem(403, "cluster-forbidden", "")

	if got := a.addrs("orders"); got != "a/0=10.0.1.1:10911 bb/0=10.0.2.1:10911" {
		t.Errorf("orders is at %q", got)
	}
	a.route("orders", one).is(200)
	if log := a.log.String(); strings.Count(log, "call refused") != 11 {
		t.Errorf("the log says:\n%s", log)
	}
}

// A broker may take its name along, but only out of a cluster that its caller
// may write.
func TestCallerTakesNoNameFromAnotherCluster(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders")
	a.register(b).is(200)
	a.register(b.but("clusterName", "c2"), as("x c2")).problem(403, "cluster-forbidden", "")
	a.register(b.but("clusterName", "c2"), as("x c1,c2")).is(200)
}

func TestUnknownCaller(t *testing.T) {
	a := newAPI(t)
	a.register(broker("a", 0, "orders")).is(200)
	for _, call := range a.doc.calls() {
		r := a.do(call, nil, as("stranger")).problem(403, "forbidden", "")
		if strings.Contains(string(r.body), "account") {
			t.Errorf("%s tells why: %s", call, r.body)
		}
	}
}

func TestZeroCallerWritesNothing(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) { o.Identity = httpapi.Anyone })
	a.register(broker("a", 0, "orders")).is(200)
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": ""}).is(204)
	a = newAPI(t)
	a.register(broker("a", 0, "orders"), as(" ")).problem(403, "cluster-forbidden", "")
	a.do("PUT /v1/admin/kv?namespace=n&key=k", object{"value": ""}, as(" ")).problem(403, "cluster-forbidden", "")
}
