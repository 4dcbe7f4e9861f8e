package remoting

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"reflect"
	"testing"
	"unicode/utf8"
)

// fuzzHeader checks what holds of every header: what is decoded is valid
// UTF-8, and written and decoded again it is the same.
func fuzzHeader(t *testing.T, enc Encoding, header []byte) {
	var c Command
	if err := decodeHeader(enc, string(header), &c); err != nil {
		return
	}
	if len(c.ExtFields) > maxFields {
		t.Fatalf("%d fields", len(c.ExtFields))
	}
	for _, f := range append(c.ExtFields, Field{c.Remark, c.Language}) {
		if !utf8.ValidString(f.Key) || !utf8.ValidString(f.Value) {
			t.Fatalf("%q is not UTF-8", f)
		}
	}
	if enc == EncodingBinary {
		for _, f := range c.ExtFields {
			if len(f.Key) > 32767 {
				return // what is not UTF-8 grows when it is replaced
			}
		}
		if len(c.ExtFields) == 0 {
			c.ExtFields = nil // empty and absent are the same there
		}
	}
	frame := AppendFrame(nil, &c)
	var again Command
	if err := DecodeFrame(frame[4:], &again); err != nil {
		t.Fatalf("%+v as %q: %v", c, frame, err)
	}
	if !reflect.DeepEqual(again, c) {
		t.Fatalf("%+v, written and read %+v", c, again)
	}
}

func FuzzJSONHeader(f *testing.F) {
	for _, s := range []string{
		routeRequest, `{}`, `null`, `{"code":"106","x":[{"a":[1,2,{}]},"]"],"extFields":{"a":1,"b":null,"c":{"d":"}"},"e":[1]}}`,
		`{code:1,'remark':'\u00e9\uD83D\uDE00\x41\7',,}`, "{\"remark\":\"\xff\xe4\xb8\"}", `{"flag":1.5e3,"opaque":-2147483648,"version":"0"}`,
		`{"language":"GO","remark":"\uD800","extFields":null}`, `{"extFields":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, header []byte) { fuzzHeader(t, EncodingJSON, header) })
}

func FuzzBinaryHeader(f *testing.F) {
	for _, s := range []string{
		binaryFixed + "00000000 00000000", binaryFixed + "00000003 776879 00000008 0001 61 00000001 62",
		binaryFixed + "00000000 0000000f 0001 61 00000000 0001 63 00000001 64", binaryFixed + "00000001 ff 00000008 0001 fe 00000001 fd",
		"ffff 0e fffe fffffffd fffffffc 00000000 00000000", binaryFixed + "7fffffff 80000000",
	} {
		f.Add([]byte(unhex(f, s)))
	}
	f.Fuzz(func(t *testing.T, header []byte) { fuzzHeader(t, EncodingBinary, header) })
}

// chunks reads data in pieces whose sizes come from a list, over and over.
type chunks struct {
	data, sizes []byte
	turn        int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(c.sizes) > 0 {
		n += int(c.sizes[c.turn%len(c.sizes)])
		c.turn++
	}
	n = copy(p, c.data[:min(n, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

// FuzzReader reads a row of frames at once and in pieces, and each frame by
// itself: all must agree.
func FuzzReader(f *testing.F) {
	var row []byte
	for _, tt := range javaFrames {
		frame, err := hex.DecodeString(tt.hex)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame, []byte{})
		row = append(row, frame...)
	}
	f.Add(row, []byte{0, 3, 200, 7})
	f.Add(append(row, "GET / HTTP/1.1"...), []byte{255})
	f.Add(AppendFrame(nil, &Command{Code: RegisterBroker, Remark: string(repeat('r', 5000)), Body: repeat('b', 9000)}), []byte{99})
	f.Add(append(AppendFrame(nil, &Command{Code: PutKVConfig, Body: repeat('b', 300)}), row...), []byte{12})
	f.Add([]byte("\x16\x03\x01\x02\x00"), []byte{0})
	f.Add([]byte(frameStart(5, 1, 2)+"x"), []byte{0})

	limit := func(code Code) int {
		if code == PutKVConfig {
			return 256
		}
		return MaxFrame
	}
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		whole := NewReader(bytes.NewReader(data), limit)
		slow := NewReader(&chunks{data: data, sizes: sizes}, limit)
		var c, slowly Command
		for at := 0; ; { // every turn takes 8 bytes of data at least
			err := whole.Next(&c)
			slowErr := slow.Next(&slowly)
			if (err == nil) != (slowErr == nil) || err != nil && err.Error() != slowErr.Error() {
				t.Fatalf("at once %v, in pieces %v", err, slowErr)
			}
			if err != nil {
				if err == io.EOF && at != len(data) {
					t.Fatalf("a clean end after %d of %d bytes", at, len(data))
				}
				return
			}
			if !reflect.DeepEqual(c, slowly) {
				t.Fatalf("at once %+v, in pieces %+v", c, slowly)
			}
			end := at + 4 + int(binary.BigEndian.Uint32(data[at:]))
			if end-at > limit(c.Code) {
				t.Fatalf("a frame of %d bytes was read", end-at)
			}
			var alone Command
			if err := DecodeFrame(data[at+4:end], &alone); err != nil || !reflect.DeepEqual(alone, c) {
				t.Fatalf("in a row %+v, alone %+v, error %v", c, alone, err)
			}
			at = end
		}
	})
}
