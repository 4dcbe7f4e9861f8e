package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"signpost/core"
)

func TestBeats(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders")
	if got := a.beat(beatOf(b)); got != "register" {
		t.Errorf("a broker that is not known is told %q", got)
	}
	a.register(b).is(200)
	a.step(core.DefaultTimeout)
	revision := a.route("orders").is(200).validFor(0).revision()
	if got := a.beat(beatOf(b), beatOf(b).but("brokerId", nil), beatOf(broker("z", 0))); got != "ok ok register" {
		t.Errorf("answered %q", got)
	}
	a.step(core.DefaultTimeout)
	if r := a.route("orders").is(200); r.revision() != revision {
		t.Error("a heartbeat raised the revision")
	}
	a.step(time.Millisecond)
	if got := a.beat(beatOf(b)); got != "register" { // rule 4: a beat never revives
		t.Errorf("a broker that ran out is told %q", got)
	}
	if got := a.addrs("orders"); got != "" {
		t.Errorf("orders is at %q", got)
	}
}

func TestBeatSaysWhatIsRegistered(t *testing.T) {
	a := newAPI(t)
	b := broker("a", 0, "orders")
	a.register(b).is(200)
	same := beatOf(b).but("dataVersion", b["dataVersion"])
	newer := beatOf(b).but("dataVersion", object{"counter": 2, "stateVersion": 0, "timestamp": 1700000000000})
	if got := a.beat(same, newer); got != "ok register" {
		t.Errorf("answered %q", got)
	}
}

// A gateway that brings an old confirmation is told not to replay what it holds.
func TestBeatOfOneThatLeft(t *testing.T) {
	a := newAPI(t)
	a.do(openS1, nil).is(200)
	b := broker("a", 0, "orders").but("session", "s1")
	a.register(b).is(200)
	a.step(10 * time.Second)
	a.do("POST /v1/register/unregister", beatOf(b)).is(204)
	if got := a.beat(beatOf(b).but("session", "s1").but("age", 5000)); got != "gone" {
		t.Errorf("answered %q", got)
	}
}

func TestBeatsWhileAnotherWrites(t *testing.T) {
	for _, err := range []error{core.ErrBusy, core.ErrConflict} {
		a := newAPI(t)
		a.options.Write = &failing{Registry: a.registry, err: fmt.Errorf("beat: %w", err)}
		a = a.again()
		if got := a.beat(beatOf(broker("a", 0)), beatOf(broker("b", 0))); got != "busy busy" {
			t.Errorf("%v is answered %q", err, got)
		}
	}
}

func TestManyBeats(t *testing.T) {
	a := newAPI(t)
	var beats []object
	want := ""
	for i := range 300 {
		b := broker(fmt.Sprintf("b%03d", i), 0)
		if i%3 == 0 {
			a.register(b).is(200)
			want += "ok "
		} else {
			want += "register "
		}
		beats = append(beats, beatOf(b))
	}
	if got := a.beat(beats...) + " "; got != want {
		t.Errorf("answers out of order: %s", got)
	}
	if got := a.beat(); got != "" {
		t.Errorf("no beats are answered %q", got)
	}
	for len(beats) <= 1000 {
		beats = append(beats, beats[0])
	}
	a.do("POST /v1/register/beats", object{"beats": beats}).problem(413, "too-large", "")
}

