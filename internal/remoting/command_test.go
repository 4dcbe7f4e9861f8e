package remoting

import (
	"reflect"
	"testing"
)

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		flag             int32
		response, oneway bool
	}{
		{0, false, false}, {1, true, false}, {2, false, true}, {3, true, true}, {4, false, false}, {-1, true, true},
	} {
		c := Command{Flag: tt.flag}
		if c.IsResponse() != tt.response || c.IsOneway() != tt.oneway {
			t.Errorf("flag %d: response %v, oneway %v", tt.flag, c.IsResponse(), c.IsOneway())
		}
	}
}

func TestFieldsGet(t *testing.T) {
	f := Fields{{"a", "1"}, {"b", ""}, {"a", "2"}}
	for _, tt := range []struct {
		fields Fields
		key    string
		value  string
		ok     bool
	}{
		{f, "a", "2", true}, // the last one, as in a Java map
		{f, "b", "", true},
		{f, "c", "", false},
		{f, "A", "", false},
		{nil, "a", "", false},
	} {
		if v, ok := tt.fields.Get(tt.key); v != tt.value || ok != tt.ok {
			t.Errorf("Get(%q) = %q, %v", tt.key, v, ok)
		}
	}
}

func TestReplyTakesOverOpaqueAndEncodingOnly(t *testing.T) {
	c := Command{
		Code: GetRouteInfoByTopic, Language: "CPP", Version: 7, Opaque: -12, Flag: 4, Remark: "r",
		ExtFields: Fields{{"topic", "t"}}, Body: []byte("b"), Encoding: EncodingBinary,
	}
	want := Command{Code: TopicNotExist, Language: "JAVA", Version: 479, Opaque: -12, Flag: 1, Encoding: EncodingBinary}
	if got := c.Reply(TopicNotExist); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAppendReplyIsAppendFrameOfReply(t *testing.T) {
	for _, enc := range []Encoding{EncodingJSON, EncodingBinary} {
		request := Command{Opaque: 77, Encoding: enc}
		reply := request.Reply(QueryNotFound)
		reply.Remark, reply.ExtFields, reply.Body = "none", Fields{{"value", "v"}}, []byte("body")
		want := AppendFrame([]byte("before"), &reply)
		got := AppendReply([]byte("before"), enc, QueryNotFound, 77, "none", Fields{{"value", "v"}}, []byte("body"))
		if string(got) != string(want) {
			t.Errorf("%v: got %q, want %q", enc, got, want)
		}
	}
}

func TestEncodingNames(t *testing.T) {
	for enc, want := range map[Encoding]string{EncodingJSON: "JSON", EncodingBinary: "ROCKETMQ", 2: "unknown"} {
		if got := enc.String(); got != want {
			t.Errorf("%d is %s, want %s", uint8(enc), got, want)
		}
	}
}

func TestCodeNames(t *testing.T) {
	for _, tt := range []struct {
		code Code
		name string
	}{
		{0, "SUCCESS"}, {1, "SYSTEM_ERROR"}, {2, "SYSTEM_BUSY"}, {3, "REQUEST_CODE_NOT_SUPPORTED"}, {16, "NO_PERMISSION"},
		{17, "TOPIC_NOT_EXIST"}, {22, "QUERY_NOT_FOUND"}, {1500, "GO_AWAY"},
		{100, "PUT_KV_CONFIG"}, {101, "GET_KV_CONFIG"}, {102, "DELETE_KV_CONFIG"}, {103, "REGISTER_BROKER"}, {104, "UNREGISTER_BROKER"},
		{105, "GET_ROUTEINFO_BY_TOPIC"}, {106, "GET_BROKER_CLUSTER_INFO"}, {205, "WIPE_WRITE_PERM_OF_BROKER"},
		{206, "GET_ALL_TOPIC_LIST_FROM_NAMESERVER"}, {216, "DELETE_TOPIC_IN_NAMESRV"}, {217, "REGISTER_TOPIC_IN_NAMESRV"},
		{219, "GET_KVLIST_BY_NAMESPACE"}, {224, "GET_TOPICS_BY_CLUSTER"}, {304, "GET_SYSTEM_TOPIC_LIST_FROM_NS"},
		{311, "GET_UNIT_TOPIC_LIST"}, {312, "GET_HAS_UNIT_SUB_TOPIC_LIST"}, {313, "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST"},
		{318, "UPDATE_NAMESRV_CONFIG"}, {319, "GET_NAMESRV_CONFIG"}, {322, "QUERY_DATA_VERSION"}, {327, "ADD_WRITE_PERM_OF_BROKER"},
		{901, "GET_BROKER_MEMBER_GROUP"}, {904, "BROKER_HEARTBEAT"}, {905, "NOTIFY_MIN_BROKER_ID_CHANGE"},
	} {
		if got := tt.code.String(); got != tt.name || !tt.code.Known() {
			t.Errorf("%d is %s (known: %v), want %s", int(tt.code), got, tt.code.Known(), tt.name)
		}
	}
	for code, name := range map[Code]string{10: "CODE_10", -1: "CODE_-1", 200050: "CODE_200050"} {
		if got := code.String(); got != name || code.Known() {
			t.Errorf("%d is %s (known: %v), want %s", int(code), got, code.Known(), name)
		}
	}
}
