package remoting

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// decodeJSON reads a header in JSON about as leniently as the fastjson of a
// Java server: members that are not known are skipped whatever they hold,
// integers may stand in quotes or have a fraction (which is cut off), fields
// may hold other values than strings (which become their text) or null (which
// leaves them out), keys may stand without quotes, strings in single ones,
// commas may be repeated, control characters may stand in strings, members may
// be spelt Code or ext_fields. Not taken over are comments, and the syntax
// errors that fastjson happens to survive.
//
// The member serializeTypeCurrentRPC is not looked at: the frame says how the
// header is encoded. What is not UTF-8 is replaced, as 4.x does; 5.3.3 closes
// the connection.
func decodeJSON(s string, c *Command, spare Fields) error {
	p := parser{s: validUTF8(s)}
	if err := p.open(); err != nil {
		return err
	}
	for {
		key, err := p.member()
		if err != nil {
			return err
		}
		if p.closed {
			break
		}
		switch memberName(key) {
		case "code":
			var n int32
			n, err = p.int32()
			c.Code = Code(n)
		case "version":
			c.Version, err = p.int32()
		case "opaque":
			c.Opaque, err = p.int32()
		case "flag":
			c.Flag, err = p.int32()
		case "language":
			var name string
			name, _, err = p.text()
			c.Language = languageName(languageNumber(name))
		case "remark":
			c.Remark, _, err = p.text()
		case "extFields":
			c.ExtFields, err = p.fields(spare)
		default:
			err = p.skip()
		}
		if err != nil {
			return err
		}
	}
	if p.space(); p.i < len(p.s) {
		return p.errorf("the header should end")
	}
	return nil
}

// memberName returns the name of the member that fastjson takes key for: it
// prefers the exact name, but lets upper case, '_' and '-' pass.
func memberName(key string) string {
	switch key {
	case "code", "version", "opaque", "flag", "language", "remark", "extFields", "serializeTypeCurrentRPC":
		return key
	}
	for _, name := range [...]string{"code", "version", "opaque", "flag", "language", "remark", "extFields"} {
		if likeName(key, name) {
			return name
		}
	}
	return ""
}

// likeName compares letters without regard to case and skips what stands
// between words.
func likeName(key, name string) bool {
	n := 0
	for i := range len(key) {
		c := key[i]
		if c == '_' || c == '-' {
			continue
		}
		// Names have letters only, so that 0x20 is their case and nothing else.
		if n == len(name) || c|0x20 != name[n]|0x20 {
			return false
		}
		n++
	}
	return n == len(name)
}

// parser reads s from i on. Every method either moves i forward or fails, and
// none moves it beyond the end: its loops end by themselves.
type parser struct {
	s      string
	i      int
	first  bool // no member of the object was read yet
	closed bool // member met the end of the object
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: JSON, byte %d of %d: %s", ErrBadHeader, p.i, len(p.s), fmt.Sprintf(format, args...))
}

// peek returns the next byte, and 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// space skips what fastjson takes for white space.
func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\v', '\f', '\r', '\b':
			p.i++
		default:
			return
		}
	}
}

// open consumes the brace that starts an object.
func (p *parser) open() error {
	p.space()
	if p.peek() != '{' {
		return p.errorf("an object should start")
	}
	p.i++
	p.first, p.closed = true, false
	return nil
}

// member consumes up to the next member's value and returns its key, or sets
// closed and consumes the closing brace.
func (p *parser) member() (key string, err error) {
	comma := p.first
	p.first = false
	for p.space(); p.peek() == ','; p.space() {
		comma = true
		p.i++
	}
	switch c := p.peek(); {
	case c == '}':
		p.i++
		p.closed = true
		return "", nil
	case !comma:
		return "", p.errorf("a comma or the end of the object should follow")
	case c == '"' || c == '\'':
		key, err = p.quoted()
	default:
		key, err = p.word()
	}
	if err != nil {
		return "", err
	}
	p.space()
	if p.peek() != ':' {
		return "", p.errorf("a colon should follow the key")
	}
	p.i++
	p.space()
	return key, nil
}

