package remoting

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// What fastjson 1.2.69 to 1.2.83 make of these headers was observed with the
// Java classes; what differs says so.
func TestJSONHeaders(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   Command
	}{
		{`{}`, Command{}},
		{" \t\r\n\f\b\v{ \"code\" : 105 , \"flag\":2\n}\n", Command{Code: 105, Flag: 2}},
		{`{"version":373,"remark":"why","opaque":-1,"language":"CPP","flag":1,"extFields":{"topic":"t"},"code":17}`,
			Command{Code: 17, Language: "CPP", Version: 373, Opaque: -1, Flag: 1, Remark: "why", ExtFields: Fields{{"topic", "t"}}}},

		// Integers.
		{`{"code":"106","version":"-3","flag":'2'}`, Command{Code: 106, Version: -3, Flag: 2}},
		{`{"opaque":-2147483648,"flag":2147483647}`, Command{Opaque: -2147483648, Flag: 2147483647}},
		{`{"code":1.9,"flag":1e2,"opaque":-1.9,"version":"5.0"}`, Command{Code: 1, Flag: 100, Opaque: -1, Version: 5}},
		{`{"code":+5,"flag":007,"version":"+5"}`, Command{Code: 5, Flag: 7, Version: 5}},
		{`{"code":null,"flag":"","opaque":"null","version":undefined}`, Command{}},
		{`{"code":1,"code":2}`, Command{Code: 2}},

		// Languages; numbers and objects are errors or mean something in Java.
		{`{"language":"NODE_JS"}`, Command{Language: "NODE_JS"}},
		{`{"language":"KLINGON"}`, Command{}},
		{`{"language":""}`, Command{}},
		{`{"language":null}`, Command{}},
		{`{"language":99}`, Command{}},

		// Remarks.
		{`{"remark":null}`, Command{}},
		{`{"remark":1.50}`, Command{Remark: "1.50"}},
		{`{"remark":true}`, Command{Remark: "true"}},
		{`{"remark":{"a":1}}`, Command{Remark: `{"a":1}`}},

		// Fields: null, empty, and values that are not strings.
		{`{"extFields":null}`, Command{}},
		{`{"extFields":{}}`, Command{ExtFields: Fields{}}},
		{`{"extFields":{ }}`, Command{ExtFields: Fields{}}},
		{`{"extFields":{"a":1,"b":true,"c":null,"d":1.50,"f":{"x":1},"g":[1,2],"h":-0,"i":12345678901234567890123,"j":undefined,"k":NaN,"l":""}}`,
			Command{ExtFields: Fields{{"a", "1"}, {"b", "true"}, {"d", "1.50"}, {"f", `{"x":1}`}, {"g", "[1,2]"}, {"h", "-0"},
				{"i", "12345678901234567890123"}, {"l", ""}}}},
		{`{"extFields":{"c":null}}`, Command{ExtFields: Fields{}}},
		{`{"extFields":{"":"1"}}`, Command{ExtFields: Fields{{"", "1"}}}},
		{`{"extFields":{"a":"1"},"extFields":{"b":"2"}}`, Command{ExtFields: Fields{{"b", "2"}}}},
		{`{"extFields":{"a":"1"},"extFields":null}`, Command{}},
		{`{"extFields":{a:"1",'b':'2',},"code":3}`, Command{Code: 3, ExtFields: Fields{{"a", "1"}, {"b", "2"}}}},

		// Keys without quotes, other quotes, repeated commas.
		{`{code:105}`, Command{Code: 105}},
		{`{code :105}`, Command{Code: 105}},
		{`{'code':105,'remark':'a"b'}`, Command{Code: 105, Remark: `a"b`}},
		{`{"remark":"a'b"}`, Command{Remark: "a'b"}},
		{`{,,"code":105,,"flag":2,}`, Command{Code: 105, Flag: 2}},
		{`{"\u0063ode":105}`, Command{Code: 105}},

		// Other spellings of members, but not of fields.
		{`{"Code":1,"OPAQUE":2,"ext_fields":{"Topic":"t"},"re-mark":"r"}`,
			Command{Code: 1, Opaque: 2, Remark: "r", ExtFields: Fields{{"Topic", "t"}}}},
		{`{"ccode":1,"cod":1,"codes":1,"c de":1,"":1,"_":1,"\u0003ode":1}`, Command{}},

		// Members that nobody knows.
		{`{"x":{"y":[1,{"z":"}"}]},"code":105}`, Command{Code: 105}},
		{`{"x":"a\"b","y":'c\'d',"code":105}`, Command{Code: 105}},
		{`{"x":{a:1,},"y":{1:1},"z":[1,],"w":[[[[1]]]],"v":-1.5e3,"u":null,"code":105}`, Command{Code: 105}},
		{`{"serializeTypeCurrentRPC":"ROCKETMQ","code":105}`, Command{Code: 105}},
		{`{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `,"code":105}`, Command{Code: 105}},

		// Escapes.
		{`{"remark":"a\nb\u00e9\/\\\"\x41\'\v\0\7\f\b\r\t"}`, Command{Remark: "a\nbé/\\\"A'\v\x00\x07\f\b\r\t"}},
		{`{"remark":"\uD83D\uDE00!"}`, Command{Remark: "😀!"}},
		{`{"remark":"\uD83D"}`, Command{Remark: "\ufffd"}},
		{`{"remark":"\uD83Dx\uDE00"}`, Command{Remark: "\ufffdx\ufffd"}},
		{`{"remark":"\uD83D\u0041"}`, Command{Remark: "\ufffdA"}},
		{`{"remark":"\uD83D\n"}`, Command{Remark: "\ufffd\n"}},
		{"{\"remark\":\"a\nb\tc\"}", Command{Remark: "a\nb\tc"}},
		{`{"extFields":{"to\u0070ic":"\u4e2d"}}`, Command{ExtFields: Fields{{"topic", "中"}}}},

		// 4.x replaces what is not UTF-8; 5.3.3 closes the connection.
		{"{\"remark\":\"a\xff\xfeb\",\"extFields\":{\"k\xe4\xb8\":\"v\xff\"}}",
			Command{Remark: "a\ufffdb", ExtFields: Fields{{"k\ufffd", "v\ufffd"}}}},
	} {
		var got Command
		if err := decodeHeader(EncodingJSON, tt.header, &got); err != nil {
			t.Errorf("%s: %v", tt.header, err)
		} else if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.header, got, tt.want)
		}
	}
}

func TestBadJSONHeaders(t *testing.T) {
	for _, header := range []string{
		`null`, ` `, `[]`, `"x"`, `5`, `true`, `({"code":1})`, "\u00a0{}",
		`{"code":105} x`, `{"code":105}}`, `{"code":105},`, "{\"code\":105}\x00",
		`{`, `{"`, `{"code`, `{"code"`, `{"code":`, `{"code":105`, `{"code":105,`, `{'code":105}`, `{"code":"105}`,
		`{"code" 105}`, `{"code":105 "flag":1}`, `{"code":}`, `{"code":,}`, `{:5}`, `{"code":1,;"flag":3}`, `{"code"::1}`,
		`{"code":99999999999}`, `{"code":2147483648}`, `{"code":-2147483649}`, `{"opaque":4294967295}`, `{"code":"99999999999"}`, `{"code":1e400}`,
		`{"code":" 5"}`, `{"code":"x"}`, `{"code":{}}`, `{"code":[1]}`, `{"code":5a}`, `{"code":0x10}`, `{"code":-}`, `{"code":"Inf"}`, `{"code":"nan"}`,
		`{"extFields":[]}`, `{"extFields":"x"}`, `{"extFields":5}`, `{"extFields":"{}"}`, `{"extFields":nil}`,
		`{"extFields":{"a":}}`, `{"extFields":{"a":tru}}`, `{"extFields":{"a":"1"`, `{"extFields":{"a":"1"}`, `{"extFields":{"a":"1" "b":"2"}}`,
		`{"extFields":{"a":{]}}}`, `{"remark":foo}`,
		`{"x":,"code":105}`, `{"x":[1},"code":105}`, `{"x":[,"code":105}`, `{"x":]}`, `{"x":{"a":"}`, `{"x":"\`, `{"x":"\"`, `{"x":[(]}`,
		`{"remark":"\q"}`, `{"remark":"\u12"}`, `{"remark":"\u12G4"}`, `{"remark":"\u+123"}`, `{"remark":"\x4"}`, `{"remark":"\`, `{"remark":"\u`, `{"remark":"\n`,
		`{"x":` + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + `}`,
		`{"extFields":{` + manyFields(maxFields+1) + `}}`,
		`{/*x*/"code":105}`, // Java takes comments
	} {
		var c Command
		if err := decodeHeader(EncodingJSON, header, &c); !errors.Is(err, ErrBadHeader) {
			t.Errorf("%.60q: %+v, error %v", header, c, err)
		}
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":"v",`, i)
	}
	return b.String()
}

func TestJSONHeaderWithAsManyFieldsAsAllowed(t *testing.T) {
	var c Command
	if err := decodeHeader(EncodingJSON, `{"extFields":{`+manyFields(maxFields)+`}}`, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.ExtFields) != maxFields {
		t.Errorf("%d fields", len(c.ExtFields))
	}
}

// Every prefix of a header is an error, and none is read beyond its end.
func TestCutJSONHeaders(t *testing.T) {
	const header = `{"code":105,"extFields":{"to\u00e9ic":"a\uD83D\uDE00","n":null,"x":[{}]},"y":{"z":["\""]},"opaque":-1.5,"remark":'q'}`
	for n := range header {
		var c Command
		if err := decodeHeader(EncodingJSON, header[:n], &c); !errors.Is(err, ErrBadHeader) {
			t.Errorf("%s: %+v, error %v", header[:n], c, err)
		}
	}
}
