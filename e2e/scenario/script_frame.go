package scenario

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// padding lets a 5.x server look at a connection: it waits for 12 bytes.
var padding = make([]byte, 16)

var frameScenarios = []Scenario{
	{Name: "frame-broken", About: "Each kind of broken frame closes its own connection and no other.", script: brokenFrames},
	{Name: "frame-pieces", About: "Frames arrive in pieces and several at once; answers are told apart by their opaque.", script: framePieces},
	{Name: "frame-proxy", About: "A PROXY protocol prefix: taken off by 5.x, a bad length to 4.x.", script: proxyPrefix},
}

// length is a frame's length field, followed by padding.
func length(n int32) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(n)), padding...)
}

func brokenFrames(s *Script) {
	s.ask("witness", "before", clusters())
	for _, n := range []int32{math.MinInt32, -1, 0, 1, 2, 3, 16777213, math.MaxInt32} {
		s.cut(fmt.Sprintf("length-%d", n), fmt.Sprintf("length-%d", n), length(n))
	}
	longest := binary.BigEndian.AppendUint32(nil, 16777212)
	longest = binary.BigEndian.AppendUint32(longest, 100) // a JSON header of 100 bytes, of which not all arrive
	s.open("longest", "longest-length-waits", append(longest, `{"code":103,"language":"JAVA",`...))
	s.close("longest")

	good := s.frame(clusters())
	bad := slices.Clone(good)
	bad[4] = 2
	s.cut("encoding", "unknown-encoding", bad)
	bad = slices.Clone(good)
	bad[4] = 0xFF
	s.cut("encoding-ff", "unknown-encoding-ff", bad)
	bad = slices.Clone(good)
	binary.BigEndian.PutUint32(bad[4:], uint32(len(bad)))
	s.cut("header", "header-longer-than-frame", bad)
	s.cut("empty", "empty-header", append([]byte{0, 0, 0, 4, 0, 0, 0, 0}, padding...))
	s.cut("null", "json-null", append(rawJSON("null"), padding...))
	s.cut("broken", "json-broken", append(rawJSON(`{"code":106,"opaque":`), padding...))
	s.cut("text", "json-text", append(rawJSON(`clusterInfo`), padding...))
	s.cut("array", "json-array", append(rawJSON(`[106]`), padding...))
	s.cut("code-text", "json-code-not-a-number", append(rawJSON(`{"code":"list","opaque":9}`), padding...))
	s.cut("short", "binary-short", joinFrame(1, []byte{0, 106, 0, 1, 0x77}, padding))
	s.cut("ext", "binary-ext-longer-than-header", rawBinary(105, 0, 407, 7, 0, 0, "", 1000, entry("topic", "orders")))
	s.cut("remark", "binary-remark-longer-than-header", rawBinary(105, 0, 407, 7, 0, 1000, "", 0, ""))
	s.cut("value", "binary-value-longer-than-ext", rawBinary(105, 0, 407, 7, 0, 0, "", 14, "\x00\x05topic\x00\x00\x10\x00abc"))

	s.ask("witness", "after", clusters())
	s.add(Step{Name: "half-a-frame", Kind: Write, Conn: "half", Send: good[:len(good)-3]})
	s.close("half")
	s.ask("witness", "after-half-a-frame", clusters())
}

func framePieces(s *Script) {
	f := s.frame(clusters())
	first := s.opaque
	s.write("pieces", "first-two-bytes", f[:2])
	s.write("pieces", "up-to-the-header", f[2:11])
	s.write("pieces", "the-rest", f[11:])
	s.answer("pieces", "answer-to-pieces", first)

	var many []byte
	for range 12 {
		many = append(many, s.frame(route("nowhere"))...)
	}
	last := s.opaque
	half := s.frame(allTopics())
	s.write("pieces", "twelve-at-once-and-a-half", append(many, half[:20]...))
	for i := last - 11; i <= last; i++ {
		s.answer("pieces", fmt.Sprintf("answer-%d", i-last+12), i)
	}
	s.write("pieces", "the-other-half", half[20:])
	s.answer("pieces", "answer-to-halves", s.opaque)
}

func proxyPrefix(s *Script) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n"
	for _, p := range []struct{ name, prefix string }{
		{"v1-tcp4", "PROXY TCP4 10.1.2.3 10.0.0.9 40000 9876\r\n"},
		{"v1-tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 40000 9876\r\n"},
		{"v1-unknown", "PROXY UNKNOWN\r\n"},
		{"v2-tcp4", v2 + "\x21\x11\x00\x0c\x0a\x01\x02\x03\x0a\x00\x00\x09\x9c\x40\x26\x94"},
		{"v2-tcp6", v2 + "\x21\x21\x00\x24" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
			"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x9c\x40\x26\x94"},
		{"v2-local", v2 + "\x20\x00\x00\x00"},
		{"v2-tlv", v2 + "\x21\x11\x00\x13\x0a\x01\x02\x03\x0a\x00\x00\x09\x9c\x40\x26\x94" + "\x04\x00\x04abcd"},
	} {
		send := append([]byte(p.prefix), s.frame(clusters())...)
		if s.is5() {
			s.askRaw(p.name, p.name, s.opaque, send)
			s.ask(p.name, p.name+"-second-request", clusters())
		} else {
			s.cut(p.name, p.name, send)
		}
	}
	bad := append([]byte("PROXY SCTP nobody knows this\r\n"), s.frame(clusters())...)
	s.cut("bad", "v1-bad", bad)
	s.ask("plain", "without-prefix", clusters())
}
