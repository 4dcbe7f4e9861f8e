package remoting

import (
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// Frames that RemotingCommand.encode of 5.3.3 wrote (4.8.0 writes the same but
// for the version): a route request and a response with a remark and a body.
var javaFrames = []struct {
	name    string
	hex     string
	command Command
}{
	{
		"JSON request",
		"000000b3000000af7b22636f6465223a3130352c226578744669656c6473223a7b22746f706963223a2242657374656c6c756e672fc3a4e4b8adf09f9880222c226163636570745374616e646172644a736f6e4f6e6c79223a2274727565227d2c22666c6167223a302c226c616e6775616765223a224a415641222c226f7061717565223a2d372c2273657269616c697a655479706543757272656e74525043223a224a534f4e222c2276657273696f6e223a3437397d",
		Command{
			Code: GetRouteInfoByTopic, Language: "JAVA", Version: V5_3_3, Opaque: -7,
			ExtFields: Fields{{"topic", "Bestellung/ä中😀"}, {"acceptStandardJsonOnly", "true"}},
		},
	},
	{
		"JSON response",
		"000000b7000000b17b22636f6465223a31372c22666c6167223a312c226c616e6775616765223a224a415641222c226f7061717565223a323134373438333634372c2272656d61726b223a224e6f20746f706963205c22726f7574655c225c6e53656520687474703a2f2f785c5c79205c75303030315c75303037465c75303038355c7532303238222c2273657269616c697a655479706543757272656e74525043223a224a534f4e222c2276657273696f6e223a3437397d7b7d",
		Command{
			Code: TopicNotExist, Language: "JAVA", Version: V5_3_3, Opaque: 2147483647, Flag: 1,
			Remark: "No topic \"route\"\nSee http://x\\y \u0001\u007f\u0085\u2028", Body: []byte("{}"),
		},
	},
	{
		"binary request",
		"000000580100005400690001dffffffff900000000000000000000003f0005746f7069630000001442657374656c6c756e672fc3a4e4b8adf09f988000166163636570745374616e646172644a736f6e4f6e6c790000000474727565",
		Command{
			Code: GetRouteInfoByTopic, Language: "JAVA", Version: V5_3_3, Opaque: -7, Encoding: EncodingBinary,
			ExtFields: Fields{{"topic", "Bestellung/ä中😀"}, {"acceptStandardJsonOnly", "true"}},
		},
	},
	{
		"binary response",
		"000000420100003c00110001df7fffffff00000001000000274e6f20746f7069632022726f757465220a53656520687474703a2f2f785c7920017fc285e280a8000000007b7d",
		Command{
			Code: TopicNotExist, Language: "JAVA", Version: V5_3_3, Opaque: 2147483647, Flag: 1, Encoding: EncodingBinary,
			Remark: "No topic \"route\"\nSee http://x\\y \u0001\u007f\u0085\u2028", Body: []byte("{}"),
		},
	},
}

func TestFramesOfJava(t *testing.T) {
	for _, tt := range javaFrames {
		frame, err := hex.DecodeString(tt.hex)
		if err != nil {
			t.Fatal(err)
		}
		var got Command
		if err := DecodeFrame(frame[4:], &got); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if !reflect.DeepEqual(got, tt.command) {
			t.Errorf("%s: decoded %+v, want %+v", tt.name, got, tt.command)
		}
		if written := AppendFrame(nil, &tt.command); string(written) != string(frame) {
			t.Errorf("%s: wrote\n%q, want\n%q", tt.name, written, frame)
		}
	}
}

func TestJSONHeaderText(t *testing.T) {
	for _, tt := range []struct {
		name    string
		command Command
		want    string
	}{
		{
			"nothing", Command{},
			`{"code":0,"flag":0,"opaque":0,"serializeTypeCurrentRPC":"JSON","version":0}`,
		},
		{
			"all",
			Command{
				Code: 17, ExtFields: Fields{{"b", "2"}, {"a", ""}}, Flag: 1, Language: "JAVA", Opaque: -2147483648, Remark: "why", Version: 373,
			},
			`{"code":17,"extFields":{"b":"2","a":""},"flag":1,"language":"JAVA","opaque":-2147483648,"remark":"why","serializeTypeCurrentRPC":"JSON","version":373}`,
		},
		{
			"empty fields", Command{ExtFields: Fields{}},
			`{"code":0,"extFields":{},"flag":0,"opaque":0,"serializeTypeCurrentRPC":"JSON","version":0}`,
		},
		{
			"an encoding that does not exist", Command{Encoding: 9},
			`{"code":0,"flag":0,"opaque":0,"serializeTypeCurrentRPC":"JSON","version":0}`,
		},
	} {
		frame := AppendFrame(nil, &tt.command)
		if got := string(frame[8:]); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if frame[4] != byte(EncodingJSON) {
			t.Errorf("%s: encoding byte %d", tt.name, frame[4])
		}
	}
}

func TestJSONStrings(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", `""`},
		{"plain /slash é 中 😀", `"plain /slash é 中 😀"`},
		{`a"b\c`, `"a\"b\\c"`},
		{"\b\t\n\f\r", `"\b\t\n\f\r"`},
		{"\x00\x01\v\x1f\x7f", `"\u0000\u0001\u000B\u001F\u007F"`},
		{"\u0080\u009f\u00a0", `"\u0080\u009F` + "\u00a0\""},
		{"a\u2028b\u2029", `"a\u2028b\u2029"`},
		{"\u2027\u202a\ufffd\ufeff", "\"\u2027\u202a\ufffd\ufeff\""},
		{"a\xffb\xe4\xb8", "\"a\ufffdb\ufffd\ufffd\""},
	} {
		got := string(appendJSONString(nil, tt.in))
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.in, got, tt.want)
		}
		var back string
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Errorf("%q: %s is not JSON: %v", tt.in, got, err)
		}
	}
}

func TestBinaryHeaderLeavesOutKeysThatDoNotFit(t *testing.T) {
	c := Command{Encoding: EncodingBinary, ExtFields: Fields{{strings.Repeat("k", 32768), "1"}, {strings.Repeat("k", 32767), "2"}}}
	var got Command
	if err := DecodeFrame(AppendFrame(nil, &c)[4:], &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.ExtFields, c.ExtFields[1:]) {
		t.Errorf("%d fields were written, want the second only", len(got.ExtFields))
	}
}

func TestHeaderThatCannotBeWrittenPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a header of 16 MiB was written")
		}
	}()
	AppendFrame(nil, &Command{Remark: strings.Repeat("r", 1<<24)})
}
