package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"signpost/core"
)

// modern is a version whose bodies are neither old nor ambiguous.
const modern = 407

func topic(name string, read, write, perm, flag int32) core.Topic {
	return core.Topic{Name: name, Queues: core.Queues{Read: read, Write: write, Perm: perm, SysFlag: flag}}
}

func decodeJSON(t *testing.T, body string) core.Content {
	t.Helper()
	c, err := DecodeRegistration([]byte(body), Options{Version: modern})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return c
}

func TestRegistrationWithoutTopics(t *testing.T) {
	for _, tc := range []struct {
		name    string
		body    string
		version int32
		want    core.Content
	}{
		{"no body", "", modern, core.Content{FilterServers: []string{}}},
		{"no body of an old sender", "", 0, core.Content{}},
		{"empty object", "{}", modern, core.Content{FilterServers: []string{}}},
		{"empty object of an old sender", "{}", 36, core.Content{}},
		{"null keeps filter servers", `{"filterServerList":null}`, modern, core.Content{}},
		{"empty list removes filter servers", `{"filterServerList":[]}`, modern, core.Content{FilterServers: []string{}}},
		{"filter servers", `{"filterServerList":["b","a",null,7]}`, modern, core.Content{FilterServers: []string{"b", "a", "7"}}},
		{"data version", `{"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"stateVersion":2,"timestamp":1000}}}`, modern,
			core.Content{FilterServers: []string{}, DataVersion: core.DataVersion{Counter: 3, StateVersion: 2, Timestamp: 1000}}},
		{"data version of 4.x", `{"topicConfigSerializeWrapper":{"dataVersion":{"counter":3,"timestamp":1000}}}`, modern,
			core.Content{FilterServers: []string{}, DataVersion: core.DataVersion{Counter: 3, Timestamp: 1000}}},
		{"byte order mark", "\ufeff{}", modern, core.Content{FilterServers: []string{}}},
		{"a bare wrapper of a modern sender has nothing that counts", `{"dataVersion":{"counter":3},"topicConfigTable":{"T":{"topicName":"T"}}}`, modern,
			core.Content{FilterServers: []string{}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := DecodeRegistration([]byte(tc.body), Options{Version: tc.version})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Topics) == 0 {
				got.Topics = nil
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// What fastjson 1.2.83 makes of a TopicConfig, tried with the real one.
func TestTopicConfigAsFastjsonReadsIt(t *testing.T) {
	for _, tc := range []struct {
		config string
		want   core.Topic
	}{
		{`{"topicName":"T"}`, topic("T", 16, 16, 6, 0)},
		{`{"attributes":{},"order":false,"perm":4,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":3,"writeQueueNums":2}`, topic("T", 8, 2, 4, 3)},
		{`{"topicName":"T","perm":null}`, topic("T", 16, 16, 6, 0)},
		{`{"topicName":"T","perm":""}`, topic("T", 16, 16, 6, 0)},
		{`{"topicName":"T","perm":"null"}`, topic("T", 16, 16, 6, 0)},
		{`{"topicName":"T","perm":NaN}`, topic("T", 16, 16, 6, 0)},
		{`{"topicName":"T","perm":undefined}`, topic("T", 16, 16, 6, 0)},
		{`{"topicName":"T","perm":"4"}`, topic("T", 16, 16, 4, 0)},
		{`{"topicName":"T","perm":+4}`, topic("T", 16, 16, 4, 0)},
		{`{"topicName":"T","perm":04}`, topic("T", 16, 16, 4, 0)},
		{`{"topicName":"T","perm":-4}`, topic("T", 16, 16, -4, 0)},
		{`{"topicName":"T","perm":4.7}`, topic("T", 16, 16, 4, 0)},
		{`{"topicName":"T","perm":1e1}`, topic("T", 16, 16, 10, 0)},
		{`{"topicName":"T","perm":true}`, topic("T", 16, 16, 1, 0)},
		{`{"topicName":7}`, topic("7", 16, 16, 6, 0)},
		{`{"topicName":true}`, topic("true", 16, 16, 6, 0)},
		{`{'topicName':'U','perm':4}`, topic("U", 16, 16, 4, 0)},
		{`{topicName:"U",perm:4}`, topic("U", 16, 16, 4, 0)},
		{`{,"topicName":"T",,"perm":4,}`, topic("T", 16, 16, 4, 0)},
		{"{\r\n\t\"topicName\" : \"T\" ,\n\"perm\" : 4 }", topic("T", 16, 16, 4, 0)},
		{`{"topicName":"A","topicName":"B"}`, topic("B", 16, 16, 6, 0)},
		{`{"topicName":"T","topicFilterType":"LATER","order":"true","attributes":{"+message.type":"FIFO","x":[{"y":null}]}}`, topic("T", 16, 16, 6, 0)},
		{`{"topicName":"a\u00e9\/\'\"\\\b\f\n\r\t"}`, topic("aé/'\"\\\b\f\n\r\t", 16, 16, 6, 0)},
		{`{"topicName":"\uD83D\ude00 \ud800x"}`, topic("😀 \ufffdx", 16, 16, 6, 0)},
		{"{\"topicName\":\"a\tb\"}", topic("a\tb", 16, 16, 6, 0)},
		{`{"topicName":"%RETRY%日本"}`, topic("%RETRY%日本", 16, 16, 6, 0)},
	} {
		got := decodeJSON(t, `{"topicConfigSerializeWrapper":{"topicConfigTable":{"KEY":`+tc.config+`}}}`)
		if len(got.Topics) != 1 || !got.Topics[0].Equal(tc.want) {
			t.Errorf("%s: got %+v, want %+v", tc.config, got.Topics, tc.want)
		}
	}
}

func TestRegistrationThatIsNoRegistration(t *testing.T) {
	table := func(config string) string {
		return `{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":` + config + `}}}`
	}
	for _, tc := range []struct{ body, want string }{
		{" ", "body: is not an object"},
		{"null", "body: is not an object"},
		{"[]", "body: is not an object"},
		{"{", "body: ends within an object"},
		{"{}x", "body: goes on after its end"},
		{"{}{}", "body: goes on after its end"},
		{"{}\x00", "body: goes on after its end"},
		{`{"a"}`, "a: has no value"},
		{`{"a":}`, "a: is missing"},
		{`{"a":falle}`, "a: is not a value"},
		{`{"a":-1x}`, "a: is not a value"},
		{`{"a":1"b":2}`, "a: is not followed by a comma"},
		{`{"a":{} "b":2}`, "a: is not followed by a comma"},
		{`{"a":1:2}`, "a: is not followed by a comma"},
		{`{"filterServerList":["a" "b"]}`, "filterServerList: is not followed by a comma"},
		{`{"topicConfigSerializeWrapper":{}"a":1}`, "is not followed by a comma"},
		{`{"a":"b`, "a: is a string without an end"},
		{`{"a":"b\`, "a: is a string without an end"},
		{`{"a":[}]}`, "a: has brackets that do not match"},
		{`{"a":[{]}`, "a: has brackets that do not match"},
		{`{"a":[1,2`, "a: has no end"},
		{"{\"a\":\"\xc3\x28\"}", "body: is not UTF-8"},
		{`{"filterServerList":{}}`, "filterServerList: is not a list"},
		{`{"filterServerList":[{}]}`, "filterServerList: is not a string"},
		{`{"filterServerList":["a"`, "ends within a list"},
		{`{"topicConfigSerializeWrapper":null}`, "topicConfigSerializeWrapper: is not an object"},
		{`{"topicConfigSerializeWrapper":{"dataVersion":null}}`, "dataVersion: is not an object"},
		{`{"topicConfigSerializeWrapper":{"dataVersion":{"counter":{}}}}`, "counter: is not a number"},
		{`{"topicConfigSerializeWrapper":{"topicConfigTable":null}}`, "topicConfigTable: is not an object"},
		{`{"topicConfigSerializeWrapper":{"topicConfigTable":[]}}`, "topicConfigTable: is not an object"},
		{table("null"), "T: is not an object"},
		{table(`"s"`), "T: is not an object"},
		{table("{}"), "topicName: is missing"},
		{table(`{"topicName":null}`), "topicName: is missing"},
		{table(`{"topicName":""}`), "topicName: is missing"},
		{table(`{"topicName":{}}`), "topicName: is not a string"},
		{table(`{"topicName":T}`), "topicName: is not a value"},
		{table(`{"topicName":"T"}"U":{"topicName":"U"}`), "is not followed by a comma"},
		{table(`{"topicName":"\q"}`), "topicName: has an unknown escape"},
		{table(`{"topicName":"\u12"}`), `topicName: has a bad \u escape`},
		{table(`{"topicName":"\u+123"}`), `topicName: has a bad \u escape`},
		{table(`{"topicName":"T","perm":99999999999}`), "perm: does not fit into 32 bits"},
		{table(`{"topicName":"T","perm":-2147483649}`), "perm: does not fit into 32 bits"},
		{table(`{"topicName":"T","perm":99999999999999999999}`), "perm: is not a number"},
		{table(`{"topicName":"T","perm":"x"}`), "perm: is not a number"},
		{table(`{"topicName":"T","perm":"4.5"}`), "perm: is not a number"},
		{table(`{"topicName":"T","perm":1e99}`), "perm: is not a number"},
		{`{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{"T":{"currIdMap":{"x":1}}}}}`, "x: is not a number"},
		{`{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{"T":{"currIdMap":{0:null}}}}}`, "0: is null"},
		{`{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{"T":{"dirty":"maybe"}}}}`, "dirty: is neither true nor false"},
	} {
		_, err := DecodeRegistration([]byte(tc.body), Options{Version: modern})
		var field *core.FieldError
		if !errors.Is(err, ErrDecode) || !errors.As(err, &field) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got %v, want %q", tc.body, err, tc.want)
		}
	}
}
