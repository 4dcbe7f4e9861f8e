//go:build e2e

package functions_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signpost/e2e/functions/stack"
	"signpost/e2e/gateway"
)

func TestACallerWritesItsOwnClustersOnly(t *testing.T) {
	s := start(t, nil)
	const topic = "%RETRY%group"
	if r := s.do(stack.Limited, "PUT", "/v1/register/broker", s.registration(topic).json(), "Content-Type", typeJSON); r.Status != 403 || problem(r) != "cluster-forbidden" {
		t.Errorf("registration in another cluster: %v", r)
	}
	s.register(stack.Registrar, s.registration(topic))
	// It must not take a broker over into its own cluster either, nor send it away.
	own := s.registration(topic).with("clusterName", stack.LimitedCluster)
	if r := s.do(stack.Limited, "PUT", "/v1/register/broker", own.json(), "Content-Type", typeJSON); r.Status != 403 && r.Status != 409 {
		t.Errorf("takeover: %v", r)
	}
	if r := s.do(stack.Limited, "POST", "/v1/register/unregister", s.beat().json(), "Content-Type", typeJSON); r.Status != 403 {
		t.Errorf("departure: %v", r)
	}
	if r := s.route(topic, 1); r.Status != 200 || !strings.Contains(string(r.Body), s.cluster) {
		t.Errorf("after that: %v", r)
	}
	s.register(stack.Limited, own.with("brokerName", s.broker+"-limited"))
}

// Two gateways hold one broker; each speaks for its own session only.
func TestTwoGateways(t *testing.T) {
	s := start(t, nil)
	const topic = "orders"
	id := map[string]string{stack.GatewayA: "a-" + s.broker, stack.GatewayB: "b-" + s.broker}
	for key, session := range id {
		s.want(200, nil, key, "PUT", "/v1/register/session?open=true&gateway="+key+"&id="+session, nil)
	}
	revision := s.register(stack.GatewayA, s.registration(topic).with("session", id[stack.GatewayA]))
	confirmed := s.beat().with("dataVersion", object{"counter": 1, "stateVersion": 0, "timestamp": 1})
	if got := s.beats(stack.GatewayB, confirmed.with("session", id[stack.GatewayB])); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("the second gateway's confirmation: %v", got)
	}
	held := func(key string) int {
		var a struct{ Leases []json.RawMessage }
		s.want(200, &a, stack.Reader, "GET", "/v1/read/leases?session="+id[key], nil)
		return len(a.Leases)
	}
	if held(stack.GatewayA) != 1 || held(stack.GatewayB) != 1 {
		t.Errorf("they hold %d and %d", held(stack.GatewayA), held(stack.GatewayB))
	}
	for _, c := range []struct {
		what string
		r    *gateway.Reply
	}{
		{"beat", s.do(stack.GatewayB, "PUT", "/v1/register/session?id="+id[stack.GatewayA], nil)},
		{"drop", s.do(stack.GatewayB, "POST", "/v1/register/unregister", s.beat().with("session", id[stack.GatewayA]).json(), "Content-Type", typeJSON)},
		{"registration", s.do(stack.GatewayB, "PUT", "/v1/register/broker", s.registration(topic, "more").with("session", id[stack.GatewayA]).json(), "Content-Type", typeJSON)},
	} {
		if c.r.Status != 403 || problem(c.r) != "not-owner" {
			t.Errorf("%s for another's session: %v", c.what, c.r)
		}
	}
	drop := func(key string) {
		s.want(204, nil, key, "POST", "/v1/register/unregister", s.beat().with("session", id[key]).json(), "Content-Type", typeJSON)
	}
	drop(stack.GatewayA)
	if !s.found(topic, revision+1) || held(stack.GatewayA) != 0 {
		t.Error("the broker went with the first of two gateways")
	}
	var head struct{ Revision uint64 }
	s.want(200, &head, stack.GatewayB, "PUT", "/v1/register/session?id="+id[stack.GatewayB], nil)
	drop(stack.GatewayB)
	r := s.want(200, &head, stack.GatewayB, "PUT", fmt.Sprintf("/v1/register/session?id=%s&revision=%d", id[stack.GatewayB], head.Revision), nil)
	if !strings.Contains(string(r.Body), s.broker) {
		t.Errorf("the log does not tell that the broker left: %s", r.Body)
	}
	if s.found(topic, head.Revision) {
		t.Error("the broker is there though no gateway holds it")
	}
}

