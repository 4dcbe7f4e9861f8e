package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"signpost/internal/remoting"
)

// Answer is as much of a response as every one is checked for. Header and
// body share the memory they were parsed from.
type Answer struct {
	Code   int32
	Opaque int32
	Header []byte
	Body   []byte
}

var (
	codeMark   = []byte(`"code":`)
	opaqueMark = []byte(`"opaque":`)
)

// errNotJSON: the header of an answer is not in JSON, though the request's was.
var errNotJSON = errors.New("the answer's header is not JSON")

// ParseAnswer reads the frame that b starts with and returns its length, or 0
// when b does not hold all of it yet. It searches the header for the two
// members it needs instead of decoding it: with requests whose answers hold no
// free text before them, as all here, that finds the right ones.
func ParseAnswer(b []byte) (Answer, int, error) {
	if len(b) < 8 {
		return Answer{}, 0, nil
	}
	length := binary.BigEndian.Uint32(b)
	if length < 4 || length > remoting.MaxFrame {
		return Answer{}, 0, fmt.Errorf("an answer announces %d bytes", length)
	}
	if b[4] != byte(remoting.EncodingJSON) {
		return Answer{}, 0, errNotJSON
	}
	headerLen := int(binary.BigEndian.Uint32(b[4:]) & 0xffffff)
	if headerLen > int(length)-4 {
		return Answer{}, 0, fmt.Errorf("a header of %d bytes in a frame of %d", headerLen, length)
	}
	n := 4 + int(length)
	if len(b) < n {
		return Answer{}, 0, nil
	}
	a := Answer{Header: b[8 : 8+headerLen], Body: b[8+headerLen : n]}
	var ok bool
	if a.Code, ok = number(a.Header, codeMark); ok {
		a.Opaque, ok = number(a.Header, opaqueMark)
	}
	if !ok {
		return Answer{}, 0, fmt.Errorf("an answer without code or opaque: %q", a.Header)
	}
	return a, n, nil
}

// number returns the positive decimal number behind the first mark in b.
func number(b, mark []byte) (int32, bool) {
	i := bytes.Index(b, mark)
	if i < 0 {
		return 0, false
	}
	i += len(mark)
	var n int64
	digits := 0
	for ; i < len(b) && digits <= opaqueDigits; i++ {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		n = n*10 + int64(d)
		digits++
	}
	return int32(n), digits > 0 && n <= 1<<31-1
}
