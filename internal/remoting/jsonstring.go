package remoting

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted consumes a string in either kind of quotes. It copies only if there
// is something to unescape.
func (p *parser) quoted() (string, error) {
	quote := p.s[p.i]
	start := p.i + 1
	for j := start; j < len(p.s); j++ {
		switch p.s[j] {
		case quote:
			p.i = j + 1
			return p.s[start:j], nil
		case '\\':
			p.i = start
			return p.unescape(quote, j)
		}
	}
	return "", p.errorf("the string does not end")
}

// unescape consumes the rest of a string that starts at i and has its first
// backslash at j. A lone surrogate becomes U+FFFD.
func (p *parser) unescape(quote byte, j int) (string, error) {
	b := append(make([]byte, 0, 2*(j-p.i)+16), p.s[p.i:j]...)
	for p.i = j; p.i < len(p.s); {
		c := p.s[p.i]
		p.i++
		if c == quote {
			return string(b), nil
		}
		if c != '\\' {
			b = append(b, c)
			continue
		}
		c = p.peek()
		p.i++
		switch c {
		case '"', '\'', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'v':
			b = append(b, '\v')
		case '0', '1', '2', '3', '4', '5', '6', '7':
			b = append(b, c-'0')
		case 'x':
			r, ok := p.hex(2)
			if !ok {
				return "", p.errorf(`two hexadecimal digits should follow \x`)
			}
			b = utf8.AppendRune(b, r)
		case 'u':
			r, ok := p.hex(4)
			if !ok {
				return "", p.errorf(`four hexadecimal digits should follow \u`)
			}
			b = utf8.AppendRune(b, p.surrogate(r))
		default:
			p.i--
			return "", p.errorf("unknown escape")
		}
	}
	return "", p.errorf("the string does not end")
}

// hex consumes n hexadecimal digits.
func (p *parser) hex(n int) (rune, bool) {
	if len(p.s)-p.i < n {
		return 0, false
	}
	v, err := strconv.ParseUint(p.s[p.i:p.i+n], 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += n
	return rune(v), true
}

// surrogate completes r with the other half of its pair, if it is one half and
// the other one follows.
func (p *parser) surrogate(r rune) rune {
	if !utf16.IsSurrogate(r) {
		return r
	}
	at := p.i
	if p.peek() == '\\' && at+1 < len(p.s) && p.s[at+1] == 'u' {
		p.i += 2
		if low, ok := p.hex(4); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair
			}
		}
		p.i = at
	}
	return utf8.RuneError
}

// skipQuoted consumes a string without looking into its escapes.
func (p *parser) skipQuoted() error {
	quote := p.s[p.i]
	for j := p.i + 1; j < len(p.s); j++ {
		switch p.s[j] {
		case quote:
			p.i = j + 1
			return nil
		case '\\':
			j++
		}
	}
	return p.errorf("the string does not end")
}
