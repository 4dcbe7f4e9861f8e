package load

import (
	"bytes"
	"math"
	"strconv"
	"testing"

	"signpost/internal/remoting"
)

// Every frame that a prepared request yields is what the codec reads back,
// with the opaque that was asked for.
func TestRequestsDecodeAsWritten(t *testing.T) {
	fleet := Fleet{Name: "app", Brokers: 2, TopicsPerBroker: 3, Topics: 6}
	body := fleet.Body(1, 0)
	broker := fleet.Broker(1)
	for _, tt := range []struct {
		name    string
		make    func() (Request, error)
		code    remoting.Code
		field   string
		value   string
		hasBody bool
	}{
		{"route", func() (Request, error) { return RouteRequest(`%RETRY%"opaque":1`) }, remoting.GetRouteInfoByTopic, "topic", `%RETRY%"opaque":1`, false},
		{"register", func() (Request, error) { return RegisterRequest(broker, body) }, remoting.RegisterBroker, "brokerAddr", "10.1.0.1:10911", true},
		{"unregister", func() (Request, error) { return UnregisterRequest(broker) }, remoting.UnregisterBroker, "brokerName", "app-b0001", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := tt.make()
			if err != nil {
				t.Fatal(err)
			}
			for _, opaque := range []int32{minOpaque, 1_234_567_890, math.MaxInt32} {
				frame := r.Append([]byte("before"), opaque)[len("before"):]
				if len(frame) != r.Len() {
					t.Errorf("a frame of %d bytes, Len says %d", len(frame), r.Len())
				}
				var c remoting.Command
				if err := remoting.NewReader(bytes.NewReader(frame), nil).Next(&c); err != nil {
					t.Fatal(err)
				}
				if c.Code != tt.code || c.Opaque != opaque || c.Version != remoting.V5_3_3 || c.IsResponse() || c.IsOneway() {
					t.Errorf("read back %+v", c)
				}
				if got, _ := c.ExtFields.Get(tt.field); got != tt.value {
					t.Errorf("field %s is %q, want %q", tt.field, got, tt.value)
				}
				if tt.hasBody && !bytes.Equal(c.Body, body) || !tt.hasBody && c.Body != nil {
					t.Errorf("a body of %d bytes", len(c.Body))
				}
			}
		})
	}
}

func TestRegisterRequestCarriesItsChecksum(t *testing.T) {
	r, err := RegisterRequest(Fleet{Name: "app"}.Broker(0), []byte("123456789"))
	if err != nil {
		t.Fatal(err)
	}
	var c remoting.Command
	if err := remoting.NewReader(bytes.NewReader(r.Append(nil, minOpaque)), nil).Next(&c); err != nil {
		t.Fatal(err)
	}
	want := strconv.Itoa(0xCBF43926 & 0x7fffffff) // the check value of CRC-32/ISO-HDLC, without its sign
	if got, _ := c.ExtFields.Get("bodyCrc32"); got != want {
		t.Errorf("bodyCrc32 %s, want %s", got, want)
	}
}

func TestParseAnswer(t *testing.T) {
	body := []byte(`{"brokerDatas":[]}`)
	frame := remoting.AppendReply(nil, remoting.EncodingJSON, remoting.TopicNotExist, 1_000_000_007, "no such topic",
		remoting.Fields{{Key: "changed", Value: "true"}}, body)
	for i := range frame {
		if _, n, err := ParseAnswer(frame[:i]); n != 0 || err != nil {
			t.Fatalf("%d of %d bytes: length %d, error %v", i, len(frame), n, err)
		}
	}
	a, n, err := ParseAnswer(append(frame, frame...))
	if err != nil || n != len(frame) {
		t.Fatalf("length %d of %d, error %v", n, len(frame), err)
	}
	if a.Code != 17 || a.Opaque != 1_000_000_007 || !bytes.Equal(a.Body, body) {
		t.Errorf("parsed %+v", a)
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	good := remoting.AppendReply(nil, remoting.EncodingJSON, 0, minOpaque, "", nil, nil)
	edit := func(at int, b ...byte) []byte {
		frame := bytes.Clone(good)
		copy(frame[at:], b)
		return frame
	}
	for name, frame := range map[string][]byte{
		"a length below 4":               edit(0, 0, 0, 0, 3),
		"a length beyond all frames":     edit(0, 0x7f, 0xff, 0xff, 0xff),
		"a header longer than its frame": edit(5, 0xff, 0xff, 0xff),
		"a binary header":                remoting.AppendReply(nil, remoting.EncodingBinary, 0, minOpaque, "", nil, nil),
		"no opaque":                      bytes.Replace(good, []byte("opaque"), []byte("OPAQUE"), 1),
		"an opaque of 11 digits":         bytes.Replace(good, []byte(`1000000000,"serializeType`), []byte(`10000000000,"erializeType`), 1),
	} {
		if a, n, err := ParseAnswer(frame); err == nil {
			t.Errorf("%s: taken as %+v of %d bytes", name, a, n)
		}
	}
}
