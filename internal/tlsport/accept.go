package tlsport

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"signpost/internal/remoting"
)

// Why Accept refuses a connection, besides ErrNoCertificate.
var (
	ErrTLSDisabled = errors.New("a TLS connection, but TLS is disabled")
	ErrNotTLS      = errors.New("a plain connection, but TLS is enforced")
	ErrHandshake   = errors.New("TLS handshake") // failed; wrapped with the cause
)

// handshakeRecord is the first byte of a TLS connection (RFC 8446 section
// 5.1). No frame of RocketMQ has it: it would be longer than 350 MB.
const handshakeRecord = 0x16

// Conn is a connection that Accept has let in. What is read and written is the
// plain text, whether TLS is underneath or not. Once the bytes that Accept had
// to look at are read, it costs no more than a call.
type Conn struct {
	// Conn is the connection below, a *tls.Conn if it is a secure one. To write
	// to it directly is the same as to write here; to read is not.
	net.Conn

	// Source is the client's address according to a PROXY header, the zero
	// AddrPort if there was none. Anybody may claim any address there: it is
	// no proof of anything.
	Source netip.AddrPort

	head []byte // what was read from Conn and comes first
}

// ProxySource returns Source.
func (c *Conn) ProxySource() netip.AddrPort { return c.Source }

// Read reads from the connection.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.head) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.head)
	if c.head = c.head[n:]; len(c.head) == 0 {
		c.head = nil
	}
	return n, nil
}

var errNoDescriptor = errors.New("there is more to read than the descriptor has")

// SyscallConn returns the descriptor of a plain connection, once reading it is
// the same as to Read: an error before, and for TLS.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	plain, ok := c.Conn.(syscall.Conn)
	if !ok || len(c.head) > 0 {
		return nil, errNoDescriptor
	}
	return plain.SyscallConn()
}

// Accept finds out what conn is by its first bytes, as Java 5.x does: a PROXY
// header, version 1 or 2, may come first, then a TLS handshake or a frame. It
// does the handshake, for which the client has the handshake timeout, after it
// had the idle timeout to begin. No deadline is set on the connection that is
// returned.
//
// The error is io.EOF if nothing came but, perhaps, the PROXY header; it wraps
// ErrTLSDisabled, ErrNotTLS, ErrNoCertificate, ErrHandshake,
// remoting.ErrBadProxyHeader, or is that of the connection. Then nothing was
// written but TLS alerts, and conn is the caller's to close.
func (p *Port) Accept(conn net.Conn) (*Conn, error) {
	if err := conn.SetReadDeadline(p.opts.Now().Add(p.opts.IdleTimeout)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	start := &start{conn: conn}
	source, err := remoting.SkipProxyHeader(start)
	if err != nil {
		return nil, err
	}
	first, err := start.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("read the first byte: %w", err)
	}
	c := &Conn{Conn: conn, Source: source, head: start.rest()}
	if first[0] == handshakeRecord {
		return p.acceptTLS(c)
	}
	if p.opts.Mode == Enforcing {
		return nil, ErrNotTLS
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("clear the deadline: %w", err)
	}
	return c, nil
}

func (p *Port) acceptTLS(c *Conn) (*Conn, error) {
	if p.opts.Mode == Disabled {
		return nil, ErrTLSDisabled
	}
	config, err := p.Config()
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(p.opts.Now().Add(p.opts.HandshakeTimeout)); err != nil {
		return nil, fmt.Errorf("set a deadline: %w", err)
	}
	secure := tls.Server(c, config)
	if err := secure.Handshake(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("clear the deadline: %w", err)
	}
	return &Conn{Conn: secure, Source: c.Source}, nil
}

// start reads the beginning of a connection; it is a [remoting.Peeker]. Its
// memory is all that is needed, and goes when a Conn has handed it out.
type start struct {
	conn     net.Conn
	buf      [128]byte // a Peeker must be able to peek at 107
	from, to int       // of buf, what was read and not discarded
}

// Peek returns the next n bytes without consuming them, and an error if there
// are fewer.
func (s *start) Peek(n int) ([]byte, error) {
	if n > len(s.buf) {
		return nil, bufio.ErrBufferFull
	}
	if s.from+n > len(s.buf) {
		s.to = copy(s.buf[:], s.buf[s.from:s.to])
		s.from = 0
	}
	for s.to-s.from < n {
		m, err := s.conn.Read(s.buf[s.to:])
		s.to += m
		if err != nil && s.to-s.from < n {
			return s.rest(), err
		}
	}
	return s.buf[s.from : s.from+n], nil
}

// Discard consumes the next n bytes and returns how many there were.
func (s *start) Discard(n int) (int, error) {
	for done := 0; ; {
		m := min(n-done, s.to-s.from)
		s.from += m
		if done += m; done == n {
			return n, nil
		}
		if _, err := s.Peek(1); err != nil {
			return done, err
		}
	}
}

// rest is what was read and not consumed.
func (s *start) rest() []byte { return s.buf[s.from:s.to] }
