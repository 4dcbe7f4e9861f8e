package httpapi_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/httpapi"
	"signpost/internal/memory"
)

const openS1 = "PUT /v1/register/session?id=s1&open=true&gateway=gw1"

func TestSession(t *testing.T) {
	a := newAPI(t)
	a.do(openS1, nil, as("x")).is(200).validFor(0).says(`{"revision": 0, "complete": true, "changes": [],
		"sessions": [{"id": "s1", "gateway": "gw1", "ageMillis": 0, "remainingMillis": 30000}]}`)
	known := a.register(broker("a", 0, "orders").but("session", "s1"), as("x")).is(200).revision()
	a.register(broker("b", 0, "orders")).is(200)
	a.step(10 * time.Second)
	a.do("PUT /v1/register/session?id=s2&open=true&gateway=gw2", nil, as("y")).is(200)
	a.step(2 * time.Second)

	var head struct {
		Revision uint64
		Complete bool
		Changes  []struct {
			Revision   uint64
			BrokerName string
			Replicas   bool
			Topics     []string
		}
		Sessions []struct {
			ID              string
			RemainingMillis int
		}
	}
	a.do(fmt.Sprintf("PUT /v1/register/session?id=s2&revision=%d", known), nil, as("y")).is(200).into(&head)
	if !head.Complete || head.Revision <= known || len(head.Changes) == 0 || head.Changes[0].BrokerName != "b" || head.Changes[0].Revision <= known {
		t.Errorf("since %d: %+v", known, head)
	}
	if len(head.Sessions) != 2 || head.Sessions[0].RemainingMillis != 18000 || head.Sessions[1].RemainingMillis != 30000 {
		t.Errorf("sessions: %+v", head.Sessions)
	}
	a.do(fmt.Sprintf("PUT /v1/register/session?id=s2&revision=%d", head.Revision), nil, as("y")).is(200).into(&head)
	if !head.Complete || len(head.Changes) != 0 {
		t.Errorf("who is up to date hears %+v", head)
	}
	// From another store's history: nothing of it can be trusted.
	a.do("PUT /v1/register/session?id=s2&revision=9007199254740991", nil, as("y")).is(200).into(&head)
	if head.Complete || len(head.Changes) != 0 {
		t.Errorf("who knows more than there is hears %+v", head)
	}
}

func TestClosedSessionStaysClosed(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders").but("session", "s1")
	a.do("PUT /v1/register/session?id=s1", nil).problem(410, "session-closed", "")
	a.register(b).problem(410, "session-closed", "")
	a.do(openS1, nil).is(200)
	a.register(b).is(200)
	a.step(core.SessionTimeout)
	a.do("PUT /v1/register/session?id=s1", nil).is(200)
	a.step(core.SessionTimeout + time.Millisecond)
	a.do("PUT /v1/register/session?id=s1", nil).problem(410, "session-closed", "")
	a.do(openS1, nil).problem(410, "session-closed", "")
	a.register(b).problem(410, "session-closed", "")
	a.do("POST /v1/register/beats", object{"beats": []object{beatOf(b).but("session", "s1")}}).problem(410, "session-closed", "")
	if a.addrs("orders") == "" {
		t.Error("the broker's own timeout is 120 s, and it is gone after 30")
	}
	a.do("PUT /v1/register/session?id=s2&open=true&gateway=gw1", nil).is(200)
	a.do("POST /v1/register/beats", object{"beats": []object{beatOf(b).but("session", "s2")}}).is(200).says(`{"answers": ["ok"]}`)
}

func TestOpeningIsRepeatable(t *testing.T) {
	a := newAPI(t)
	a.do(openS1, nil, as("x")).is(200)
	a.step(5 * time.Second)
	a.do(openS1, nil, as("x")).is(200).says(`{"revision": 0, "complete": true, "changes": [],
		"sessions": [{"id": "s1", "gateway": "gw1", "ageMillis": 0, "remainingMillis": 30000}]}`)
	a.do(openS1, nil, as("y")).problem(403, "not-owner", "")
}

// What a session holds is its owner's alone to say.
func TestSessionBelongsToItsCaller(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders").but("session", "s1")
	a.do(openS1, nil, as("x")).is(200)
	a.register(b, as("x")).is(200)
	for range 2 { // remembered, and by a server that does not remember it
		a.do("PUT /v1/register/session?id=s1", nil, as("y")).problem(403, "not-owner", "")
		a.register(b, as("y")).problem(403, "not-owner", "")
		a.do("POST /v1/register/beats", object{"beats": []object{beatOf(b).but("session", "s1")}}, as("y")).problem(403, "not-owner", "")
		a.do("POST /v1/register/unregister", beatOf(b).but("session", "s1"), as("y")).problem(403, "not-owner", "")
		a = a.again()
	}
	if a.addrs("orders") == "" {
		t.Error("another caller ended the lease")
	}
	a.do("POST /v1/register/unregister", beatOf(b).but("session", "s1"), as("x")).is(204)
	if got := a.addrs("orders"); got != "" {
		t.Errorf("orders is at %q without a lease", got)
	}
}

