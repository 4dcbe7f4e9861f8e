package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signpost/internal/httpapi"
)

// bigTopics is the largest table that was reported of a real broker.
const bigTopics = 60_000

// bigRegistration is a registration of that many topics, as a program of the
// broker's own would write it: with all members of a TopicConfig.
func bigRegistration(topics int, counter int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"clusterName":"DefaultCluster","brokerName":"broker-a","brokerId":0,"brokerAddr":"10.0.0.1:10911","haServerAddr":"10.0.0.1:10912",`+
		`"dataVersion":{"counter":%d,"stateVersion":0,"timestamp":1700000000000},"filterServerList":[],"topicConfigTable":{`, counter)
	for i := range topics {
		if i > 0 {
			b.WriteByte(',')
		}
		name := bigTopic(i)
		fmt.Fprintf(&b, `"%s":{"attributes":{},"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"%s","topicSysFlag":0,"writeQueueNums":8}`, name, name)
	}
	b.WriteString("}}")
	return []byte(b.String())
}

// bigTopic is the name of one of them: a part that repeats and one that does not.
func bigTopic(i int) string {
	return fmt.Sprintf("%%RETRY%%order-service-%05d-%x", i, uint32(i)*2654435761)
}

// A function's event has room for 6 MB, which base64 makes 4.5 MB of body.
func TestBigRegistrationFitsAnEvent(t *testing.T) {
	const room = 6_000_000 * 3 / 4
	body := bigRegistration(bigTopics, 1)
	if gz := zipped(body); len(gz) > room/2 {
		t.Errorf("%d topics are %d bytes gzipped (%d plain)", bigTopics, len(gz), len(body))
	}
}

func TestBigRegistration(t *testing.T) {
	const topics = 5000
	a := newAPI(t)
	w := httptest.NewRecorder()
	if a.ServeHTTP(w, request(zipped(bigRegistration(topics, 1)), gzipType)); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if last := bigTopic(topics - 1); a.addrs(last) == "" {
		t.Errorf("%s is nowhere", last)
	}
}

func request(body []byte, contentType string) *http.Request {
	r := httptest.NewRequest("PUT", "/v1/register/broker", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", contentType)
	return r
}

// benchmarkRegistration registers what body returns, after a first time.
func benchmarkRegistration(b *testing.B, body func(i int) ([]byte, string)) {
	a := newAPI(b)
	first, kind := body(0)
	b.SetBytes(int64(len(bigRegistration(bigTopics, 1))))
	b.ReportAllocs()
	a.ServeHTTP(httptest.NewRecorder(), request(first, kind))
	for i := 0; b.Loop(); i++ {
		sent, kind := body(i + 1)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, request(sent, kind))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

func BenchmarkUnchangedRegistration(b *testing.B) {
	body := bigRegistration(bigTopics, 1)
	gz := zipped(body)
	b.Run("plain", func(b *testing.B) {
		benchmarkRegistration(b, func(int) ([]byte, string) { return body, "application/json" })
	})
	b.Run("gzip", func(b *testing.B) {
		benchmarkRegistration(b, func(int) ([]byte, string) { return gz, gzipType })
	})
}

// Every one has another DataVersion, so that all of it is decoded and compared.
func BenchmarkChangedRegistration(b *testing.B) {
	gz := [][]byte{zipped(bigRegistration(bigTopics, 1)), zipped(bigRegistration(bigTopics, 2))}
	benchmarkRegistration(b, func(i int) ([]byte, string) { return gz[i%2], gzipType })
}

// BenchmarkDecodeRegistration is the reading and decoding alone.
func BenchmarkDecodeRegistration(b *testing.B) {
	body := bigRegistration(bigTopics, 1)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := httpapi.DecodeRegistration(body); err != nil || n != bigTopics {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	a := newAPI(b)
	a.register(broker("a", 0, "orders")).is(200)
	tag := a.route("orders").header.Get("ETag")
	for name, match := range map[string]string{"200": "", "304": tag} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/v1/read/route?topic=orders", nil)
			r.Header.Set("If-None-Match", match)
			for b.Loop() {
				a.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

func BenchmarkBeat(b *testing.B) {
	a := newAPI(b)
	a.register(broker("a", 0, "orders")).is(200)
	body := `{"beats":[{"clusterName":"c1","brokerName":"a","brokerId":0,"brokerAddr":"10.0.1.1:10911"}]}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/register/beats", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		a.ServeHTTP(httptest.NewRecorder(), r)
	}
}
