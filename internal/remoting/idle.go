package remoting

import (
	"bufio"
	"errors"
	"io"
	"sync"
	"syscall"
)

// A Reader whose connection is idle has no buffer: of thousands of connections
// a few have something to read at any moment. Package net has no way to wait
// without one, but it tells when its descriptor may be read.

// buffers has those that are not in use.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, ReaderBuffer) }}

// errNothing says that nothing has arrived.
var errNothing = errors.New("nothing to read yet")

// source is a connection, or for a moment its descriptor, which does not wait.
type source struct {
	conn io.Reader
	raw  syscall.RawConn // of conn; nil if it has none, or not yet
	fd   uintptr
	now  bool // read fd
}

func (s *source) Read(b []byte) (int, error) {
	if s.now {
		return readNow(s.fd, b)
	}
	return s.conn.Read(b)
}

// descriptor says whether raw is there. Without it connections are waited for
// in the ordinary way: those with TLS, for instance.
func (s *source) descriptor() bool {
	if s.raw == nil && canReadNow {
		if c, ok := s.conn.(syscall.Conn); ok {
			if raw, err := c.SyscallConn(); err == nil {
				s.raw = raw
			}
		}
	}
	return s.raw != nil
}

// take gets a buffer for what is read from now on.
func (r *Reader) take() {
	r.br = buffers.Get().(*bufio.Reader)
	r.br.Reset(&r.src)
}

// drop gives the empty buffer away.
func (r *Reader) drop() {
	if r.br != nil {
		r.passed()
		r.br.Reset(nil)
		buffers.Put(r.br)
		r.br = nil
	}
}

// idle waits without a buffer until something has arrived, and reads it.
func (r *Reader) idle() error {
	r.drop()
	if err := r.src.raw.Read(r.arrived); err != nil {
		return err
	}
	return r.failed
}

// attempt reads what has arrived at the descriptor, and says whether that was
// anything, or the end.
func (r *Reader) attempt(fd uintptr) bool {
	r.take()
	r.src.fd, r.src.now = fd, true
	_, r.failed = r.br.Peek(1)
	r.src.now = false
	if r.failed == errNothing {
		r.drop()
		return false
	}
	return true
}
