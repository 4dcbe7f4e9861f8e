package remoting

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// errMore is what a script answers once its bytes are used up: a test that
// sees it knows that the Reader wanted more than was there.
var errMore = errors.New("more bytes were wanted")

// script reads its steps one at a time: bytes or an error each.
type script []any

func (s *script) Read(p []byte) (int, error) {
	if len(*s) == 0 {
		return 0, errMore
	}
	switch step := (*s)[0].(type) {
	case error:
		*s = (*s)[1:]
		return 0, step
	case string:
		n := copy(p, step)
		if (*s)[0] = step[n:]; n == len(step) {
			*s = (*s)[1:]
		}
		return n, nil
	}
	panic("a step is neither bytes nor an error")
}

// frameStart returns the first 8 bytes of a frame.
func frameStart(length uint32, enc Encoding, headerLen uint32) string {
	b := binary.BigEndian.AppendUint32(nil, length)
	return string(binary.BigEndian.AppendUint32(b, uint32(enc)<<24|headerLen))
}

func repeat(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// Everything that is wrong with a frame shows in the bytes given, and none
// more are waited for.
func TestBadFrames(t *testing.T) {
	header := `{"code":105}`
	for _, tt := range []struct {
		name, bytes string
		want        error
		says        string
	}{
		{"negative length", "\xff\xff\xff\xff", ErrBadLength, "-1"},
		{"most negative length", "\x80\x00\x00\x00", ErrBadLength, "-2147483648"},
		{"length 0", "\x00\x00\x00\x00", ErrBadLength, "0"},
		{"length 3", "\x00\x00\x00\x03", ErrBadLength, "3"},
		{"a byte too long", "\x03\xff\xff\xfd", ErrFrameTooLong, "67108865"},
		{"longest length", "\x7f\xff\xff\xff", ErrFrameTooLong, "2147483651"},
		{"HTTP GET", "GET /", ErrForeignProtocol, "HTTP request"},
		{"HTTP POST", "POST", ErrForeignProtocol, "HTTP request"},
		{"HTTP response", "HTTP", ErrForeignProtocol, "HTTP response"},
		{"TLS 1.0 record", "\x16\x03\x01\x02", ErrForeignProtocol, "TLS"},
		{"TLS 1.2 record", "\x16\x03\x03\x00", ErrForeignProtocol, "TLS"},
		{"PROXY version 1", "PROXY", ErrForeignProtocol, "PROXY"},
		{"PROXY version 2", "\r\n\r\n", ErrForeignProtocol, "PROXY"},
		{"SSH", "SSH-2.0", ErrForeignProtocol, "SSH"},
		{"encoding 2", frameStart(100, 2, 20), ErrBadEncoding, "2"},
		{"encoding 255", frameStart(100, 255, 20), ErrBadEncoding, "255"},
		{"header beyond the frame", frameStart(100, 0, 97), ErrBadLength, "97"},
		{"header in a frame without room", frameStart(4, 0, 1), ErrBadLength, "0 follow"},
		{"empty header", frameStart(4, 0, 0), ErrBadHeader, "empty"},
		{"empty binary header", frameStart(10, 1, 0), ErrBadHeader, "empty"},
		{"header a byte too long", frameStart(MaxHeader+5, 0, MaxHeader+1), ErrHeaderTooLong, "1048577"},
		{"null header", frameStart(8, 0, 4) + "null", ErrBadHeader, "object"},
		{"undecodable header", frameStart(1<<20, 0, 8) + `{"code"}`, ErrBadHeader, "colon"},
		{"undecodable binary header", frameStart(1<<20, 1, 2) + "\x00\x00", ErrBadHeader, "ends"},
		{"a byte too long for its code", frameStart(DefaultFrameLimit-3, 0, uint32(len(header))) + header, ErrFrameTooLong, "GET_ROUTEINFO_BY_TOPIC"},
	} {
		var c Command
		r := NewReader(&script{tt.bytes}, nil)
		err := r.Next(&c)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want %v that says %q", tt.name, err, tt.want, tt.says)
		}
		if !r.Ready() {
			t.Errorf("%s: not ready after an error", tt.name)
		}
		if again := r.Next(&c); again != err {
			t.Errorf("%s: the next error is %v", tt.name, again)
		}
	}
}

