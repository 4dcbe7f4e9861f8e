package remoting

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"unsafe"
)

// ReaderBuffer is the size of a Reader's buffer. It has none while it waits for
// a frame, where that can be done without: see [Reader.Wait].
const ReaderBuffer = 4 << 10

// growth is how much memory a frame gets on the strength of its length alone;
// from there on it is at most four times what has arrived.
const growth = 64 << 10

// Reader reads frames one after the other. It is not for concurrent use.
type Reader struct {
	// Passing, if set, names codes whose strings need not last: those of such a
	// command without a body are the Reader's memory, and become something else
	// when it is used again. It saves new memory for each of the many requests
	// that nothing of is kept. Tests with the race detector see them overwritten
	// then in any case.
	Passing func(Code) bool

	src   source
	br    *bufio.Reader // nil if nothing is read and not returned yet
	limit func(Code) int
	err   error // why no frame can follow

	arrived func(fd uintptr) bool // attempt
	failed  error                 // in the last attempt

	lent []byte // the memory of passing strings
}

// NewReader returns a Reader of the frames in r. Limit says how long the whole
// frame of a code may be, in bytes and with the 4 length bytes; MaxFrame bounds
// it in any case. A nil limit is DefaultFrameLimit for all.
//
// If r is a [bufio.Reader] of at least ReaderBuffer bytes it is used as it is,
// so that who has peeked at a connection need not buffer twice.
func NewReader(r io.Reader, limit func(code Code) int) *Reader {
	if limit == nil {
		limit = func(Code) int { return DefaultFrameLimit }
	}
	reader := &Reader{limit: limit}
	reader.arrived = reader.attempt
	if br, ok := r.(*bufio.Reader); ok && br.Size() >= ReaderBuffer {
		reader.br = br
		return reader
	}
	reader.src.conn = r
	reader.take()
	return reader
}

// Buffered returns the number of bytes that were read from the connection and
// not yet returned in a frame.
func (r *Reader) Buffered() int {
	if r.br == nil {
		return 0
	}
	return r.br.Buffered()
}

// Ready reports whether Next returns without reading from the connection. If
// not, a server should write out its answers before it calls Next.
func (r *Reader) Ready() bool {
	if r.err != nil {
		return true
	}
	n := r.Buffered()
	if n < 4 {
		return false
	}
	b, _ := r.br.Peek(4)
	length := binary.BigEndian.Uint32(b)
	return checkLength(b) != nil || uint64(n) >= 4+uint64(length)
}

// SkipProxyHeader consumes the PROXY protocol header that a connection may
// start with; see [SkipProxyHeader]. It is for before the first Next.
func (r *Reader) SkipProxyHeader() (netip.AddrPort, error) { return SkipProxyHeader(r.br) }

// Next reads one frame into cmd. All of cmd is overwritten, the memory of its
// ExtFields is used again, and Body is new memory that belongs to the caller.
//
// The error is io.EOF if the connection ends between two frames, and wraps
// io.ErrUnexpectedEOF if it ends within one. Errors of the connection are
// wrapped. What is wrong with a frame is one of this package's errors, told
// as soon as it shows: nobody waits for the rest. After an error the Reader is
// of no more use, but for one: if less than a frame's length was there when
// the connection failed, for instance at a deadline, Next may be called again.
func (r *Reader) Next(cmd *Command) error {
	r.passed()
	if r.err != nil {
		return r.err
	}
	if r.br == nil {
		r.take()
	}
	b, err := r.br.Peek(4)
	if err != nil {
		if len(b) == 0 && err == io.EOF {
			return io.EOF
		}
		return readError("frame length", err)
	}
	r.err = r.next(b, cmd)
	return r.err
}

func (r *Reader) next(length []byte, cmd *Command) error {
	if err := checkLength(length); err != nil {
		return err
	}
	frameLen := 4 + int(binary.BigEndian.Uint32(length))
	b, err := r.br.Peek(8)
	if err != nil {
		return readError("frame", err)
	}
	enc, headerLen, err := splitHeader(b[4:], frameLen-8)
	if err != nil {
		return err
	}
	header, err := r.header(headerLen)
	if err != nil {
		return readError("header", err)
	}
	bodyLen := frameLen - 8 - headerLen
	if err := r.decode(enc, header, bodyLen == 0, cmd); err != nil {
		return err
	}
	if limit := r.limit(cmd.Code); frameLen > limit {
		return fmt.Errorf("%w: %d bytes of %v where %d are allowed", ErrFrameTooLong, frameLen, cmd.Code, limit)
	}
	if bodyLen == 0 {
		return nil
	}
	if cmd.Body, err = r.read(bodyLen); err != nil {
		return readError("body", err)
	}
	return nil
}

// header consumes the 8 bytes that were looked at already and the n of the
// header, and returns the latter. They are there until something is read.
func (r *Reader) header(n int) ([]byte, error) {
	if 8+n > r.br.Size() {
		if _, err := r.br.Discard(8); err != nil {
			return nil, err
		}
		return r.read(n)
	}
	b, err := r.br.Peek(8 + n)
	if err != nil {
		return nil, err
	}
	_, err = r.br.Discard(8 + n)
	return b[8:], err
}

