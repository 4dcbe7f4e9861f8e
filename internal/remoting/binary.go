package remoting

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// decodeBinary reads a header in the binary encoding (Java:
// RocketMQSerializable):
//
//	size  meaning
//	2     code
//	1     language
//	2     version
//	4     opaque
//	4     flag
//	4+n   length of the remark, remark
//	4     bytes of all fields together; then, until they are consumed:
//	2+n   length of the key, key
//	4+n   length of the value, value
//
// Keys and values of no bytes count as missing, as in Java since 4.9.7. Unlike
// Java, it refuses fields that reach beyond their total, a negative total, and
// bytes behind the last field, all of which garble the body there.
func decodeBinary(s string, c *Command, spare Fields) error {
	r := binaryReader{s: s}
	c.Code = Code(r.int16())
	c.Language = languageName(r.byte())
	c.Version = int32(r.int16())
	c.Opaque = r.int32()
	c.Flag = r.int32()
	c.Remark = r.text(int(r.int32()))
	if total := int(r.int32()); !r.bad && total != len(r.s) {
		return fmt.Errorf("%w: extFields of %d bytes where %d follow", ErrBadHeader, total, len(r.s))
	} else if total > 0 {
		c.ExtFields = spare.present()
	}
	for n := 0; !r.bad && len(r.s) > 0; n++ {
		if n == maxFields {
			return fmt.Errorf("%w: more than %d extFields", ErrBadHeader, maxFields)
		}
		key := r.text(int(r.int16()))
		value := r.text(int(r.int32()))
		if key != "" && value != "" {
			c.ExtFields = c.ExtFields.add(key, value)
		}
	}
	if r.bad {
		return fmt.Errorf("%w: a binary header of %d bytes ends inside a field", ErrBadHeader, len(s))
	}
	return nil
}

// binaryReader consumes s. Once a read finds too few bytes it and all later
// ones yield zero, and bad says so: one look at the end is enough.
type binaryReader struct {
	s   string
	bad bool
}

// take returns the next n bytes, and "" if there are none or n is negative.
func (r *binaryReader) take(n int) string {
	if n < 0 || n > len(r.s) {
		r.bad, r.s = true, ""
		return ""
	}
	t := r.s[:n]
	r.s = r.s[n:]
	return t
}

func (r *binaryReader) byte() byte {
	if t := r.take(1); t != "" {
		return t[0]
	}
	return 0
}

func (r *binaryReader) int16() int16 {
	t := r.take(2)
	if t == "" {
		return 0
	}
	return int16(uint16(t[0])<<8 | uint16(t[1]))
}

func (r *binaryReader) int32() int32 {
	t := r.take(4)
	if t == "" {
		return 0
	}
	return int32(uint32(t[0])<<24 | uint32(t[1])<<16 | uint32(t[2])<<8 | uint32(t[3]))
}

func (r *binaryReader) text(n int) string { return validUTF8(r.take(n)) }

// validUTF8 returns s with what is not UTF-8 replaced.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
