package remoting

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// unhex decodes hexadecimal digits between which spaces may stand.
func unhex(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const binaryFixed = "0069 00 0197 00000007 00000002 " // code, language, version, opaque, flag

func TestBinaryHeaders(t *testing.T) {
	base := Command{Code: 105, Language: "JAVA", Version: 407, Opaque: 7, Flag: 2, Encoding: EncodingBinary}
	with := func(change func(*Command)) Command {
		c := base
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name, hex string
		want      Command
	}{
		{"no remark, no fields", binaryFixed + "00000000 00000000", base},
		{"remark", binaryFixed + "00000003 776879 00000000", with(func(c *Command) { c.Remark = "why" })},
		{"negative numbers", "ffff 09 fffe fffffffd fffffffc 00000000 00000000",
			Command{Code: -1, Language: "GO", Version: -2, Opaque: -3, Flag: -4, Encoding: EncodingBinary}},
		{"unknown language", "0069 0e 0197 00000007 00000002 00000000 00000000", with(func(c *Command) { c.Language = "" })},
		{"language 255", "0069 ff 0197 00000007 00000002 00000000 00000000", with(func(c *Command) { c.Language = "" })},
		{"fields", binaryFixed + "00000000 00000010 0001 61 00000001 62 0001 63 00000001 64",
			with(func(c *Command) { c.ExtFields = Fields{{"a", "b"}, {"c", "d"}} })},
		{"the last duplicate counts", binaryFixed + "00000000 00000010 0001 61 00000001 62 0001 61 00000001 64",
			with(func(c *Command) { c.ExtFields = Fields{{"a", "b"}, {"a", "d"}} })},
		// As in 4.9.7 and 5.x; 4.8.0 reads them as "".
		{"empty value is missing", binaryFixed + "00000000 0000000f 0001 61 00000000 0001 63 00000001 64",
			with(func(c *Command) { c.ExtFields = Fields{{"c", "d"}} })},
		{"empty key is missing", binaryFixed + "00000000 00000007 0000 00000001 64",
			with(func(c *Command) { c.ExtFields = Fields{} })},
		{"not UTF-8", binaryFixed + "00000002 61ff 00000009 0002 61ff 00000001 fe",
			with(func(c *Command) { c.Remark, c.ExtFields = "a\ufffd", Fields{{"a\ufffd", "\ufffd"}} })},
	} {
		var got Command
		if err := decodeHeader(EncodingBinary, unhex(t, tt.hex), &got); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestBadBinaryHeaders(t *testing.T) {
	for _, tt := range []struct{ name, hex string }{
		{"negative remark", binaryFixed + "ffffffff 00000000"},
		{"remark beyond the header", binaryFixed + "00000005 61 00000000"},
		{"huge remark", binaryFixed + "7fffffff 61 00000000"},
		{"negative fields", binaryFixed + "00000000 ffffffff"},
		{"fields beyond the header", binaryFixed + "00000000 00000009 0001 61 00000001 62"},
		{"bytes behind the fields", binaryFixed + "00000000 00000008 0001 61 00000001 62 00"},
		{"bytes without fields", binaryFixed + "00000000 00000000 00"},
		{"negative key", binaryFixed + "00000000 00000008 ffff 61 00000001 62"},
		{"key beyond the fields", binaryFixed + "00000000 00000008 0009 61 00000001 62"},
		{"negative value", binaryFixed + "00000000 00000008 0001 61 ffffffff 62"},
		{"value beyond the fields", binaryFixed + "00000000 00000008 0001 61 00000002 62"},
		{"huge value", binaryFixed + "00000000 00000008 0001 61 7fffffff 62"},
		{"a key alone", binaryFixed + "00000000 00000003 0001 61"},
		{"more fields than allowed", binaryFixed + "00000000 00001806" + strings.Repeat("0000 00000000", maxFields+1)},
	} {
		var c Command
		if err := decodeHeader(EncodingBinary, unhex(t, tt.hex), &c); !errors.Is(err, ErrBadHeader) {
			t.Errorf("%s: %+v, error %v", tt.name, c, err)
		}
	}
}

func TestCutBinaryHeaders(t *testing.T) {
	header := unhex(t, binaryFixed+"00000003 776879 00000008 0001 61 00000001 62")
	for n := range header {
		var c Command
		if err := decodeHeader(EncodingBinary, header[:n], &c); !errors.Is(err, ErrBadHeader) {
			t.Errorf("%d bytes: %+v, error %v", n, c, err)
		}
	}
}

func TestLanguagesRoundTrip(t *testing.T) {
	for i, name := range append(languages[:], "") {
		frame := AppendFrame(nil, &Command{Language: name, Encoding: EncodingBinary})
		if n := frame[10]; name != "" && int(n) != i {
			t.Errorf("%s is written as %d, want %d", name, n, i)
		}
		for _, enc := range []Encoding{EncodingJSON, EncodingBinary} {
			var c Command
			if err := DecodeFrame(AppendFrame(nil, &Command{Language: name, Encoding: enc})[4:], &c); err != nil || c.Language != name {
				t.Errorf("%v: %q came back as %q, error %v", enc, name, c.Language, err)
			}
		}
	}
}
