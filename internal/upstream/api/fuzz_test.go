package api

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"signpost/core"
)

// FuzzAnswers holds what is read of any answer against what callers rely on.
// None may panic, and what is not refused has an answer for each question.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`,
		`{"revision":19,"complete":true,"changes":[{"revision":18,"brokerName":"b1","replicas":true},{"revision":19,"topics":["t1"],"many":true}],"sessions":[{"id":"s-1","gateway":"gw-1","ageMillis":0,"remainingMillis":30000}]}`,
		`{"revision":18,"masterAddr":"a:1","haServerAddr":"a:2","group":{"cluster":"c1","brokerName":"b1","brokerAddrs":{"0":"a:1"},"enableActingMaster":true,"zoneName":"z","replicas":[{"brokerId":1,"brokerAddr":"a:1","haServerAddr":"a:2","heartbeatTimeoutMillis":120000,"remainingMillis":5,"dataVersion":{"counter":3,"stateVersion":0,"timestamp":17},"sessions":["s-1"],"direct":true},{"brokerId":0,"brokerAddr":"b"}],"validForMillis":3600000}}`,
		`{"answers":["ok","gone"],"groups":[{"brokerName":"b1","replicas":[],"validForMillis":-5},{"brokerName":"b2","validForMillis":9223372036854775807}]}`,
		`{"revision":19,"routes":[{"topic":"t1","status":"changed","etag":"9d1fb2c4a0e35d77","validForMillis":29000,"silent":["b9"],"route":{"brokerDatas":[],"queueDatas":[]}},{"topic":"t2","status":"unchanged","etag":"e2","validForMillis":1},{"topic":"t3","status":"later"}]}`,
		`{"leases":[{"clusterName":"c1","brokerName":"b1","brokerId":0,"brokerAddr":"a:1"}]}`,
		`{"type":"urn:signpost:problem:invalid-field","detail":"d","field":"f","reason":"r"}`,
	} {
		f.Add([]byte(seed), int64(1500))
	}
	beats := []Beat{{Beat: core.Beat{Broker: "b1"}}, {Beat: core.Beat{Broker: "b2"}}}
	asked := []KnownRoute{{Topic: "t1"}, {Topic: "t2", ETag: "e2"}, {Topic: "t3", ETag: "e3"}}
	f.Fuzz(func(t *testing.T, body []byte, age int64) {
		a := answer{body: body, age: time.Duration(age & (1<<40 - 1))}
		if said, err := readRegistered(a, "b1"); err == nil {
			checkGroup(t, said.Group, "b1")
		}
		if head, err := readSessionHead(a); err == nil {
			for _, s := range head.Sessions {
				if s.Age < a.age || s.Remaining < 0 {
					t.Errorf("a session of %+v", s)
				}
			}
		}
		if confirmed, err := readBeatAnswers(a, beats); err == nil {
			for i, c := range confirmed {
				_ = c.Answer.String() // one that there is
				checkGroup(t, c.Group, beats[i].Broker)
			}
		}
		if routes, err := readRoutes(a, asked); err == nil {
			for i, r := range routes.Routes {
				if r.Topic != asked[i].Topic || r.ValidFor < 0 || (r.Status == RouteChanged) != (len(r.Body) > 0) {
					t.Errorf("%+v answers %+v", r, asked[i])
				}
			}
		}
		readLeases(a)
		if o := judge("call", 409, map[string][]string{"Content-Type": {typeProblem}}, body, time.Time{}); o.err == nil || len(o.err.Error()) > 3*maxText {
			t.Errorf("judged as %v", o.err)
		}
	})
}

func checkGroup(t *testing.T, g Group, name string) {
	sorted := slices.IsSortedFunc(g.Replicas, func(a, b core.Replica) int { return cmp.Compare(a.ID, b.ID) })
	if g.Name != name || g.ValidFor < 0 || !sorted {
		t.Errorf("the group of %s is %+v", name, g)
	}
}

// FuzzBody takes whatever is kept as a body.
func FuzzBody(f *testing.F) {
	b, err := NewBody(core.Content{Topics: []core.Topic{{Name: "t1"}}, FilterServers: []string{"f"}})
	if err != nil {
		f.Fatal(err)
	}
	text, err := b.text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, b.gzipped)
	f.Add([]byte(`,"filterServerList":null,"dataVersion":{},"topicConfigTable":{}}`), []byte{})
	f.Fuzz(func(t *testing.T, text, file []byte) {
		Body{gzipped: gzipped(text)}.Content()
		Body{gzipped: file}.Content()
	})
}