func TestLeaseEndsAlone(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders")
	for _, s := range []string{"s1", "s2"} {
		a.do("PUT /v1/register/session?open=true&gateway=gw&id="+s, nil).is(200)
		a.register(b.but("session", s)).is(200)
	}
	a.do("GET /v1/read/leases?session=s1", nil).is(200).validFor(0).says(
		`{"leases": [{"clusterName": "c1", "brokerName": "a", "brokerId": 0, "brokerAddr": "10.0.1.1:10911"}]}`)
	a.do("POST /v1/register/unregister", beatOf(b).but("session", "s1")).is(204)
	a.do("GET /v1/read/leases?session=s1", nil).is(200).says(`{"leases": []}`)
	if a.addrs("orders") == "" {
		t.Error("the broker is gone while s2 holds it")
	}
	a.do("POST /v1/register/unregister", beatOf(b).but("session", "s2")).is(204)
	if got := a.addrs("orders"); got != "" {
		t.Errorf("orders is at %q without a lease", got)
	}
}

func TestSessionParameters(t *testing.T) {
	a := newAPI(t)
	long := "s12345678901234567890123456789012345678901234567890123456789012345"
	for query, field := range map[string]string{
		"":                                       "id",
		"id=":                                    "id",
		"id=s+1":                                 "id",
		"id=" + long:                             "id",
		"id=s%001":                               "id",
		"id=%ff":                                 "id",
		"id=s1&id=s2":                            "id",
		"id=s1&open=true":                        "gateway",
		"id=s1&open=yes":                         "open",
		"id=s1&gateway=gw":                       "gateway",
		"id=s1&revision=-1":                      "revision",
		"id=s1&revision=":                        "revision",
		"id=s1&revision=99999999999999999999999": "revision",
		"id=s1&sesion=s2":                        `"sesion"`,
		"id=%zz":                                 "query",
		"id=%":                                   "query",
		"id=s1;open=true":                        "query",
	} {
		a.do("PUT /v1/register/session?"+query, nil).problem(400, "invalid-field", field)
	}
}

// TestGuardIsTold: in every answer, errors too, while it holds brokers.
func TestGuardIsTold(t *testing.T) {
	a := newAPI(t, func(o *httpapi.Options) {
		guarded := core.New(memory.New(), core.Options{NewID: rand.Text, Guard: 5 * time.Minute})
		o.Read, o.Write = guarded, guarded
	})
	guarded := func(call, want string) {
		t.Helper()
		if got := a.do(call, nil).header.Get("Signpost-Guarded"); got != want {
			t.Errorf("%v, %s: guarded is %q", a.now().Sub(epoch), call, got)
		}
	}
	a.do(openS1, nil).is(200)
	a.do("PUT /v1/register/session?id=s2&open=true&gateway=gw2", nil).is(200)
	a.register(broker("a", 0, "orders").but("session", "s1")).is(200)
	guarded("GET /v1/read/route?topic=orders", "false")
	a.step(core.DefaultTimeout + time.Second)
	a.do("GET /v1/read/route?topic=orders", nil).is(200)
	guarded("GET /v1/read/route?topic=orders", "true")
	guarded("GET /v1/read/route?topic=none", "true")
	guarded("GET /v1/read/clusters", "true")
	guarded("DELETE /v1/admin/kv?namespace=n&key=k", "true")
	a.step(5 * time.Minute)
	guarded("GET /v1/read/route?topic=orders", "false")
	guarded("GET /v1/read/clusters", "false")
}

func TestPresignedCalls(t *testing.T) {
	a := newAPI(t)
	a.do("GET /v1/read/clusters?X-Amz-Signature=00&X-Amz-Date=20300102T030405Z&X-Amz-Security-Token=%00", nil).is(200)
	a.do("DELETE /v1/admin/kv?namespace=n&key=%25RETRY%25g&X-Amz-Signature=f00d&X-Amz-Security-Token=secret", nil).is(204)
	if log := a.log.String(); !strings.Contains(log, "key=%25RETRY%25g&namespace=n\"") || strings.Contains(log, "f00d") || strings.Contains(log, "secret") {
		t.Errorf("the log says %s", log)
	}
	a.do("GET /v1/read/clusters?X-Amzn-Signature=00", nil).problem(400, "invalid-field", "\"X-Amzn-Signature\"")
}