// Two instances of each function, one with old routes in memory, answer alike
// to who names the revision that it knows.
func TestInstancesThatKnowLess(t *testing.T) {
	old := start(t, nil)
	young := start(t, func(o *stack.Options) { o.Table = old.Table })
	young.broker, young.cluster = old.broker, old.cluster
	revision := old.register(stack.Registrar, old.registration("one"))
	if !old.found("one", revision) || old.found("two", revision) || !young.found("one", revision) {
		t.Fatal("the first registration is not as it should be")
	}
	for i := range 5 {
		topic := fmt.Sprintf("two-%d", i)
		writer, reader := young, old
		if i%2 == 1 {
			writer, reader = old, young
		}
		changed := writer.registration("one", topic).with("dataVersion", object{"counter": i + 2, "stateVersion": 0, "timestamp": 1})
		revision = writer.register(stack.Registrar, changed)
		if !reader.found(topic, revision) {
			t.Errorf("an instance that knew less than revision %d answers that there is no %s", revision, topic)
		}
		if i > 0 && reader.found(fmt.Sprintf("two-%d", i-1), revision) {
			t.Errorf("revision %d has a topic that went with it", revision)
		}
	}
	if got := old.beats(stack.Registrar, old.beat()); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("a beat through the other instance: %v", got)
	}
}

// No event, whatever it is, ends a function: the same process answers the next
// one, and what came over HTTP gets an answer over HTTP.
func TestHostileEvents(t *testing.T) {
	s := start(t, func(o *stack.Options) { o.Concurrency = 1 })
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	samples, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "events/testdata/*.json"))
	if err != nil || len(samples) < 20 {
		t.Fatalf("%d samples, %v", len(samples), err)
	}
	var events [][]byte
	for _, path := range samples {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if json.Valid(b) {
			events = append(events, b)
		}
	}
	for _, text := range []string{`{}`, `null`, `[]`, `"text"`, `7`, `{"version":"1.0"}`, `{"requestContext":null}`, `{"rawPath":7}`} {
		events = append(events, []byte(text))
	}
	for _, id := range []string{stack.Register, stack.Route} {
		for _, e := range append(events, hostile()...) {
			answer, err := s.Functions[id].Invoke(t.Context(), e)
			var said struct {
				StatusCode int
				Body       string
			}
			if err != nil { // it may say that this is no event, but has to live on
				continue
			}
			if json.Unmarshal(answer, &said) != nil || said.StatusCode < 200 || said.StatusCode > 499 {
				t.Errorf("%s: %.300s is answered %.300s", id, e, answer)
			}
		}
		if n := len(s.Functions[id].Timings().Inits); n != 1 {
			t.Errorf("%s was started %d times", id, n)
		}
	}
	s.register(stack.Registrar, s.registration("%RETRY%g"))
	if !s.found("%RETRY%g", 1) {
		t.Error("after that, a lookup finds nothing")
	}
}

