package remoting

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
)

// routeRequest is the header of a 105 request as a Java 4.9.7 client writes it.
const routeRequest = `{"code":105,"extFields":{"topic":"OrderEvents","acceptStandardJsonOnly":"true"},"flag":0,"language":"JAVA","opaque":12345,"serializeTypeCurrentRPC":"JSON","version":407}`

// loop reads the same bytes for ever.
type loop struct {
	data []byte
	at   int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.data[l.at:])
	l.at = (l.at + n) % len(l.data)
	return n, nil
}

func routeFrame(enc Encoding) []byte {
	var c Command
	if err := decodeHeader(EncodingJSON, routeRequest, &c); err != nil {
		panic(err)
	}
	c.Encoding = enc
	return AppendFrame(nil, &c)
}

func TestReaderAllocatesOnceForAHeader(t *testing.T) {
	for _, enc := range []Encoding{EncodingJSON, EncodingBinary} {
		r := NewReader(&loop{data: routeFrame(enc)}, nil)
		var c Command
		if err := r.Next(&c); err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(1000, func() {
			if err := r.Next(&c); err != nil {
				t.Fatal(err)
			}
		})
		if n > 1 {
			t.Errorf("%v: %v allocations a frame, want 1", enc, n)
		}
	}
}

func TestReaderAllocatesTwiceWithABody(t *testing.T) {
	frame := AppendFrame(nil, &Command{Code: RegisterBroker, ExtFields: Fields{{"brokerName", "a"}}, Body: make([]byte, 9000)})
	r := NewReader(&loop{data: frame}, nil)
	var c Command
	if err := r.Next(&c); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(1000, func() {
		if err := r.Next(&c); err != nil {
			t.Fatal(err)
		}
	})
	if n > 2 {
		t.Errorf("%v allocations a frame, want 2", n)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 4096)
	body := bytes.Repeat([]byte("x"), 500)
	ext := Fields{{"value", "a \"quoted\"\nvalue\u2028\x01"}}
	c := Command{Code: NotifyMinBrokerIDChange, Language: "GO", Remark: "r", ExtFields: ext, Body: body}
	for _, enc := range []Encoding{EncodingJSON, EncodingBinary} {
		if n := testing.AllocsPerRun(1000, func() {
			buf = AppendReply(buf[:0], enc, Success, 7, "a remark", ext, body)
		}); n != 0 {
			t.Errorf("AppendReply %v: %v allocations", enc, n)
		}
		c.Encoding = enc
		if n := testing.AllocsPerRun(1000, func() { buf = AppendFrame(buf[:0], &c) }); n != 0 {
			t.Errorf("AppendFrame %v: %v allocations", enc, n)
		}
	}
}

// A length field promises the most there may be; the memory follows the bytes.
func TestPromisedLengthIsNotAllocated(t *testing.T) {
	whole := AppendFrame(nil, &Command{Code: RegisterBroker, Body: make([]byte, 16<<20)})
	cut := whole[:200<<10]
	unlimited := func(Code) int { return MaxFrame }
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var c Command
	err := NewReader(bytes.NewReader(cut), unlimited).Next(&c)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a cut frame: %v", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated for %d that came", got, len(cut))
	}
}

func BenchmarkDecodeJSONRoute(b *testing.B) { benchmarkNext(b, routeFrame(EncodingJSON)) }

func BenchmarkDecodeBinaryRoute(b *testing.B) { benchmarkNext(b, routeFrame(EncodingBinary)) }

func BenchmarkDecodeJSONRegister(b *testing.B) {
	benchmarkNext(b, AppendFrame(nil, &Command{Code: RegisterBroker, Language: "JAVA", Version: V5_3_3, Opaque: 99, ExtFields: Fields{
		{"brokerName", "broker-a"}, {"brokerAddr", "10.0.0.17:10911"}, {"clusterName", "DefaultCluster"}, {"haServerAddr", "10.0.0.17:10912"},
		{"brokerId", "0"}, {"compressed", "false"}, {"bodyCrc32", "1234567890"}, {"enableActingMaster", "false"},
	}, Body: make([]byte, 20<<10)}))
}

func benchmarkNext(b *testing.B, frame []byte) {
	r := NewReader(&loop{data: frame}, nil)
	var c Command
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		if err := r.Next(&c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendReplyJSON(b *testing.B) { benchmarkAppendReply(b, EncodingJSON) }

func BenchmarkAppendReplyBinary(b *testing.B) { benchmarkAppendReply(b, EncodingBinary) }

func benchmarkAppendReply(b *testing.B, enc Encoding) {
	body := bytes.Repeat([]byte("x"), 500)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendReply(buf[:0], enc, Success, 12345, "", nil, body)
	}
	if _, err := io.Discard.Write(buf); err != nil {
		b.Fatal(err)
	}
}
