package scenario

import (
	"slices"
	"testing"

	"signpost/internal/remoting"
)

// keysOf are the fields of the differences between two answers to a request.
func keysOf(t *testing.T, request request, want, got []byte) []string {
	t.Helper()
	step := func(answer []byte) *Golden {
		return goldenOf(Step{Name: "s", Kind: Ask, Conn: "c", Opaque: 1, Send: request.frame(1, 5), Outcome: Answered, Answer: answer})
	}
	var keys []string
	for _, d := range Compare(step(want), step(got)) {
		if d.Key() != "test/s/"+d.Field || d.Version != "0.0.1" {
			t.Errorf("difference %+v has the key %s", d, d.Key())
		}
		keys = append(keys, d.Field)
	}
	return keys
}

func TestCompareAnswers(t *testing.T) {
	field := func(k, v string) remoting.Field { return remoting.Field{Key: k, Value: v} }
	binaryAnswer := remoting.AppendFrame(nil, &remoting.Command{Language: "JAVA", Opaque: 1, Flag: 1, Encoding: remoting.EncodingBinary})
	const npe = "java.lang.NullPointerException, org.apache.X.y(X.java:1)"
	for _, c := range []struct {
		name      string
		want, got []byte
		fields    []string
	}{
		{"equal", frameOf(0, "", `{"a":1}`), frameOf(0, "", `{"a":1}`), nil},
		{"code", frameOf(17, "", ""), frameOf(1, "", ""), []string{"code"}},
		{"remark", frameOf(17, "no", ""), frameOf(17, "yes", ""), []string{"remark"}},
		{"remark of an exception", frameOf(1, npe, ""), frameOf(1, "brokerId is missing", ""), []string{"remark.exception"}},
		{"a remark like an exception", frameOf(1, "a.b", ""), frameOf(1, "c.d", ""), []string{"remark"}},
		{"empty fields", frameOf(0, "", "", remoting.Fields{}...), frameOf(0, "", ""), []string{"ext"}},
		{"empty fields in binary", frameOf(0, "", "", remoting.Fields{}...), binaryAnswer, nil},
		{"fields in binary", frameOf(0, "", "", field("a", "1")), binaryAnswer, []string{"ext.a"}},
		{"fields", frameOf(0, "", "", field("a", "1"), field("b", "2"), field("c", "3")), frameOf(0, "", "", field("c", "3"), field("b", "1"), field("d", "4")),
			[]string{"ext.a", "ext.b", "ext.d"}},
		{"fields at all", frameOf(0, "", "", field("a", "1")), frameOf(0, "", ""), []string{"ext"}},
		{"no body", frameOf(0, "", "{}"), frameOf(0, "", ""), []string{"body"}},
		{"text", frameOf(0, "", "hello"), frameOf(0, "", "{}"), []string{"body"}},
		{"order of members", frameOf(0, "", `{"a":1,"b":2}`), frameOf(0, "", `{"b":2,"a":1}`), nil},
		{"unquoted keys", frameOf(0, "", `{"brokerAddrs":{0:"a",-1:"b",null:"c"}}`), frameOf(0, "", `{"brokerAddrs":{0:"a",-1:"b",null:"c"}}`), nil},
		{"form", frameOf(0, "", `{"brokerAddrs":{0:"a"}}`), frameOf(0, "", `{"brokerAddrs":{"0":"a"}}`), []string{"body.form"}},
		{"form of another body", frameOf(0, "", `{"brokerAddrs":{0:"a"}}`), frameOf(0, "", `{"brokerAddrs":{}}`), []string{"body.brokerAddrs.0"}},
		{"escapes", frameOf(0, "", `{"a":"\/\u00E9"}`), frameOf(0, "", `{"a":"/é"}`), nil},
		{"a key in a string", frameOf(0, "", `{"a":"{0:,1:\"{2:"}`), frameOf(0, "", `{"a":"{0:,1:\"{2:"}`), nil},
		{"large numbers", frameOf(0, "", `{"a":9007199254740993}`), frameOf(0, "", `{"a":9007199254740992}`), []string{"body.a"}},
		{"order of names", frameOf(0, "", `{"topicList":["a","b"]}`), frameOf(0, "", `{"topicList":["b","a"]}`), nil},
		{"names", frameOf(0, "", `{"topicList":["a","b","b"]}`), frameOf(0, "", `{"topicList":["b","c"]}`), []string{"body.topicList[a]", "body.topicList[b#2]", "body.topicList[c]"}},
		{"order of queues", frameOf(0, "", `{"queueDatas":[{"brokerName":"a","perm":6},{"brokerName":"b","perm":4}]}`),
			frameOf(0, "", `{"queueDatas":[{"brokerName":"b","perm":4},{"brokerName":"a","perm":6}]}`), nil},
		{"queues", frameOf(0, "", `{"queueDatas":[{"brokerName":"a","perm":6},{"brokerName":"b","perm":4}]}`),
			frameOf(0, "", `{"queueDatas":[{"brokerName":"b","perm":6},{"brokerName":"a","perm":6,"x":1}]}`),
			[]string{"body.queueDatas[a].x", "body.queueDatas[b].perm"}},
		{"cluster sets", frameOf(0, "", `{"clusterAddrTable":{"c":["a","b"],"d":["x"]}}`), frameOf(0, "", `{"clusterAddrTable":{"d":["x"],"c":["b","a"]}}`), nil},
		{"filter servers keep their order", frameOf(0, "", `{"filterServerTable":{"c":["a","b"]}}`), frameOf(0, "", `{"filterServerTable":{"c":["b","a"]}}`),
			[]string{"body.filterServerTable.c[0]", "body.filterServerTable.c[1]"}},
		{"types", frameOf(0, "", `{"a":{}}`), frameOf(0, "", `{"a":[]}`), []string{"body.a"}},
		{"null is not absent", frameOf(0, "", `{"a":null}`), frameOf(0, "", `{}`), []string{"body.a"}},
	} {
		if got := keysOf(t, clusters(), c.want, c.got); !slices.Equal(got, c.fields) {
			t.Errorf("%s: %v, want %v", c.name, got, c.fields)
		}
	}
}

func TestCompareConfigurationByLine(t *testing.T) {
	got := keysOf(t, listing(), frameOf(0, "", "a=1\nb=2=3\n"), frameOf(0, "", "b=2=3\na=2\nc=\n"))
	if want := []string{"body.a", "body.c"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCompareOutcomes(t *testing.T) {
	cut := Step{Name: "cut", Kind: Cut, Outcome: Closed}
	open := Step{Name: "cut", Kind: Cut, Outcome: Nothing}
	extra := Step{Name: "extra", Kind: Answer, Outcome: Answered, Answer: frameOf(0, "", "")}
	var got []string
	for _, d := range Compare(goldenOf(cut), goldenOf(open, extra)) {
		got = append(got, d.Key())
	}
	if want := []string{"test/cut/outcome", "test/extra/extra"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if d := Compare(goldenOf(cut, cut), goldenOf(cut)); len(d) != 1 {
		t.Errorf("a step that is missing: %v", d)
	}
}

func TestSameBytes(t *testing.T) {
	ask := func(body string) Step { return Step{Name: "s", Outcome: Answered, Answer: frameOf(0, "", body)} }
	same, answers := SameBytes(goldenOf(ask("a"), ask("b"), Step{Name: "none"}), goldenOf(ask("a"), ask("c"), Step{Name: "none"}))
	if same != 1 || answers != 2 {
		t.Errorf("%d of %d, want 1 of 2", same, answers)
	}
}
