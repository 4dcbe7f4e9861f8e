package wire

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape reads the rest of a string that has an escape at b[at].
func (s *scanner) unescape(from, at int, quote byte) []byte {
	out := append(s.unescaped[:0], s.b[from:at]...)
	for i := at; i < len(s.b); {
		c := s.b[i]
		if c == quote {
			s.pos, s.unescaped = i+1, out
			return out
		}
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		if i+1 == len(s.b) {
			break
		}
		switch c = s.b[i+1]; c {
		case '"', '\\', '/', '\'':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n := unicodeEscape(s.b[i:])
			if n == 0 {
				s.pos = i
				s.fail(`has a bad \u escape`)
				return nil
			}
			out = utf8.AppendRune(out, r)
			i += n
			continue
		default:
			s.pos = i
			s.fail("has an unknown escape")
			return nil
		}
		i += 2
	}
	s.fail("is a string without an end")
	return nil
}

// unicodeEscape reads the \uXXXX at the start of b, or two of them that make
// one character, and returns how many bytes that took; 0 if it is none. Half
// of a pair becomes U+FFFD.
func unicodeEscape(b []byte) (rune, int) {
	hi, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(hi) {
		return hi, 6
	}
	if lo, ok := hex4(b[6:]); ok {
		if r := utf16.DecodeRune(hi, lo); r != utf8.RuneError {
			return r, 12
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads the number of a \uXXXX.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