// word consumes what stands without quotes: a key, a number, true, false, null.
func (p *parser) word() (string, error) {
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '_', c == '$', c == '-', c == '+', c == '.', c >= utf8.RuneSelf:
			p.i++
			continue
		}
		break
	}
	if p.i == start {
		return "", p.errorf("a key or a value should follow")
	}
	return p.s[start:p.i], nil
}

// text consumes any value and returns its text; ok is false for null.
func (p *parser) text() (text string, ok bool, err error) {
	switch p.peek() {
	case '"', '\'':
		text, err = p.quoted()
		return text, err == nil, err
	case '{', '[':
		start := p.i
		err = p.skip()
		return p.s[start:p.i], err == nil, err
	}
	at := p.i
	text, err = p.word()
	if err != nil {
		return "", false, err
	}
	switch c := text[0]; {
	case isNull(text):
		return "", false, nil
	case text == "true", text == "false", c == '-', c == '+', '0' <= c && c <= '9':
		return text, true, nil
	}
	p.i = at
	return "", false, p.errorf("a value should follow")
}

// isNull tells the words that fastjson reads as null.
func isNull(word string) bool { return word == "null" || word == "undefined" || word == "NaN" }

// int32 consumes an integer, in quotes or not; null and "" count as 0.
func (p *parser) int32() (int32, error) {
	at := p.i
	var text string
	var err error
	if c := p.peek(); c == '"' || c == '\'' {
		text, err = p.quoted()
	} else {
		text, err = p.word()
	}
	if err != nil {
		return 0, err
	}
	if n, ok := parseInt32(text); ok {
		return n, nil
	}
	p.i = at
	return 0, p.errorf("an integer of 32 bits should follow")
}

func parseInt32(text string) (n int32, ok bool) {
	if text == "" || isNull(text) {
		return 0, true
	}
	if v, err := strconv.ParseInt(text, 10, 32); err == nil {
		return int32(v), true
	}
	if c := text[len(text)-1]; c < '0' || c > '9' {
		return 0, false // also NaN and Inf, which ParseFloat knows
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v <= -1<<31-1 || v >= 1<<31 {
		return 0, false
	}
	return int32(v), true
}

// fields consumes the object of the extFields, or null.
func (p *parser) fields(spare Fields) (Fields, error) {
	if p.peek() == 'n' {
		_, isNot, err := p.text()
		if err == nil && isNot {
			err = p.errorf("an object should start")
		}
		return nil, err
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	fields := spare.present()
	for {
		key, err := p.member()
		if err != nil {
			return nil, err
		}
		if p.closed {
			p.closed = false // of the fields, not of the header
			return fields, nil
		}
		value, ok, err := p.text()
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(fields) == maxFields {
			return nil, p.errorf("more than %d extFields", maxFields)
		}
		fields = fields.add(key, value)
	}
}

// skip consumes any value. Inside objects and arrays it looks at nothing but
// their ends and at strings, so that it never gets lost.
func (p *parser) skip() error {
	var closers [maxDepth]byte
	depth := 0
	for {
		switch c := p.peek(); c {
		case '{', '[':
			if depth == maxDepth {
				return p.errorf("values are nested more than %d deep", maxDepth)
			}
			closers[depth] = c + 2 // '}' and ']' in ASCII
			depth++
			p.i++
		case '}', ']':
			if depth == 0 || closers[depth-1] != c {
				return p.errorf("a value should follow")
			}
			depth--
			p.i++
		case ',', ':':
			if depth == 0 {
				return p.errorf("a value should follow")
			}
			p.i++
		case '"', '\'':
			if err := p.skipQuoted(); err != nil {
				return err
			}
		default:
			if _, err := p.word(); err != nil {
				return err
			}
		}
		if depth == 0 {
			return nil
		}
		p.space()
	}
}