// hostile are events of the right shape.
func hostile() [][]byte {
	base := object{
		"version": "2.0", "routeKey": "GET /v1/read/route", "rawPath": "/v1/read/route", "rawQueryString": "topic=a", "headers": object{"host": "x"},
		"requestContext": object{
			"stage": "$default", "http": object{"method": "GET", "path": "/v1/read/route", "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"},
			"authorizer": object{"iam": object{"userArn": "arn:aws:iam::123456789012:user/" + stack.Master}},
		},
	}
	method := func(m string) object {
		return object{"stage": "$default", "http": object{"method": m, "path": "/v1/register/broker"},
			"authorizer": object{"iam": object{"userArn": "arn:aws:iam::123456789012:user/" + stack.Master}}}
	}
	var events [][]byte
	for _, path := range []string{"", "/", "//", "v1/read/route", "/v1/topics/%RETRY%g/route", "/%", "/%zz", "/v1/read/route?topic=x", "/v1/read/route#x",
		"/v1/../v1/read/route", "/v1/read/route/", "http://evil.test/v1/read/route", "//evil.test/v1/read/route", "/v1/read/\x00route", "/v1/read/\r\nroute",
		"/v1/read/ü", "/\ufffd", "/" + strings.Repeat("a/", 4000)} {
		events = append(events, base.with("rawPath", path).json())
	}
	for _, query := range []string{"topic=%", "topic=%zz", "topic=%25RETRY%25g", "topic=a;b", "topic", "=a", "&&&", "topic=a&topic=b", "topic=%00", "topic=%ff",
		"topic=" + strings.Repeat("a", 9000), "revision=-1&topic=a", "topic=a&consistent=maybe"} {
		events = append(events, base.with("rawQueryString", query).json())
	}
	for _, headers := range []object{{}, {"": "x"}, {"a b": "x"}, {"x": "a\r\nb: c"}, {"if-none-match": `"a,b",W/"c`}, {"if-none-match": strings.Repeat(`"a",`, 2000)},
		{"content-length": "-1"}, {"content-length": "99999999999999999999"}, {"host": "a b\x00"}, {"accept": "text/html"}, {"accept-encoding": "gzip;q=x,,"}, {"transfer-encoding": "chunked"}} {
		events = append(events, base.with("headers", headers).json())
	}
	for _, m := range []string{"", "get", "GET ", "BREW", "G\r\nET", "HEAD", "OPTIONS", "CONNECT", "PUT"} {
		events = append(events, base.with("requestContext", method(m)).json())
	}
	register := base.with("rawPath", "/v1/register/broker").with("requestContext", method("PUT")).with("rawQueryString", "")
	for _, c := range []struct {
		contentType, body string
		base64            any
	}{
		{typeJSON, "", false}, {typeJSON, "{", false}, {typeJSON, strings.Repeat("[", 100_000), false}, {typeJSON, "\ufffd\ufffd", false}, {typeJSON, "not base64!", true},
		{typeGzip, "plain", false}, {typeGzip, "H4sI", true}, {typeGzip, "", true}, {"", "{}", false}, {"a/b; c", "{}", false},
	} {
		events = append(events, register.with("headers", object{"content-type": c.contentType}).with("body", c.body).with("isBase64Encoded", c.base64).json())
	}
	return events
}

// A function at its concurrency refuses what is more, and is well again.
func TestTooManyAtOnce(t *testing.T) {
	s := start(t, func(o *stack.Options) { o.Concurrency = 1 })
	s.register(stack.Registrar, s.registration("a"))
	s.DynamoDB.Set(stack.Always(stack.Hung))
	first := make(chan int, 1)
	calls := s.DynamoDB.Calls("UpdateItem")
	go func() {
		r, err := s.As(stack.Registrar).Do(t.Context(), "POST", "/v1/register/beats", object{"beats": []object{s.beat()}}.json(), "Content-Type", typeJSON)
		if err != nil {
			t.Error(err)
			first <- 0
			return
		}
		first <- r.Status
	}()
	s.eventually("the first call reaches the table", func() bool { return s.DynamoDB.Calls("UpdateItem") > calls })
	if r := s.do(stack.Registrar, "POST", "/v1/register/beats", object{"beats": []object{s.beat()}}.json(), "Content-Type", typeJSON); r.Status != 429 {
		t.Errorf("the second call: %v", r)
	}
	s.DynamoDB.Set(nil)
	if status := <-first; status != 200 && status != 503 {
		t.Errorf("the first call: %d", status)
	}
	s.eventually("it answers again", func() bool { return s.found("a", 0) })
}
