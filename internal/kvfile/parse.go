package kvfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep values may be nested that are not part of the
// table itself.
const maxDepth = 64

// syntaxError is the first place where the text is not a KV table.
type syntaxError struct {
	offset int
	reason string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.offset, e.reason) }

// parse reads the text of a KV file. encoding/json is too strict for it: Java
// reads the file with fastjson, which takes what people write by hand into it
// (comments, commas too many, single quotes, names without quotes, line ends
// in strings), and it is too lax: it would let text in another character set
// pass as U+FFFD.
func parse(data []byte) (map[string]map[string]string, error) {
	if at := firstInvalid(data); at >= 0 {
		return nil, &syntaxError{at, "not UTF-8 (Java 4.x wrote in the character set of its platform: convert the file)"}
	}
	p := &parser{data: data}
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		p.pos = len("\uFEFF")
	}
	table := map[string]map[string]string{}
	if err := p.file(&table); err != nil {
		return nil, err
	}
	// A file that a crash left longer than its text ends in zero bytes.
	if rest := bytes.TrimRight(p.data[p.pos:], "\x00"); len(rest) > 0 {
		return nil, p.fail("%s after the end", describe(rest))
	}
	return table, nil
}

type parser struct {
	data []byte
	pos  int
}

func (p *parser) fail(format string, args ...any) error {
	return &syntaxError{p.pos, fmt.Sprintf(format, args...)}
}

// file reads the outermost object. As with Java's setter, the last of several
// configTable members counts, and the case of its name does not matter.
func (p *parser) file(table *map[string]map[string]string) error {
	if err := p.space(); err != nil {
		return err
	}
	if !p.null() {
		err := p.object("the file", func(name string, _ bool) error {
			if !strings.EqualFold(name, "configTable") {
				return p.skip(0)
			}
			*table = map[string]map[string]string{}
			if p.null() {
				return nil
			}
			return p.object("configTable", func(namespace string, named bool) error {
				return p.namespace(*table, namespace, named)
			})
		})
		if err != nil {
			return err
		}
	}
	return p.space()
}

// namespace reads one namespace into table. Of two with one name the last
// counts.
func (p *parser) namespace(table map[string]map[string]string, namespace string, named bool) error {
	if p.null() {
		return nil
	}
	entries := map[string]string{}
	err := p.object("namespace "+strconv.Quote(namespace), func(key string, keyed bool) error {
		value, present, err := p.value()
		if err == nil && present && keyed {
			entries[key] = value
		}
		return err
	})
	if err == nil && named {
		table[namespace] = entries
	}
	return err
}

// object reads an object and calls member at the value of each of its
// members, which member has to read. named is false for the key null, which
// Java writes for an entry that was stored without one. Commas too many are
// skipped.
func (p *parser) object(what string, member func(name string, named bool) error) error {
	if p.peek() != '{' {
		return p.fail("%s where %s should begin with {", p.here(), what)
	}
	p.pos++
	for first := true; ; first = false {
		comma, err := p.commas()
		if err != nil {
			return err
		}
		if p.peek() == '}' {
			p.pos++
			return nil
		}
		if !first && !comma {
			return p.fail("%s where , or } should continue %s", p.here(), what)
		}
		name, named, err := p.name()
		if err != nil {
			return err
		}
		if err := p.space(); err != nil {
			return err
		}
		if p.peek() != ':' {
			return p.fail("%s where : should follow the name %q", p.here(), name)
		}
		p.pos++
		if err := p.space(); err != nil {
			return err
		}
		if err := member(name, named); err != nil {
			return err
		}
	}
}

// commas skips commas, spaces and comments, and reports whether there was a
// comma.
func (p *parser) commas() (bool, error) {
	for comma := false; ; comma = true {
		if err := p.space(); err != nil {
			return comma, err
		}
		if p.peek() != ',' {
			return comma, nil
		}
		p.pos++
	}
}

// name reads the name of a member.
func (p *parser) name() (name string, named bool, err error) {
	if c := p.peek(); c == '"' || c == '\'' {
		name, err = p.text()
		return name, true, err
	}
	word := p.word()
	if word == "" || word[0] >= '0' && word[0] <= '9' {
		p.pos -= len(word)
		return "", false, p.fail("%s where a name should begin", p.here())
	}
	return word, word != "null", nil
}

// value reads the value of a key. present is false for null.
func (p *parser) value() (value string, present bool, err error) {
	start := p.pos
	switch c := p.peek(); {
	case c == '"' || c == '\'':
		value, err = p.text()
		return value, true, err
	case c == '{' || c == '[':
		// Java stores the text of a nested value.
		if err := p.skip(0); err != nil {
			return "", false, err
		}
		var text bytes.Buffer
		if err := json.Compact(&text, p.data[start:p.pos]); err != nil {
			p.pos = start
			return "", false, p.fail("a nested value that is not plain JSON: %v", err)
		}
		return text.String(), true, nil
	default:
		value, err = p.scalar()
		return value, value != "null", err
	}
}

