package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/magiconair/properties"
)

// maxPropertiesBytes bounds a properties text, from a file or from remote. A
// NameServer's file has some hundred bytes.
const maxPropertiesBytes = 1 << 20

var errTooLong = errors.New("is longer than 1 MiB")

// parseProperties reads text as java.util.Properties.load does. encoding is
// ISO_8859_1 for files, as Java reads them, whatever the file was written in;
// a request's body is UTF-8.
//
// The library is given whole logical lines: by itself it does not join lines
// ended by CR LF, refuses a backslash at the end of the text, and refuses an
// empty key and leaves a goroutine behind then. Java keeps an empty key; it
// names nothing, and is left out here. One difference stays: of a character
// that was escaped as two surrogates the library makes two U+FFFD.
func parseProperties(text []byte, encoding properties.Encoding) (map[string]string, error) {
	if len(text) > maxPropertiesBytes {
		return nil, errTooLong
	}
	var joined bytes.Buffer
	for _, l := range logicalLines(text) {
		l.appendTo(&joined)
	}
	loader := properties.Loader{Encoding: encoding, DisableExpansion: true}
	p, err := loader.LoadBytes(joined.Bytes())
	if err != nil {
		return nil, fmt.Errorf("malformed properties: %w", err)
	}
	entries := p.Map()
	delete(entries, noKey)
	return entries, nil
}

// noKey stands for the empty key while the library reads.
const noKey = "\x00"

// logicalLine is one entry of a properties text: what java.util.Properties
// calls a logical line, with its continuations joined.
type logicalLine struct {
	start, end int    // its bytes in the text, line ends included
	joined     []byte // without line ends and leading white space
}

// appendTo writes the line for the library to read, with a key if it has none.
func (l logicalLine) appendTo(b *bytes.Buffer) {
	if c := l.joined[0]; c == '=' || c == ':' {
		b.WriteString(noKey)
	}
	b.Write(l.joined)
	b.WriteByte('\n')
}

// logicalLines finds the entries of a properties text, leaving out blank lines
// and comments, by the rules of java.util.Properties.load: a line ends with CR,
// LF or CR LF; one that ends with an odd number of backslashes goes on in the
// next, whose leading white space is dropped; a comment never goes on.
func logicalLines(text []byte) []logicalLine {
	var out []logicalLine
	for pos := 0; pos < len(text); {
		l := logicalLine{start: pos}
		for more := true; more && pos < len(text); {
			var natural []byte
			natural, pos = cutLine(text, pos)
			natural = bytes.TrimLeft(natural, " \t\f")
			if len(l.joined) == 0 && len(natural) > 0 && (natural[0] == '#' || natural[0] == '!') {
				break
			}
			natural, more = cutContinuation(natural)
			l.joined = append(l.joined, natural...)
		}
		l.end = pos
		if len(l.joined) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// cutLine returns the natural line that starts at pos, without its end, and
// where the next one starts.
func cutLine(text []byte, pos int) (line []byte, next int) {
	n := bytes.IndexAny(text[pos:], "\r\n")
	if n < 0 {
		return text[pos:], len(text)
	}
	line, next = text[pos:pos+n], pos+n+1
	if text[pos+n] == '\r' && next < len(text) && text[next] == '\n' {
		next++
	}
	return line, next
}

// cutContinuation drops the backslash that joins a line with the next and
// reports whether there was one.
func cutContinuation(line []byte) ([]byte, bool) {
	slashes := len(line) - len(bytes.TrimRight(line, `\`))
	if slashes%2 == 0 {
		return line, false
	}
	return line[:len(line)-1], true
}
