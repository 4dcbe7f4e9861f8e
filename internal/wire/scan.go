package wire

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"signpost/core"
)

// scanner reads one JSON text, member by member, without building a tree. Its
// first error stays: every later call returns the zero value at once, so that
// callers read in a straight column and look at err in the end.
//
// It takes what fastjson takes of what peers could send: names in double,
// single or no quotes, more commas than needed, and control characters in
// strings. It does not guess names that are spelt differently, as fastjson does.
type scanner struct {
	b     []byte
	pos   int
	err   error
	first bool // no comma is due: an object or array was just entered

	// The name of the member being read, for errors: b[nameFrom:nameTo].
	nameFrom, nameTo int
	// unescaped holds the last string that had an escape in it.
	unescaped []byte
}

// newScanner starts at a JSON text, which must be UTF-8. (Java: fastjson makes
// a null of a body that is not.)
func newScanner(body []byte) *scanner {
	s := &scanner{b: bytes.TrimPrefix(body, []byte("\ufeff"))}
	if !utf8.Valid(s.b) {
		s.fail("is not UTF-8")
	}
	return s
}

// fail keeps the first error and moves to the end, where every loop stops.
func (s *scanner) fail(reason string) {
	const longest = 64 // of a name in an error
	name := "body"
	if s.nameFrom < s.nameTo {
		name = strings.ToValidUTF8(string(s.b[s.nameFrom:min(s.nameTo, s.nameFrom+longest)]), "")
	}
	s.failField(name, reason)
}

// failField is fail for a member that is not the one being read.
func (s *scanner) failField(name, reason string) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %w", ErrDecode, &core.FieldError{Field: name, Reason: fmt.Sprintf("%s at byte %d", reason, s.pos)})
	}
	s.pos = len(s.b)
}

// limit reports that there is too much of something.
func (s *scanner) limit(what string, most int) {
	if s.err == nil {
		s.err = &LimitError{What: what, Max: most}
	}
	s.pos = len(s.b)
}

// peek moves to the next byte that is no white space; 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// object enters an object.
func (s *scanner) object() {
	if s.peek() != '{' {
		s.fail("is not an object")
		return
	}
	s.pos++
	s.first = true
}

// list enters an array.
func (s *scanner) list() {
	if s.peek() != '[' {
		s.fail("is not a list")
		return
	}
	s.pos++
	s.first = true
}

// member moves to the value of the next member of the open object and returns
// the member's name, which is good until the next call. It leaves the object
// and returns false when there is none.
func (s *scanner) member() (name []byte, ok bool) {
	c := s.separator('}')
	from := s.pos
	switch c {
	case '}':
		s.pos++
		return nil, false
	case 0:
		s.nameTo = s.nameFrom
		s.fail("ends within an object")
		return nil, false
	case '"', '\'':
		name = s.quoted(c)
		s.nameFrom, s.nameTo = from+1, s.pos-1
	default:
		name = s.bare()
		s.nameFrom, s.nameTo = from, s.pos
	}
	if s.peek() != ':' {
		s.fail("has no value")
		return nil, false
	}
	s.pos++
	return name, true
}

// element moves to the next element of the open array. It leaves the array and
// returns false when there is none.
func (s *scanner) element() bool {
	switch s.separator(']') {
	case ']':
		s.pos++
		return false
	case 0:
		s.nameTo = s.nameFrom
		s.fail("ends within a list")
		return false
	}
	return true
}

// separator moves over the commas before the next member or element, of which
// there must be one unless it is the first or the end, and returns what is next.
func (s *scanner) separator(end byte) byte {
	c := s.peek()
	due := !s.first && c != end
	s.first = false
	for c == ',' {
		due = false
		s.pos++
		c = s.peek()
	}
	if due && c != 0 {
		s.fail("is not followed by a comma")
		return 0
	}
	return c
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.b) {
		s.nameTo = s.nameFrom
		s.fail("goes on after its end")
	}
	return s.err
}

// null reads a null, if there is one.
func (s *scanner) null() bool {
	if s.peek() != 'n' || !bytes.HasPrefix(s.b[s.pos:], []byte("null")) {
		return false
	}
	s.pos += len("null")
	return true
}

// quoted reads the string that starts here, without its quotes. It is good
// until the next string is read.
func (s *scanner) quoted(quote byte) []byte {
	from := s.pos + 1
	for i := from; i < len(s.b); i++ {
		switch s.b[i] {
		case quote:
			s.pos = i + 1
			return s.b[from:i]
		case '\\':
			return s.unescape(from, i, quote)
		}
	}
	s.fail("is a string without an end")
	return nil
}

// bare reads a word without quotes.
func (s *scanner) bare() []byte {
	s.peek()
	from := s.pos
	for s.pos < len(s.b) && !ends[s.b[s.pos]] {
		s.pos++
	}
	if s.pos == from {
		s.fail("is missing")
		return nil
	}
	return s.b[from:s.pos]
}

// ends has the bytes that end a word without quotes.
var ends = bytesIn(",:{}[]\"' \t\n\r")

func bytesIn(s string) (t [256]bool) {
	for _, c := range []byte(s) {
		t[c] = true
	}
	return t
}
