package remoting

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendFrame appends c as a whole frame, its length included, and returns the
// extended buffer. It does not allocate if dst has room.
//
// It panics if the header exceeds the 16 MiB that its length field can say,
// or the frame 2 GiB; nothing that a Reader let in comes near.
func AppendFrame(dst []byte, c *Command) []byte {
	h := header{
		code:     c.Code,
		language: c.Language,
		version:  c.Version,
		opaque:   c.Opaque,
		flag:     c.Flag,
		remark:   c.Remark,
		ext:      c.ExtFields,
	}
	return appendFrame(dst, c.Encoding, &h, c.Body)
}

// AppendReply appends a response frame: what AppendFrame makes of
// [Command.Reply] with these values. It is the short way for servers, and does
// not allocate if dst has room. ext is written in its order; nil leaves it out.
func AppendReply(dst []byte, enc Encoding, code Code, opaque int32, remark string, ext Fields, body []byte) []byte {
	if enc == EncodingJSON && code == Success && remark == "" && ext == nil {
		return appendUsualReply(dst, opaque, body)
	}
	h := header{
		code:     code,
		language: serverLanguage,
		version:  ServerVersion,
		opaque:   opaque,
		flag:     FlagResponse,
		remark:   remark,
		ext:      ext,
	}
	return appendFrame(dst, enc, &h, body)
}

// usualReply is what stands before and behind the opaque of most answers.
var usualReply, usualReplyEnd = func() (string, string) {
	h := header{language: serverLanguage, version: ServerVersion, flag: FlagResponse}
	before, after, _ := strings.Cut(string(h.appendJSON(nil)), `"opaque":0`)
	return before + `"opaque":`, after
}()

// appendUsualReply is appendFrame for a success in JSON with nothing but a body.
func appendUsualReply(dst []byte, opaque int32, body []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = append(dst, usualReply...)
	dst = strconv.AppendInt(dst, int64(opaque), 10)
	dst = append(dst, usualReplyEnd...)
	return finishFrame(dst, start, EncodingJSON, body)
}

// header is a command without body and encoding.
type header struct {
	code                  Code
	language              string
	version, opaque, flag int32
	remark                string
	ext                   Fields
}

func appendFrame(dst []byte, enc Encoding, h *header, body []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	if enc == EncodingBinary {
		dst = h.appendBinary(dst)
	} else {
		enc = EncodingJSON
		dst = h.appendJSON(dst)
	}
	return finishFrame(dst, start, enc, body)
}

// finishFrame fills in the lengths of the frame that begins at start and is
// there up to its header's end, and appends the body.
func finishFrame(dst []byte, start int, enc Encoding, body []byte) []byte {
	headerLen := len(dst) - start - 8
	frameLen := 4 + headerLen + len(body)
	if headerLen >= 1<<24 || frameLen > math.MaxInt32 {
		panic(fmt.Sprintf("remoting: frame of %d bytes with a header of %d cannot be written", frameLen, headerLen))
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(frameLen))
	binary.BigEndian.PutUint32(dst[start+4:], uint32(enc)<<24|uint32(headerLen))
	return append(dst, body...)
}

// appendJSON writes members in alphabetical order without white space and
// leaves out what is null, as fastjson does. The order of extFields is kept.
func (h *header) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(h.code), 10)
	if h.ext != nil {
		dst = append(dst, `,"extFields":{`...)
		for i := range h.ext {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONString(dst, h.ext[i].Key)
			dst = append(dst, ':')
			dst = appendJSONString(dst, h.ext[i].Value)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `,"flag":`...)
	dst = strconv.AppendInt(dst, int64(h.flag), 10)
	if h.language != "" {
		dst = append(dst, `,"language":`...)
		dst = appendJSONString(dst, h.language)
	}
	dst = append(dst, `,"opaque":`...)
	dst = strconv.AppendInt(dst, int64(h.opaque), 10)
	if h.remark != "" {
		dst = append(dst, `,"remark":`...)
		dst = appendJSONString(dst, h.remark)
	}
	dst = append(dst, `,"serializeTypeCurrentRPC":"JSON","version":`...)
	dst = strconv.AppendInt(dst, int64(h.version), 10)
	return append(dst, '}')
}

// appendJSONString writes s in quotes as fastjson does: escaped are quotes,
// backslashes, control characters up to U+009F and the two line separators;
// everything else stays as it is, slashes and other non-ASCII too. What is not
// UTF-8 becomes U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	done := 0 // s[:done] is written
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && n == 1:
				dst = append(dst, s[done:i]...)
				dst = append(dst, "\ufffd"...)
				done = i + n
			case r < 0xa0 || r == '\u2028' || r == '\u2029':
				dst = append(dst, s[done:i]...)
				dst = append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
				done = i + n
			}
			i += n
			continue
		}
		dst = append(dst, s[done:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendBinary writes the fixed fields, the remark and the fields. Code and
// version are cut to 16 bits as in Java. A key beyond the 32767 bytes that its
// length can say has no binary form and is left out.
func (h *header) appendBinary(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint16(dst, uint16(h.code))
	dst = append(dst, languageNumber(h.language))
	dst = be.AppendUint16(dst, uint16(h.version))
	dst = be.AppendUint32(dst, uint32(h.opaque))
	dst = be.AppendUint32(dst, uint32(h.flag))
	dst = be.AppendUint32(dst, uint32(len(h.remark)))
	dst = append(dst, h.remark...)
	mark := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i := range h.ext {
		f := &h.ext[i]
		if len(f.Key) > math.MaxInt16 {
			continue
		}
		dst = be.AppendUint16(dst, uint16(len(f.Key)))
		dst = append(dst, f.Key...)
		dst = be.AppendUint32(dst, uint32(len(f.Value)))
		dst = append(dst, f.Value...)
	}
	be.PutUint32(dst[mark:], uint32(len(dst)-mark-4))
	return dst
}
