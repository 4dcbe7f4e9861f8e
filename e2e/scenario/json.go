package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// parseJSON reads a body as Java's fastjson writes it. In its plain form
// integer keys, and the null key, stand without quotes; bare tells whether
// there were any.
func parseJSON(body []byte) (value any, bare bool, err error) {
	quoted, bare := quoteKeys(body)
	d := json.NewDecoder(bytes.NewReader(quoted))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, bare, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, bare, fmt.Errorf("more after the JSON value")
	}
	return value, bare, nil
}

// quoteKeys puts quotes around keys that have none: runs of letters, digits
// and signs that follow "{" or "," and end at ":".
func quoteKeys(b []byte) (out []byte, found bool) {
	out = make([]byte, 0, len(b)+16)
	inString := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		out = append(out, c)
		switch {
		case inString && c == '\\' && i+1 < len(b):
			i++
			out = append(out, b[i])
		case c == '"':
			inString = !inString
		case !inString && (c == '{' || c == ','):
			n := 0
			for i+1+n < len(b) && isBare(b[i+1+n]) {
				n++
			}
			if n > 0 && i+1+n < len(b) && b[i+1+n] == ':' {
				out = append(out, '"')
				out = append(out, b[i+1:i+1+n]...)
				out = append(out, '"')
				i += n
				found = true
			}
		}
	}
	return out, found
}

func isBare(c byte) bool {
	return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
