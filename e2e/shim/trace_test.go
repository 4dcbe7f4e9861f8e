package shim_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// traced notes each call of a shim in the record, for tests that fail.
type traced struct{ sh *shim }

// RoundTrip makes the call over the shim's link.
func (t traced) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	var said []byte
	if r.Body != nil {
		said, _ = io.ReadAll(r.Body) // of memory
		r.Body = io.NopCloser(bytes.NewReader(said))
	}
	a, err := t.sh.link.RoundTrip(r)
	answer := ""
	if err == nil {
		var b []byte
		b, err = io.ReadAll(a.Body)
		a.Body = io.NopCloser(io.MultiReader(bytes.NewReader(b), failing{err}))
		answer = fmt.Sprintf("%d %.600s", a.StatusCode, b)
	} else {
		answer = err.Error()
	}
	if a != nil && bytes.HasPrefix(nothing(answer), []byte(`"complete":true,"changes":[]`)) {
		return a, nil // a beat at which there was nothing to hear
	}
	fmt.Fprintf(t.sh.s.log, "%s to %s %s: %s %s %.600s -> %s\n", began.Format("15:04:05.000"), time.Now().Format("05.000"), t.sh.name,
		r.Method, r.URL.RequestURI(), inflated(said), answer)
	if a == nil {
		return nil, err
	}
	return a, nil
}

// nothing is the answer to a beat behind its revision.
func nothing(answer string) []byte {
	_, rest, _ := strings.Cut(answer, `"revision":`)
	_, rest, _ = strings.Cut(rest, ",")
	return []byte(rest)
}

// failing ends a body as it ended before.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

// inflated is what was said, readable.
func inflated(said []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(said))
	if err != nil {
		return said
	}
	b, _ := io.ReadAll(z)
	return b
}
