package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"testing"
)

// fuzzed holds what any body is answered against the document, and against
// encoding/json: what is taken is JSON.
func fuzzed(t *testing.T, call string, body []byte, zip bool) {
	a := newAPI(t)
	a.doc.lenient = true
	a.do(openS1, nil).is(200)
	sent, contentType := body, "application/json"
	if zip {
		sent, contentType = zipped(body), gzipType
	}
	r := a.do(call, sent, with("Content-Type", contentType))
	if r.status < 300 && !json.Valid(body) {
		t.Errorf("%s is no JSON and was taken: %d", body, r.status)
	}
	if r.status >= 500 {
		t.Errorf("%s is answered %d: %s\n%s", body, r.status, r.body, a.log.String())
	}
}

// seeds adds the document's examples of a call, and what was hard before.
func seeds(f *testing.F, method, path string) {
	examples := loadDocument(f).Paths.Value(path).Operations()[method].RequestBody.Value.Content["application/json"].Examples
	for _, e := range examples {
		b, err := json.Marshal(e.Value.Value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	for _, s := range []string{
		`{}`, `[]`, ``, `{"a":`, `{"a":1,}`, `{'a':1}`, `{a:1}`, "{\"a\":\"\x00\"}", `{"a":"\ud800"}`, `{"a":[[[[[[[[]]]]]]]]}`, `{"a":{"b":"}"}}`,
		`{"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"x","topicConfigTable":{"a":{'topicName':"a"},"b":{topicName:"b"}}}`,
		`{"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"x","topicConfigTable":{"a":{"topicName":"a"},,"b":{"topicName":"b"}}}`,
		`{"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"x","topicConfigTable":{"'":"}"},"age":1,"x":"'"}`,
		`{"clusterName":"c","brokerName":"b","brokerId":0,"brokerAddr":"x","topicConfigTable":{"a":{"topicName":"a"},"b":{"topicName":"b"}},"topicQueueMappingInfoMap":{"a":{"currIdMap":{"0":1}}}}`,
	} {
		f.Add([]byte(s), false)
	}
}

func FuzzRegistration(f *testing.F) {
	seeds(f, "PUT", "/v1/register/broker")
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		fuzzed(t, "PUT /v1/register/broker", body, zip)
	})
}

func FuzzBeats(f *testing.F) {
	seeds(f, "POST", "/v1/register/beats")
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		fuzzed(t, "POST /v1/register/beats", body, zip)
	})
}

func FuzzRoutes(f *testing.F) {
	seeds(f, "POST", "/v1/read/routes")
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		fuzzed(t, "POST /v1/read/routes", body, zip)
	})
}

func FuzzQueues(f *testing.F) {
	seeds(f, "PUT", "/v1/register/queues")
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		fuzzed(t, "PUT /v1/register/queues?topic=t", body, zip)
	})
}

// FuzzGzip sends bytes that say they are gzipped.
func FuzzGzip(f *testing.F) {
	f.Add(zipped([]byte(`{"beats":[]}`)))
	f.Add(zipped(nil))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := newAPI(t)
		if r := a.do("POST /v1/register/beats", body, with("Content-Type", gzipType)); r.status >= 500 {
			t.Errorf("answered %d: %s", r.status, r.body)
		}
	})
}

// FuzzQuery sends any path and query to any method.
func FuzzQuery(f *testing.F) {
	for _, call := range loadDocument(f).calls() {
		method, path, _ := bytes.Cut([]byte(call), []byte(" "))
		f.Add(string(method), string(path), "topic=%25RETRY%25g&id=s1&session=s1&namespace=n&key=k&broker=a&open=true&gateway=g&revision=3")
	}
	f.Add("GET", "/v1/read/route", "topic=%RETRY%g")
	f.Add("GET", "/v1/read/route", "topic=a&zone=%ff;")
	f.Fuzz(func(t *testing.T, method, path, query string) {
		a := newAPI(t)
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if res := a.judge(r, nil, w); res.status >= 500 {
			t.Errorf("%s %s?%s is answered %d: %s", method, path, query, res.status, res.body)
		}
	})
}