// The largest values that are allowed make the Reader wait for the rest.
func TestLargestLengths(t *testing.T) {
	header := `{"code":103}`
	limit := func(code Code) int {
		if code == RegisterBroker {
			return 100 << 20 // MaxFrame bounds it
		}
		return 0
	}
	for _, tt := range []struct{ name, bytes string }{
		{"length", frameStart(MaxFrame-4, 0, 10)[:4]},
		{"header", frameStart(MaxHeader+4, 0, MaxHeader)},
		{"frame of its code", frameStart(MaxFrame-4, 0, uint32(len(header))) + header},
	} {
		var c Command
		if err := NewReader(&script{tt.bytes}, limit).Next(&c); !errors.Is(err, errMore) {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

func TestLimitCountsTheWholeFrame(t *testing.T) {
	frame := AppendFrame(nil, &Command{Code: RegisterBroker, Body: repeat('b', 100)})
	for _, tt := range []struct {
		limit int
		want  error
	}{{len(frame), nil}, {len(frame) - 1, ErrFrameTooLong}} {
		var asked []Code
		r := NewReader(bytes.NewReader(frame), func(code Code) int { asked = append(asked, code); return tt.limit })
		var c Command
		if err := r.Next(&c); !errors.Is(err, tt.want) {
			t.Errorf("limit %d for %d bytes: %v", tt.limit, len(frame), err)
		}
		if !reflect.DeepEqual(asked, []Code{RegisterBroker}) {
			t.Errorf("limit was asked for %v", asked)
		}
	}
}

// stream is a row of frames of many sizes, and what they hold.
func stream() (data []byte, want []Command) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, bodyLen := range []int{0, 1, 3, 4096, growth - 1, growth, growth + 1, 3*growth + 5} {
		for _, remarkLen := range []int{0, 1, ReaderBuffer - 200, ReaderBuffer, growth + 100} {
			c := Command{
				Code: Code(rnd.IntN(32768)), Language: languages[i], Version: int32(rnd.IntN(500)), Opaque: int32(rnd.Uint32()), Flag: 1,
				Remark: strings.Repeat("r", remarkLen), ExtFields: Fields{{"i", fmt.Sprint(i)}}, Encoding: Encoding(rnd.IntN(2)),
			}
			if bodyLen > 0 {
				c.Body = make([]byte, bodyLen)
				for j := range c.Body {
					c.Body[j] = byte(rnd.Uint32())
				}
			}
			want = append(want, c)
			data = AppendFrame(data, &c)
		}
	}
	return data, want
}

func TestReaderInChunks(t *testing.T) {
	data, want := stream()
	for _, tt := range []struct {
		name string
		r    io.Reader
	}{
		{"at once", bytes.NewReader(data)},
		{"with the error", iotest.DataErrReader(bytes.NewReader(data))},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(data))},
		{"by halves", iotest.HalfReader(bytes.NewReader(data))},
	} {
		r := NewReader(tt.r, nil)
		for i := range want {
			var got Command
			if err := r.Next(&got); err != nil {
				t.Fatalf("%s: frame %d: %v", tt.name, i, err)
			}
			if !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("%s: frame %d differs: %.200s", tt.name, i, fmt.Sprintf("%+v", got))
			}
		}
		var got Command
		if err := r.Next(&got); err != io.EOF {
			t.Errorf("%s: at the end: %v, want io.EOF", tt.name, err)
		}
	}
}

func TestEndWithinAFrame(t *testing.T) {
	frame := AppendFrame(nil, &Command{Code: 105, ExtFields: Fields{{"topic", "t"}}, Body: []byte("body")})
	for n := 1; n < len(frame); n++ {
		var c Command
		err := NewReader(bytes.NewReader(frame[:n]), nil).Next(&c)
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Errorf("after %d of %d bytes: %v", n, len(frame), err)
		}
	}
	// The same where bodies and headers do not fit the buffer.
	for _, c := range []Command{{Body: repeat('b', 3*growth)}, {Remark: strings.Repeat("r", 3*growth)}} {
		frame := AppendFrame(nil, &c)
		for _, n := range []int{8, 9, ReaderBuffer, growth, growth + 100, 2*growth + 100, len(frame) - 1} {
			if err := NewReader(bytes.NewReader(frame[:n]), nil).Next(&c); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("after %d of %d bytes: %v", n, len(frame), err)
			}
		}
	}
}

