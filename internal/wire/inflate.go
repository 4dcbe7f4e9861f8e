package wire

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"signpost/core"
)

// inflater reads a zlib stream in pieces. It holds no more than the piece
// being read, and never takes memory for a length before the bytes are there.
// Its first error stays; after it, every piece is nil.
type inflater struct {
	src  bytes.Reader
	z    io.ReadCloser // of zlib, and a zlib.Resetter
	buf  []byte
	r, w int // what was inflated and not read yet is buf[r:w]
	left int // bytes that may still be inflated
	max  int
	err  error
}

const (
	usualBuffer   = 32 << 10
	longestBuffer = 1 << 20 // a longer one is not kept for the next body
)

var inflaters = sync.Pool{New: func() any { return &inflater{buf: make([]byte, usualBuffer)} }}

// newInflater starts at a zlib stream that may inflate to max bytes. The
// caller releases it.
func newInflater(body []byte, most int) *inflater {
	f := inflaters.Get().(*inflater)
	f.r, f.w, f.left, f.max, f.err = 0, 0, most, most, nil
	f.src.Reset(body)
	var err error
	if f.z == nil {
		f.z, err = zlib.NewReader(&f.src)
	} else {
		err = f.z.(zlib.Resetter).Reset(&f.src, nil)
	}
	if err != nil {
		f.broken(err)
	}
	return f
}

// release gives the inflater back. No piece of it may be used afterwards.
func (f *inflater) release() {
	if f.z == nil {
		return // its first body was no stream
	}
	if len(f.buf) > longestBuffer {
		f.buf = make([]byte, usualBuffer)
	}
	f.src.Reset(nil)
	inflaters.Put(f)
}

// broken keeps an error of the stream.
func (f *inflater) broken(err error) {
	if f.err == nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("ends too early")
		}
		f.err = fmt.Errorf("%w: compressed data: %w", ErrDecode, err)
	}
}

// fail keeps an error of what is inside.
func (f *inflater) fail(field, reason string) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: %w", ErrDecode, &core.FieldError{Field: field, Reason: reason})
	}
}

func (f *inflater) limit(what string, most int) {
	if f.err == nil {
		f.err = &LimitError{What: what, Max: most}
	}
}

// next returns the next n bytes, good until the next call.
func (f *inflater) next(n int) []byte {
	if f.err == nil && n-(f.w-f.r) > f.left {
		f.limit("inflated bytes", f.max)
	}
	for f.err == nil && f.w-f.r < n {
		f.fill(n)
	}
	if f.err != nil {
		return nil
	}
	f.r += n
	return f.buf[f.r-n : f.r]
}

// fill inflates some more; n is how much is wanted in one piece.
func (f *inflater) fill(n int) {
	if f.r+n > len(f.buf) {
		f.w = copy(f.buf, f.buf[f.r:f.w])
		f.r = 0
	}
	if f.w == len(f.buf) {
		f.buf = append(f.buf, make([]byte, len(f.buf))...)
	}
	got, err := f.z.Read(f.buf[f.w:min(len(f.buf), f.w+f.left)])
	f.w += got
	f.left -= got
	if err != nil && (got == 0 || !errors.Is(err, io.EOF)) {
		f.broken(err)
	}
}

// finish passes over the rest of the stream and holds it against its checksum.
func (f *inflater) finish() {
	for f.err == nil {
		if f.left == 0 {
			// One byte more would be too much; the end of the stream is not.
			var b [1]byte
			if n, err := f.z.Read(b[:]); n > 0 {
				f.limit("inflated bytes", f.max)
			} else if errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				f.broken(err)
			}
			continue
		}
		f.r, f.w = 0, 0
		got, err := f.z.Read(f.buf[:min(len(f.buf), f.left)])
		f.left -= got
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			f.broken(err)
		}
	}
}

// count reads a number of things.
func (f *inflater) count(what string, most int) int {
	b := f.next(4)
	if b == nil {
		return 0
	}
	n := int32(binary.BigEndian.Uint32(b))
	switch {
	case n < 0:
		f.fail(what, fmt.Sprintf("their number is %d", n))
		return 0
	case int64(n) > int64(most):
		f.limit(what, most)
		return 0
	}
	return int(n)
}

// section reads a piece that its length stands before.
func (f *inflater) section(name string) []byte {
	b := f.next(4)
	if b == nil {
		return nil
	}
	n := int32(binary.BigEndian.Uint32(b))
	if n < 0 {
		f.fail(name, fmt.Sprintf("its length is %d", n))
		return nil
	}
	return f.next(int(n))
}
