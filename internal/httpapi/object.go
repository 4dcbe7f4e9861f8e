package httpapi

import (
	"encoding/json"
	"errors"
	"unicode/utf8"

	"signpost/core"
	"signpost/internal/wire"
)

// maxDepth bounds the nesting of a value. The deepest that is read has 5.
const maxDepth = 64

// members says how to read the members of a JSON object. Others, and those
// that are there twice, are refused.
type members map[string]func(value []byte) error

// readObject reads the members of the JSON object that body is. The values are
// handed over as they stand in the text: whoever takes one checks that it is
// JSON. path goes before the names in errors.
//
// encoding/json alone would take names in any case and the last of several
// values, and would look at each byte of a large registration three times.
func readObject(body []byte, path string, m members) error {
	s := scanner{b: body, path: path}
	if path == "" && !utf8.Valid(body) {
		return s.wrong("body", "is not UTF-8")
	}
	seen := make(map[string]bool, len(m))
	if s.next() != '{' {
		return s.wrong("body", "is not a JSON object")
	}
	s.pos++
	for first := true; ; first = false {
		switch c := s.next(); {
		case c == '}' && first:
			s.pos++
			return s.end()
		case c != '"':
			return s.wrong("body", "is not JSON: a member's name is missing")
		}
		raw, ok := s.value()
		var name string
		if !ok || json.Unmarshal(raw, &name) != nil {
			return s.wrong("body", "is not JSON: a member's name has no end")
		}
		if s.next() != ':' {
			return s.wrong(clipName(name), "is not followed by a colon")
		}
		s.pos++
		read := m[name]
		switch {
		case read == nil:
			return s.wrong(clipName(name), "is no member of this")
		case seen[name]:
			return s.wrong(name, "is there twice")
		}
		seen[name] = true
		value, ok := s.value()
		if !ok {
			return s.wrong(name, "is not a JSON value")
		}
		if err := read(value); err != nil {
			return s.at(name, err)
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return s.end()
		default:
			return s.wrong(name, "is not followed by a comma")
		}
	}
}

// readList reads the elements of the JSON array that value is, of which there
// may be most.
func readList(value []byte, what string, most int, element func(i int, value []byte) error) error {
	s := scanner{b: value}
	if s.next() != '[' {
		return errors.New("is not a list")
	}
	s.pos++
	for i := 0; ; i++ {
		if s.next() == ']' && i == 0 {
			return nil
		}
		if i == most {
			return &wire.LimitError{What: what, Max: most}
		}
		value, ok := s.value()
		if !ok {
			return errors.New("is not a JSON list")
		}
		if err := element(i, value); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.pos++
		case ']':
			return nil
		default:
			return errors.New("is not a JSON list")
		}
	}
}

// clipName is clip for a member's name, which stays as it is if it is one.
func clipName(name string) string {
	if name != "" && len(name) <= maxToken && checkToken("", name) == nil {
		return name
	}
	return clip(name)
}

// scanner passes over JSON values without reading them.
type scanner struct {
	b    []byte
	pos  int
	path string
}

func (s *scanner) wrong(name, reason string) error {
	if name == "body" && s.path != "" {
		return &core.FieldError{Field: s.path, Reason: reason}
	}
	return s.at(name, errors.New(reason))
}

// at names the member that an error is about, unless it does so itself.
func (s *scanner) at(name string, err error) error {
	var field *core.FieldError
	var limit *wire.LimitError
	if errors.As(err, &field) || errors.As(err, &limit) {
		return err
	}
	if s.path != "" {
		name = s.path + "." + name
	}
	return &core.FieldError{Field: name, Reason: err.Error()}
}

// next moves to the next byte that is no white space; 0 at the end.
func (s *scanner) next() byte {
	for ; s.pos < len(s.b); s.pos++ {
		switch c := s.b[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) end() error {
	if s.next(); s.pos < len(s.b) {
		return s.wrong("body", "goes on after its end")
	}
	return nil
}

// value passes over the next value and returns its text.
func (s *scanner) value() ([]byte, bool) {
	c := s.next()
	from := s.pos
	ok := true
	switch c {
	case '"':
		ok = s.text()
	case '{', '[':
		ok = s.nested()
	default:
		for s.pos < len(s.b) && !endsWord[s.b[s.pos]] {
			s.pos++
		}
	}
	return s.b[from:s.pos], ok && s.pos > from
}

// text passes over a string.
func (s *scanner) text() bool {
	for i := s.pos + 1; i < len(s.b); i++ {
		switch s.b[i] {
		case '"':
			s.pos = i + 1
			return true
		case '\\':
			i++
		}
	}
	return false
}

// nested passes over an object or an array.
func (s *scanner) nested() bool {
	var open [maxDepth]byte
	for depth := 0; s.pos < len(s.b); s.pos++ {
		switch c := s.b[s.pos]; c {
		case '"':
			if !s.text() {
				return false
			}
			s.pos--
		case '{', '[':
			if depth == maxDepth {
				return false
			}
			open[depth] = c + 2 // the bracket that closes it, in ASCII
			depth++
		case '}', ']':
			depth--
			if open[depth] != c {
				return false
			}
			if depth == 0 {
				s.pos++
				return true
			}
		}
	}
	return false
}

// endsWord has the bytes that end a number or a literal.
var endsWord = func() (t [256]bool) {
	for _, c := range []byte(",:{}[]\" \t\n\r") {
		t[c] = true
	}
	return t
}()