func TestErrorsOfTheConnection(t *testing.T) {
	frame := string(AppendFrame(nil, &Command{Code: 105, Body: []byte("body")}))
	for _, n := range []int{0, 3, 4, 7, 8, 20, len(frame) - 1} {
		var c Command
		if err := NewReader(&script{frame[:n], os.ErrDeadlineExceeded}, nil).Next(&c); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestNextGoesOnAfterADeadlineBetweenFrames(t *testing.T) {
	frame := string(AppendFrame(nil, &Command{Code: 105, Body: []byte("body")}))
	r := NewReader(&script{frame, os.ErrDeadlineExceeded, frame[:3], os.ErrDeadlineExceeded, frame[3:]}, nil)
	for i, fails := range []bool{false, true, true, false} {
		var c Command
		err := r.Next(&c)
		if fails && !errors.Is(err, os.ErrDeadlineExceeded) || !fails && (err != nil || string(c.Body) != "body") {
			t.Fatalf("call %d: %+v, error %v", i, c, err)
		}
	}
}

func TestNextOverwritesAllAndReusesFields(t *testing.T) {
	full := Command{
		Code: 1, Language: "GO", Version: 2, Opaque: 3, Flag: 4, Remark: "r", ExtFields: Fields{{"a", "1"}, {"b", "2"}},
		Body: []byte("first"), Encoding: EncodingBinary,
	}
	other := Command{Code: 9, ExtFields: Fields{{"c", "3"}}, Body: []byte("other")}
	bare := Command{}
	empty := Command{ExtFields: Fields{}}
	var data []byte
	for _, c := range []Command{full, other, empty, bare} {
		data = AppendFrame(data, &c)
	}
	r := NewReader(bytes.NewReader(data), nil)
	var got Command
	var first *Field
	var body []byte
	for i, want := range []Command{full, other, empty, bare} {
		if err := r.Next(&got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("frame %d: %+v, want %+v, error %v", i, got, want, err)
		}
		switch i {
		case 0:
			first, body = &got.ExtFields[0], got.Body
		case 1:
			if &got.ExtFields[0] != first {
				t.Error("the fields' memory was not used again")
			}
		}
	}
	if string(body) != "first" {
		t.Errorf("a body changed to %q when the next frame was read", body)
	}
}

func TestBufferedAndReady(t *testing.T) {
	frame := string(AppendFrame(nil, &Command{Code: 105, Body: []byte("body")}))
	long := string(AppendFrame(nil, &Command{Body: repeat('b', 2*ReaderBuffer)}))
	r := NewReader(&script{frame + frame + frame[:3], frame[3:6], frame[6:] + long[:100], long[100:], "\xff\xff"}, nil)
	next := func() {
		t.Helper()
		var c Command
		if err := r.Next(&c); err != nil {
			t.Fatal(err)
		}
	}
	check := func(buffered int, ready bool) {
		t.Helper()
		if r.Buffered() != buffered || r.Ready() != ready {
			t.Errorf("buffered %d, ready %v, want %d, %v", r.Buffered(), r.Ready(), buffered, ready)
		}
	}
	check(0, false)
	next()
	check(len(frame)+3, true)
	next()
	check(3, false)
	next()
	check(100, false)
	next()
	check(0, false)
}

func TestReadyWhenTheNextFrameIsBad(t *testing.T) {
	frame := string(AppendFrame(nil, &Command{Code: 105}))
	r := NewReader(&script{frame + "\xff\xff\xff\xff"}, nil)
	var c Command
	if err := r.Next(&c); err != nil {
		t.Fatal(err)
	}
	if !r.Ready() {
		t.Error("not ready, though the length is negative")
	}
}

func TestNewReaderKeepsABufferedReader(t *testing.T) {
	frame := AppendFrame(nil, &Command{Code: 105})
	br := bufio.NewReaderSize(bytes.NewReader(frame), ReaderBuffer)
	if _, err := br.Peek(1); err != nil {
		t.Fatal(err)
	}
	r := NewReader(br, nil)
	if r.br != br {
		t.Error("it is buffered twice")
	}
	var c Command
	if err := r.Next(&c); err != nil || c.Code != 105 {
		t.Errorf("%+v, error %v", c, err)
	}
}

func TestDecodeFrame(t *testing.T) {
	frame := AppendFrame(nil, &Command{Code: 105, Body: []byte("body")})[4:]
	var c Command
	if err := DecodeFrame(frame, &c); err != nil || string(c.Body) != "body" {
		t.Fatalf("%+v, error %v", c, err)
	}
	frame[len(frame)-1] = 'X'
	if string(c.Body) != "body" {
		t.Error("the body shares the frame's memory")
	}
	for n, want := range map[int]error{0: ErrBadLength, 3: ErrBadLength, 4: ErrBadLength, 20: ErrBadLength, MaxFrame - 3: ErrFrameTooLong} {
		b := make([]byte, n)
		copy(b, frame)
		if err := DecodeFrame(b, &c); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", n, err, want)
		}
	}
	if err := DecodeFrame([]byte{0, 0, 0, 0}, &c); !errors.Is(err, ErrBadHeader) {
		t.Errorf("an empty header: %v", err)
	}
}

// Strings of passing commands are the reader's memory: only of the codes that
// were named, and only where no body follows, which is read over them.
func TestPassingStrings(t *testing.T) {
	var data []byte
	fields := Fields{{"topic", "orders"}}
	for _, enc := range []Encoding{EncodingJSON, EncodingBinary} {
		for _, code := range []Code{GetRouteInfoByTopic, RegisterBroker} {
			for _, body := range [][]byte{nil, repeat('b', 2*ReaderBuffer)} {
				data = AppendFrame(data, &Command{Code: code, Encoding: enc, ExtFields: fields, Body: body})
			}
		}
	}
	r := NewReader(bytes.NewReader(data), nil)
	r.Passing = func(code Code) bool { return code == GetRouteInfoByTopic }
	for range 8 {
		var c Command
		if err := r.Next(&c); err != nil {
			t.Fatal(err)
		}
		got, _ := c.ExtFields.Get("topic")
		if got != "orders" {
			t.Fatalf("topic %q of %v", got, c.Code)
		}
		lent := r.lent != nil
		if want := c.Code == GetRouteInfoByTopic && c.Body == nil; lent != want {
			t.Errorf("%v with %d bytes: passing %v", c.Code, len(c.Body), lent)
		}
		overwrite(r.lent)
		if !lent && got != "orders" {
			t.Errorf("topic %q of %v is not its own", got, c.Code)
		}
	}
}