// decode decodes the header into cmd. Whole says that it is all of the frame,
// so that nothing is read over it before the next one is asked for.
func (r *Reader) decode(enc Encoding, header []byte, whole bool, cmd *Command) error {
	if whole && r.Passing != nil {
		err := decodeHeader(enc, unsafe.String(unsafe.SliceData(header), len(header)), cmd)
		if err != nil {
			return err
		}
		if r.Passing(cmd.Code) {
			r.lent = header
			return nil
		}
	}
	return decodeHeader(enc, string(header), cmd)
}

// passed ends the time of passing strings.
func (r *Reader) passed() {
	overwrite(r.lent)
	r.lent = nil
}

// read returns the next n bytes in new memory, which grows as they arrive.
func (r *Reader) read(n int) ([]byte, error) {
	b := spareBody(n)
	for done := 0; ; {
		m, err := io.ReadFull(r.br, b[done:])
		if err != nil {
			return nil, err
		}
		if done += m; done == n {
			return b, nil
		}
		grown := make([]byte, min(n, 4*len(b)))
		copy(grown, b)
		b = grown
	}
}

// bodies holds memory for bodies that is not in use, at most growth each.
var bodies sync.Pool // of *[]byte

// Reuse gives the memory of a Body back. Nobody may look at it any more.
func Reuse(body []byte) {
	if 0 < cap(body) && cap(body) <= growth {
		bodies.Put(&body)
	}
}

// spareBody returns memory for the first part of n bytes.
func spareBody(n int) []byte {
	n = min(n, growth)
	if b, ok := bodies.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

// readError wraps an error of the connection in the midst of a frame.
func readError(what string, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("remoting: reading %s: %w", what, err)
}

// DecodeFrame decodes one frame without its 4 length bytes into cmd, as
// [Reader.Next] does. The only limit is MaxFrame.
func DecodeFrame(frame []byte, cmd *Command) error {
	if len(frame) < 4 {
		return fmt.Errorf("%w: %d bytes", ErrBadLength, len(frame))
	}
	if len(frame) > MaxFrame-4 {
		return fmt.Errorf("%w: %d bytes", ErrFrameTooLong, len(frame))
	}
	enc, headerLen, err := splitHeader(frame, len(frame)-4)
	if err != nil {
		return err
	}
	if err := decodeHeader(enc, string(frame[4:4+headerLen]), cmd); err != nil {
		return err
	}
	if body := frame[4+headerLen:]; len(body) > 0 {
		cmd.Body = append([]byte(nil), body...)
	}
	return nil
}

// checkLength judges a frame's first 4 bytes.
func checkLength(b []byte) error {
	if p := foreign(b); p != "" {
		return fmt.Errorf("%w: it starts like %s (%q)", ErrForeignProtocol, p, b)
	}
	n := int32(binary.BigEndian.Uint32(b))
	if n < 4 {
		return fmt.Errorf("%w: %d", ErrBadLength, n)
	}
	if n > MaxFrame-4 {
		return fmt.Errorf("%w: %d bytes (%q)", ErrFrameTooLong, 4+int64(n), b)
	}
	return nil
}

// foreign names the protocol that a connection's first 4 bytes belong to. As
// lengths, all of them would be beyond MaxFrame.
func foreign(b []byte) string {
	switch string(b) {
	case "GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC":
		return "an HTTP request"
	case "HTTP":
		return "an HTTP response"
	case "PRI ":
		return "HTTP/2"
	case "PROX", "\r\n\r\n":
		return "a PROXY protocol header"
	case "SSH-":
		return "SSH"
	}
	if b[0] == 0x16 && b[1] == 0x03 {
		return "a TLS handshake"
	}
	return ""
}

// splitHeader reads the word that follows a frame's length; rest is how many
// bytes follow that word.
func splitHeader(b []byte, rest int) (enc Encoding, headerLen int, err error) {
	word := binary.BigEndian.Uint32(b)
	enc, headerLen = Encoding(word>>24), int(word&0xffffff)
	switch {
	case enc > EncodingBinary:
		return 0, 0, fmt.Errorf("%w: %d", ErrBadEncoding, enc)
	case headerLen > rest:
		return 0, 0, fmt.Errorf("%w: a header of %d bytes where %d follow", ErrBadLength, headerLen, rest)
	case headerLen > MaxHeader:
		return 0, 0, fmt.Errorf("%w: %d bytes where %d are allowed", ErrHeaderTooLong, headerLen, MaxHeader)
	case headerLen == 0:
		return 0, 0, fmt.Errorf("%w: it is empty", ErrBadHeader)
	}
	return enc, headerLen, nil
}

// decodeHeader decodes s into c, all of which is overwritten. The strings of c
// share the memory of s.
func decodeHeader(enc Encoding, s string, c *Command) error {
	spare := c.reset(enc)
	if enc == EncodingBinary {
		return decodeBinary(s, c, spare)
	}
	if decodeUsualJSON(s, c, spare) {
		return nil
	}
	return decodeJSON(s, c, spare)
}

// Wait blocks until at least one byte of the next frame is there. The error is
// the connection's, io.EOF if it ends; Next may be called after it.
//
// A connection that is a [syscall.Conn], and to be read by its descriptor at
// the time, is waited for without a buffer.
func (r *Reader) Wait() error {
	if r.err != nil {
		return r.err
	}
	if r.Buffered() == 0 && r.src.descriptor() {
		return r.idle()
	}
	_, err := r.br.Peek(1)
	return err
}