// skip reads over one value of any kind.
func (p *parser) skip(depth int) error {
	if depth == maxDepth {
		return p.fail("nested deeper than %d", maxDepth)
	}
	switch p.peek() {
	case '{':
		return p.object("a value", func(string, bool) error { return p.skip(depth + 1) })
	case '[':
		p.pos++
		for first := true; ; first = false {
			comma, err := p.commas()
			if err != nil {
				return err
			}
			if p.peek() == ']' {
				p.pos++
				return nil
			}
			if !first && !comma {
				return p.fail("%s where , or ] should continue a list", p.here())
			}
			if err := p.skip(depth + 1); err != nil {
				return err
			}
		}
	case '"', '\'':
		_, err := p.text()
		return err
	default:
		_, err := p.scalar()
		return err
	}
}

// scalar reads null, a boolean or a number and returns it as written.
func (p *parser) scalar() (string, error) {
	start := p.pos
	if c := p.peek(); c == '-' || c == '+' {
		p.pos++
	}
	word := p.word()
	for p.pos < len(p.data) && word != "" && strings.IndexByte(".+-", p.data[p.pos]) >= 0 {
		p.pos++
		p.word()
	}
	text := string(p.data[start:p.pos])
	switch text {
	case "null", "true", "false":
		return text, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil && !isRange(err) || !isDecimal(text) {
		p.pos = start
		return "", p.fail("%s where a value should begin", p.here())
	}
	return text, nil
}

// isRange reports whether a number was refused only for being too large for
// a float: its digits are kept as text all the same.
func isRange(err error) bool {
	numError, ok := err.(*strconv.NumError)
	return ok && numError.Err == strconv.ErrRange
}

// isDecimal reports whether text consists of what decimal numbers are made of,
// which leaves out the other forms that ParseFloat takes (0x1p4, Inf, 1_000).
func isDecimal(text string) bool {
	return text != "" && strings.Trim(text, "0123456789+-.eE") == ""
}

// text reads a quoted string. Control characters may stand in it as they are.
func (p *parser) text() (string, error) {
	start, quote := p.pos, p.data[p.pos]
	p.pos++
	var text []byte
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; c {
		case quote:
			p.pos++
			return string(text), nil
		case '\\':
			var err error
			if text, err = p.escape(text); err != nil {
				return "", err
			}
		default:
			text = append(text, c)
			p.pos++
		}
	}
	p.pos = start
	return "", p.fail("a string without its closing quote")
}

// escape reads one escape sequence and appends what it stands for.
func (p *parser) escape(text []byte) ([]byte, error) {
	if p.pos+1 >= len(p.data) {
		return nil, p.fail("the text ends in an escape sequence")
	}
	c := p.data[p.pos+1]
	if c == 'u' {
		r, ok := p.unit(p.pos)
		if !ok {
			return nil, p.fail(`\u without four hexadecimal digits`)
		}
		p.pos += 6
		if utf16.IsSurrogate(r) {
			low, _ := p.unit(p.pos)
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				p.pos += 6
			}
		}
		return utf8.AppendRune(text, r), nil
	}
	const names, meanings = `"'\/bfnrt`, "\"'\\/\b\f\n\r\t"
	i := strings.IndexByte(names, c)
	if i < 0 {
		return nil, p.fail("an unknown escape sequence")
	}
	p.pos += 2
	return append(text, meanings[i]), nil
}

// unit reads the UTF-16 unit of the \uXXXX at offset at, if there is one.
func (p *parser) unit(at int) (rune, bool) {
	if at+6 > len(p.data) || p.data[at] != '\\' || p.data[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.data[at+2:at+6]), 16, 16)
	return rune(n), err == nil
}

// null reads the word null if it stands here as a value.
func (p *parser) null() bool {
	start := p.pos
	if p.word() == "null" {
		return true
	}
	p.pos = start
	return false
}

// word reads letters, digits, _ and $.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' {
			p.pos++
			continue
		}
		break
	}
	return string(p.data[start:p.pos])
}

// space skips white space and comments.
func (p *parser) space() error {
	for p.pos < len(p.data) {
		rest := p.data[p.pos:]
		switch {
		case strings.IndexByte(" \t\r\n\f\b", rest[0]) >= 0:
			p.pos++
		case bytes.HasPrefix(rest, []byte("//")):
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			p.pos += end
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest[2:], []byte("*/"))
			if end < 0 {
				return p.fail("a comment without its end")
			}
			p.pos += 2 + end + 2
		default:
			return nil
		}
	}
	return nil
}

// peek returns the byte that comes next, or 0 at the end.
func (p *parser) peek() byte {
	if p.pos >= len(p.data) {
		return 0
	}
	return p.data[p.pos]
}

// here names what comes next, for an error.
func (p *parser) here() string { return describe(p.data[p.pos:]) }

func describe(rest []byte) string {
	if len(rest) == 0 {
		return "the end of the file"
	}
	r, _ := utf8.DecodeRune(rest)
	return strconv.QuoteRune(r)
}
