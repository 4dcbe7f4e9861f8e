package parity

import (
	"testing"

	"signpost/internal/remoting"
)

func factsOf(t *testing.T, n names, asked remoting.Command, body string) Facts {
	t.Helper()
	f := Facts{}
	got := remoting.Command{Body: []byte(body), ExtFields: fields("masterAddr", n.addr(1, 0))}
	if err := f.addAnswer("q", n, asked, got); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFactsAreTheSameForEverySequence(t *testing.T) {
	body := func(n names) string {
		return `{"brokerDatas":[{"brokerAddrs":{1:"` + n.addr(0, 1) + `",0:"` + n.addr(0, 0) + `"},"brokerName":"` + n.broker(0) +
			`"}],"queueDatas":[],"topicQueueMappingByBroker":{"a\"{1:":{}}}`
	}
	one := factsOf(t, namesOf(1), remoting.Command{}, body(namesOf(1)))
	other := factsOf(t, namesOf(300), remoting.Command{}, body(namesOf(300)))
	if d := differences(one, other); len(d) > 0 {
		t.Errorf("two sequences differ:\n%s", Summary(d))
	}
	want := `q: body = {}
q: body.brokerDatas = []
q: body.brokerDatas[b0] = {}
q: body.brokerDatas[b0].brokerAddrs = {}
q: body.brokerDatas[b0].brokerAddrs.0 = "10.0.0.0:10911"
q: body.brokerDatas[b0].brokerAddrs.1 = "10.0.0.1:10911"
q: body.brokerDatas[b0].brokerName = "b0"
q: body.queueDatas = []
q: body.topicQueueMappingByBroker = {}
q: body.topicQueueMappingByBroker.a"{1: = {}
q: code = 0
q: ext.masterAddr = "10.0.0.10:10911"
`
	if got := one.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestListsAreSetsOfTheSequencesNames(t *testing.T) {
	n := namesOf(7)
	a := factsOf(t, n, remoting.Command{}, `{"topicList":["`+n.topic(1)+`","`+namesOf(77).topic(1)+`","`+n.topic(0)+`"]}`)
	b := factsOf(t, n, remoting.Command{}, `{"topicList":["`+n.topic(0)+`","`+n.topic(1)+`"]}`)
	if d := differences(a, b); len(d) > 0 {
		t.Errorf("another order, and another sequence's topic, make a difference:\n%s", Summary(d))
	}
	c := factsOf(t, n, remoting.Command{}, `{"topicList":["`+n.topic(0)+`","`+n.topic(0)+`"]}`)
	if got, want := Summary(differences(a, c)), "q: body.topicList[t0]: Java listed 1 x, here listed 2 x\nq: body.topicList[t1]: Java listed 1 x, here nothing\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	order := fields("namespace", orderNamespace)
	d := factsOf(t, n, remoting.Command{ExtFields: order}, `{"table":{"`+n.topic(0)+`":"x","somebody":"y"}}`)
	e := factsOf(t, n, remoting.Command{ExtFields: order}, `{"table":{"`+n.topic(0)+`":"x"}}`)
	if d := differences(d, e); len(d) > 0 {
		t.Errorf("another sequence's order configuration makes a difference:\n%s", Summary(d))
	}
}

func TestSummaryTellsTheCodeInsteadOfTheAnswer(t *testing.T) {
	java := Facts{"q: code": "0", "q: body": "{}", "r: code": "0", "r: body": "{}"}
	here := Facts{"q: code": "17", "r: code": "0"}
	if got, want := Summary(differences(java, here)), "q: code: Java 0, here 17\nr: body: Java {}, here nothing\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBodiesThatAreNoJSONAreErrors(t *testing.T) {
	for _, body := range []string{"", "{", "{} {}", "{x:1}"} {
		if v, err := decode([]byte(body)); err == nil {
			t.Errorf("%q decodes as %v", body, v)
		}
	}
}
