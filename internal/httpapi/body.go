package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"signpost/core"
	"signpost/internal/wire"
)

// usualBody is the memory taken for a body before its bytes are there.
const usualBody = 16 << 10

// readBody reads a small JSON body, gzipped or not.
func (s *Server) readBody(req *request) ([]byte, error) {
	var sent, plain bytes.Buffer
	body, zipped, err := receive(&sent, req, s.o.Limits.Small)
	if err == nil && zipped {
		body, err = inflate(&plain, body, s.o.Limits.Small)
	}
	return body, err
}

// buffers are for bodies of registrations, which may be large. Who takes one
// gives it back when nothing of the body is looked at any more.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func giveBack(b *bytes.Buffer) {
	b.Reset()
	buffers.Put(b)
}

// receive reads a body as it was sent into buf, and says whether it is
// gzipped. A length that is stated is believed only when it is too large.
func receive(buf *bytes.Buffer, req *request, limit int) (body []byte, zipped bool, err error) {
	if zipped, err = mediaType(req.Header); err != nil {
		return nil, false, err
	}
	if req.ContentLength > int64(limit) {
		return nil, false, &http.MaxBytesError{Limit: int64(limit)}
	}
	buf.Grow(int(min(max(req.ContentLength, 0), usualBody)) + bytes.MinRead)
	if _, err := buf.ReadFrom(http.MaxBytesReader(req.writer, req.Body, int64(limit))); err != nil {
		var tooLong *http.MaxBytesError
		if !errors.As(err, &tooLong) {
			err = fmt.Errorf("%w: %w", &core.FieldError{Field: "body", Reason: "cannot be read to its end"}, err)
		}
		return nil, false, err
	}
	if buf.Len() == 0 {
		return nil, false, &core.FieldError{Field: "body", Reason: "is missing"}
	}
	return buf.Bytes(), zipped, nil
}

// mediaType judges how a body travels. A Content-Encoding is refused: API
// Gateway's HTTP API would hand such a body over as damaged text.
func mediaType(h http.Header) (zipped bool, err error) {
	const help = "bodies are " + typeJSON + ", or gzipped " + typeGzip
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false, &problemError{kind: unsupportedMedia, detail: help + "; there is no Content-Encoding"}
	}
	name, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset, ok := params["charset"]
	switch {
	case err != nil:
	case name == typeGzip:
		return true, nil
	case name == typeJSON && (!ok || strings.EqualFold(charset, "utf-8")):
		return false, nil
	}
	return false, &problemError{kind: unsupportedMedia, detail: help}
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// inflate reads the content of a gzip stream, of at most limit bytes, into out.
// It stops at the limit, whatever follows.
func inflate(out *bytes.Buffer, body []byte, limit int) ([]byte, error) {
	z := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(z)
	out.Grow(min(4*len(body), limit) + bytes.MinRead)
	err := z.Reset(bytes.NewReader(body))
	if err == nil {
		_, err = out.ReadFrom(io.LimitReader(z, int64(limit)+1))
	}
	switch {
	case out.Len() > limit:
		return nil, &wire.LimitError{What: "inflated bytes", Max: limit}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &core.FieldError{Field: "body", Reason: "ends too early for gzip"}
	case err != nil:
		return nil, &core.FieldError{Field: "body", Reason: fmt.Sprintf("is not what gzip writes: %v", err)}
	}
	return out.Bytes(), nil
}