func TestBeatsFields(t *testing.T) {
	a := newAPI(t)
	beat := `{"clusterName":"c1","brokerName":"a","brokerId":0,"brokerAddr":"x:1"}`
	for body, field := range map[string]string{
		`{}`:                                    "beats",
		`{"beats":null}`:                        "beats",
		`{"beats":{}}`:                          "beats",
		`{"beats":[1]}`:                         "beats[0]",
		`{"beats":[` + beat + `,null]}`:         "beats[1]",
		`{"beats":[` + beat + ` ` + beat + `]}`: "beats",
		`{"beats":[` + beat + `,]}`:             "beats",
		`{"beats":[` + beat:                     "beats",
		`{"beats":[{"clusterName":"c1","brokerName":"a"}]}`:                "beats[0].brokerAddr",
		`{"beats":[{"clusterName":"c1","brokerAddr":"a"}]}`:                "beats[0].brokerName",
		`{"beats":[{"brokerName":"c1","brokerAddr":"a"}]}`:                 "beats[0].clusterName",
		`{"beats":[{"clusterName":"","brokerName":"a","brokerAddr":"x"}]}`: "beats[0].clusterName",
		`{"beats":[` + beat + `,{"brokerID":0}]}`:                          "beats[1].brokerID",
		`{"beats":[{"brokerId":"0"}]}`:                                     "beats[0].brokerId",
		`{"beats":[{"brokerId":0.5}]}`:                                     "beats[0].brokerId",
		`{"beats":[{"brokerId":+1}]}`:                                      "beats[0].brokerId",
		`{"beats":[{"brokerId":01}]}`:                                      "beats[0].brokerId",
		`{"beats":[{"brokerId":9223372036854775808}]}`:                     "beats[0].brokerId",
		`{"beats":[{"age":-1}]}`:                                           "beats[0].age",
		`{"beats":[{"age":31536000001}]}`:                                  "beats[0].age",
		`{"beats":[{"age":1,"age":2}]}`:                                    "beats[0].age",
		`{"beats":[{"session":""}]}`:                                       "beats[0].session",
		`{"beats":[{"session":"a b"}]}`:                                    "beats[0].session",
		`{"beats":[{"dataVersion":3}]}`:                                    "beats[0].dataVersion",
		`{"beats":[{"dataVersion":{"counter":{}}}]}`:                       "counter",
		`{"beats":[{"dataVersion":{counter:1}}]}`:                          "beats[0].dataVersion",
		`{"beats":[{"brokerName":"a\u0000b"}]}`:                            "beats[0].brokerName",
		`{"beats":[{"brokerName":"` + string(make([]byte, 3)) + `"}]}`:     "beats[0].brokerName",
		`{"beats":[{"brokerName":"\x"}]}`:                                  "beats[0].brokerName",
		`{"beats":[],"beats":[]}`:                                          "beats",
		`{"be\u0061ts":[],"beats":[]}`:                                     "beats",
		`{"beats":[]}x`:                                                    "body",
		`{"beats":[],}`:                                                    "body",
		`{"beats" []}`:                                                     "beats",
		`[]`:                                                               "body",
		` `:                                                                "body",
		"\xef\xbb\xbf{}":                                                   "body",
		"{\"beats\xff\":[]}":                                               "body",
		`{`:                                                                "body",
		`{"`:                                                               "body",
		`{"beats`:                                                          "body",
		`{"beats":`:                                                        "beats",
		`{"<script>":1}`:                                                   `"<script>"`,
		`{"":1}`:                                                           `""`,
	} {
		a.do("POST /v1/register/beats", body).problem(400, "invalid-field", field)
	}
}

// A gateway is told with its own words how the groups are then.
func TestToldGroups(t *testing.T) {
	a := newAPI(t)
	a.do(openS1, nil).is(200)
	type group struct {
		Cluster, BrokerName string
		BrokerAddrs         map[string]string
		Replicas            []struct {
			BrokerAddr string
			Sessions   []string
			Direct     bool
		}
		ValidForMillis int64
	}
	var registered struct{ Group *group }
	b := broker("b", 0, "orders").but("session", "s1")
	a.register(b).is(200).into(&registered)
	if registered.Group != nil {
		t.Errorf("not asked for: %+v", registered.Group)
	}
	a.register(broker("b", 1, "orders")).is(200)
	a.register(b.but("returnGroup", true)).is(200).into(&registered)
	g := registered.Group
	if g == nil || g.BrokerName != "b" || len(g.Replicas) != 2 || g.Replicas[0].Sessions[0] != "s1" || !g.Replicas[1].Direct || g.ValidForMillis != 120_000 {
		t.Errorf("the group is %+v", g)
	}
	var confirmed struct {
		Answers []string
		Groups  []group
	}
	beats := []object{beatOf(b).but("session", "s1"), beatOf(broker("a", 0)), beatOf(broker("b", 1))}
	a.do("POST /v1/register/beats", object{"beats": beats, "returnGroups": true}).is(200).into(&confirmed)
	if len(confirmed.Groups) != 2 || confirmed.Groups[0].BrokerName != "a" || len(confirmed.Groups[0].Replicas) != 0 || len(confirmed.Groups[1].Replicas) != 2 {
		t.Errorf("the groups are %+v", confirmed.Groups)
	}
	if confirmed.Answers[0] != "ok" || confirmed.Answers[1] != "register" {
		t.Errorf("the answers are %v", confirmed.Answers)
	}
}

// What a gateway is told comes with the revision as it is then, also what
// somebody else raised and nobody here has heard of.
func TestToldGroupsComeWithTheRevision(t *testing.T) {
	a := newAPI(t)
	a.do(openS1, nil).is(200)
	b := broker("b", 0, "orders").but("session", "s1")
	a.register(b).is(200)
	other := a.again()
	raised := other.register(broker("c", 0, "orders")).is(200).revision()
	if got := a.register(b.but("returnGroup", true)).is(200).revision(); got != raised {
		t.Errorf("a registration is answered with revision %d, it is %d", got, raised)
	}
	raised = other.register(broker("d", 0, "orders")).is(200).revision()
	said := a.do("POST /v1/register/beats", object{"beats": []object{beatOf(b).but("session", "s1")}, "returnGroups": true}).is(200)
	if said.revision() != raised {
		t.Errorf("a confirmation is answered with revision %d, it is %d", said.revision(), raised)
	}
}
