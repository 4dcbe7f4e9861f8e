package wire

import (
	"math"
	"slices"
	"strconv"
)

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
	word := s.word()
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

// word reads a value that stands without quotes: a number or a literal.
func (s *scanner) word() []byte {
	word := s.bare()
	if !isValue(word) && s.err == nil {
		s.fail("is not a value")
		return nil
	}
	return word
}

// isValue says whether a word could be a value: one of fastjson's literals, or
// made of what numbers are made of.
func isValue(word []byte) bool {
	switch string(word) {
	case "true", "false":
		return true
	}
	return blank(word) || !slices.ContainsFunc(word, func(c byte) bool { return !inNumbers[c] })
}

// inNumbers has the bytes that numbers are made of.
var inNumbers = bytesIn("0123456789+-.eE")
