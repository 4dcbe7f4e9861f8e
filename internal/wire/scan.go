package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"signpost/core"
)

// maxDepth bounds the nesting of a value that is skipped; nothing that is read
// nests deeper than its own type. (fastjson gives up at 512; RocketMQ needs 7.)
const maxDepth = 64

// scanner reads one JSON text, member by member, without building a tree. Its
// first error stays: every later call returns the zero value at once, so that
// callers read in a straight column and look at err in the end.
//
// It takes what fastjson takes of what peers could send: names in double,
// single or no quotes, any number of commas between members, and control
// characters in strings.
type scanner struct {
	b   []byte
	pos int
	err error

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
	s.failWith(fmt.Sprintf("%s at byte %d", reason, s.pos))
}

// failWith is fail without naming the place.
func (s *scanner) failWith(reason string) {
	const longest = 64 // of a name in an error
	if s.err == nil {
		name := "body"
		if s.nameFrom < s.nameTo {
			name = strings.ToValidUTF8(string(s.b[s.nameFrom:min(s.nameTo, s.nameFrom+longest)]), "")
		}
		s.err = fmt.Errorf("%w: %w", ErrDecode, &core.FieldError{Field: name, Reason: reason})
	}
	s.pos = len(s.b)
}

// failField reports a member that is not in the text.
func (s *scanner) failField(name, reason string) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %w", ErrDecode, &core.FieldError{Field: name, Reason: fmt.Sprintf("%s before byte %d", reason, s.pos)})
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
}

// list enters an array.
func (s *scanner) list() {
	if s.peek() != '[' {
		s.fail("is not a list")
		return
	}
	s.pos++
}

// member moves to the value of the next member of the open object and returns
// the member's name, which is good until the next call. It leaves the object
// and returns false when there is none.
func (s *scanner) member() (name []byte, ok bool) {
	c := s.peek()
	for c == ',' {
		s.pos++
		c = s.peek()
	}
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
	c := s.peek()
	for c == ',' {
		s.pos++
		c = s.peek()
	}
	switch c {
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

// bare reads a word without quotes: a number, a literal, or a name.
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
var ends = func() (t [256]bool) {
	for _, c := range []byte(",:{}[]\"' \t\n\r") {
		t[c] = true
	}
	return t
}()

// text reads a string; a number or a boolean counts as its text, and false
// stands for null. It is good until the next string is read.
func (s *scanner) text() ([]byte, bool) {
	switch c := s.peek(); c {
	case '"', '\'':
		return s.quoted(c), s.err == nil
	case '{', '[':
		s.fail("is not a string")
		return nil, false
	}
	word := s.bare()
	if blank(word) {
		return nil, false
	}
	return word, true
}

// blank says whether a word stands for no value.
func blank(word []byte) bool {
	switch string(word) {
	case "", "null", "undefined", "NaN":
		return true
	}
	return false
}

// boolean reads true or false, a number that is 1 for true, or either as a
// string. No value leaves unset.
func (s *scanner) boolean(unset bool) bool {
	word, ok := s.text()
	if !ok {
		return unset
	}
	switch string(word) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	s.fail("is neither true nor false")
	return unset
}

// int32 reads a number. No value leaves unset.
func (s *scanner) int32(unset int32) int32 {
	n := s.int64(int64(unset))
	if n < math.MinInt32 || n > math.MaxInt32 {
		s.fail("does not fit into 32 bits")
		return unset
	}
	return int32(n)
}

// int64 reads a number, which may be a string. No value leaves unset.
func (s *scanner) int64(unset int64) int64 {
	const digits = 18 // that many always fit
	negative := s.peek() == '-'
	i := s.pos
	if negative {
		i++
	}
	from, n := i, int64(0)
	for ; i < len(s.b) && i-from < digits && s.b[i]-'0' <= 9; i++ {
		n = n*10 + int64(s.b[i]-'0')
	}
	if i == from || i >= len(s.b) || !ends[s.b[i]] {
		return s.oddInt64(unset)
	}
	s.pos = i
	if negative {
		return -n
	}
	return n
}

// oddInt64 reads the numbers that are seldom seen: strings, fractions, which
// are cut off, and booleans.
func (s *scanner) oddInt64(unset int64) int64 {
	quoted := false
	switch s.peek() {
	case '{', '[':
		s.fail("is not a number")
		return unset
	case '"', '\'':
		quoted = true
	}
	word, ok := s.text()
	if !ok || blank(word) {
		return unset
	}
	if n, err := strconv.ParseInt(string(word), 10, 64); err == nil {
		return n
	}
	if !quoted {
		switch string(word) {
		case "true":
			return 1
		case "false":
			return 0
		}
		if f, err := strconv.ParseFloat(string(word), 64); err == nil && f > math.MinInt64 && f < math.MaxInt64 {
			return int64(f)
		}
	}
	s.fail("is not a number")
	return unset
}

// key32 reads a member name that is a number.
func (s *scanner) key32(name []byte) int32 {
	return int32(s.parseKey(name, 32))
}

// key64 reads a member name that is a number.
func (s *scanner) key64(name []byte) int64 {
	return s.parseKey(name, 64)
}

func (s *scanner) parseKey(name []byte, bits int) int64 {
	n, err := strconv.ParseInt(string(name), 10, bits)
	if err != nil {
		s.fail("is not a number")
	}
	return n
}

// skip passes over a value.
func (s *scanner) skip() {
	switch c := s.peek(); c {
	case '"', '\'':
		s.skipQuoted(c)
	case '{', '[':
		s.skipNested()
	default:
		s.bare()
	}
}

func (s *scanner) skipQuoted(quote byte) {
	for i := s.pos + 1; i < len(s.b); i++ {
		switch s.b[i] {
		case quote:
			s.pos = i + 1
			return
		case '\\':
			i++
		}
	}
	s.fail("is a string without an end")
}

// skipNested passes over an object or an array. The bits of open say which of
// the two each open level is.
func (s *scanner) skipNested() {
	var open uint64
	depth := 0
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case '{', '[':
			if depth++; depth > maxDepth {
				s.fail("nests too deep")
				return
			}
			open <<= 1
			if c == '{' {
				open |= 1
			}
		case '}', ']':
			if (c == '}') != (open&1 == 1) {
				s.fail("has brackets that do not match")
				return
			}
			open >>= 1
			if depth--; depth == 0 {
				s.pos++
				return
			}
		case '"', '\'':
			s.skipQuoted(c)
			continue
		}
		s.pos++
	}
	s.fail("has no end")
}
