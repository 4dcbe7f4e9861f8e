package wire

import (
	"strconv"
	"unicode/utf8"
)

// Form is how a body is written.
type Form uint8

// The two forms of fastjson that RocketMQ uses.
const (
	// Plain is fastjson's default: numbers as member names stand without
	// quotes, so it is not JSON.
	Plain Form = iota
	// Standard is JSON in ASCII (Java: SerializerFeature.BrowserCompatible
	// and QuoteFieldNames).
	Standard
)

// versionStandard is V4_9_4, the first client version that gets routes in the
// Standard form without asking for it.
const versionStandard = 401

// FormFor returns the form of a route for a client of that version, which may
// have asked for Standard (request header acceptStandardJsonOnly).
func FormFor(version int32, acceptStandardJSONOnly bool) Form {
	if version >= versionStandard || acceptStandardJSONOnly {
		return Standard
	}
	return Plain
}

// comma appends a comma unless nothing was appended since start.
func comma(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return dst
}

// appendKey appends a number as a member name, with the colon.
func appendKey(dst []byte, n int64, form Form) []byte {
	if form == Plain {
		dst = strconv.AppendInt(dst, n, 10)
		return append(dst, ':')
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '"', ':')
}

// appendInt64 appends a number. Standard puts those in quotes that a JavaScript
// number could not hold.
func appendInt64(dst []byte, n int64, form Form) []byte {
	const exact = 1<<53 - 1
	if form == Standard && (n > exact || n < -exact) {
		dst = append(dst, '"')
		dst = strconv.AppendInt(dst, n, 10)
		return append(dst, '"')
	}
	return strconv.AppendInt(dst, n, 10)
}

// asIs has the ASCII bytes that need no escape, for each form.
var asIs = func() (t [2][256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[Plain][c] = c != '"' && c != '\\'
		t[Standard][c] = t[Plain][c] && c != '/'
	}
	return t
}()

// appendString appends s in quotes, escaped as fastjson's SerializeWriter does.
// Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string, form Form) []byte {
	safe := &asIs[form]
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if safe[s[i]] {
			i++
			continue
		}
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		dst = append(dst, s[from:i]...)
		dst = appendRune(dst, r, form)
		i += n
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendRune appends a character that may need an escape.
func appendRune(dst []byte, r rune, form Form) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '/':
		return append(dst, '\\', '/')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	switch {
	case r < ' ', r >= 0x7f && r <= 0x9f, r == '\u2028', r == '\u2029':
		return appendUnicode(dst, r)
	case form == Plain:
		return utf8.AppendRune(dst, r)
	case r > 0xffff:
		r -= 0x10000
		dst = appendUnicode(dst, 0xd800+r>>10)
		return appendUnicode(dst, 0xdc00+r&0x3ff)
	default:
		return appendUnicode(dst, r)
	}
}

func appendUnicode(dst []byte, r rune) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// appendStrings appends a list of strings.
func appendStrings(dst []byte, list []string, form Form) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s, form)
	}
	return append(dst, ']')
}
