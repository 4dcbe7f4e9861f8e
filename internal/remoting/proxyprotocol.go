package remoting

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Sizes of the PROXY protocol (haproxy.org, proxy-protocol.txt, sections 2.1
// and 2.2).
const (
	proxyV1Max   = 107     // the whole line with its CR LF
	proxyV2Fixed = 16      // signature, version and command, family, length
	proxyV2Max   = 4 << 10 // the length could say 64 KiB; what proxies add is some hundred bytes
)

const (
	proxyV1Signature = "PROXY "
	proxyV2Signature = "\r\n\r\n\x00\r\nQUIT\n"
)

// Peeker is what SkipProxyHeader reads from, a [bufio.Reader] for instance. It
// must be able to peek at 107 bytes.
type Peeker interface {
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
}

// SkipProxyHeader consumes a PROXY protocol header, version 1 or 2, if r starts
// with one, and returns the client's address that it tells. The address is the
// zero AddrPort if there is no header or it names none (UNKNOWN, LOCAL, or
// something else than TCP over IP): the connection's own one counts then.
//
// It decides byte by byte: no frame and no TLS handshake starts like a header,
// so that it never waits for more than its first byte to pass those, and what
// is not a header stays unread. It reads at most 107 bytes in version 1 and 4
// KiB in version 2. The error wraps ErrBadProxyHeader, or is the connection's;
// io.EOF if that ends before the first byte.
func SkipProxyHeader(r Peeker) (netip.AddrPort, error) {
	b, err := r.Peek(1)
	if err != nil {
		if err == io.EOF {
			return netip.AddrPort{}, io.EOF
		}
		return netip.AddrPort{}, readError("first byte", err)
	}
	var is bool
	switch b[0] {
	case proxyV1Signature[0]:
		if is, err = startsWith(r, proxyV1Signature); is {
			return skipProxyV1(r)
		}
	case proxyV2Signature[0]:
		if is, err = startsWith(r, proxyV2Signature); is {
			return skipProxyV2(r)
		}
	}
	return netip.AddrPort{}, err
}

// startsWith reports whether r starts with signature, looking no further than
// to the first byte that differs. A connection that ends before is not an
// error: whoever reads the first frame will tell.
func startsWith(r Peeker, signature string) (bool, error) {
	for n := 1; n <= len(signature); n++ {
		b, err := r.Peek(n)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, readError("PROXY protocol signature", err)
		}
		if b[n-1] != signature[n-1] {
			return false, nil
		}
	}
	return true, nil
}

// skipProxyV1 consumes a line such as
//
//	PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876
func skipProxyV1(r Peeker) (netip.AddrPort, error) {
	for n := len(proxyV1Signature) + 1; n <= proxyV1Max; n++ {
		b, err := r.Peek(n)
		if err != nil {
			return netip.AddrPort{}, readError("PROXY protocol line", err)
		}
		if b[n-1] != '\n' {
			continue
		}
		line, ok := strings.CutSuffix(string(b), "\r\n")
		if !ok {
			break
		}
		addr, err := parseProxyV1(line)
		if err != nil {
			return netip.AddrPort{}, err
		}
		_, err = r.Discard(n)
		return addr, err
	}
	return netip.AddrPort{}, fmt.Errorf("%w: no CR LF ends the first %d bytes", ErrBadProxyHeader, proxyV1Max)
}

func parseProxyV1(line string) (netip.AddrPort, error) {
	words := strings.Split(line, " ")
	if words[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", ErrBadProxyHeader, line)
	}
	source, err := netip.ParseAddr(words[2])
	if err != nil || source.Zone() != "" || source.Is4() != (words[1] == "TCP4") {
		return netip.AddrPort{}, fmt.Errorf("%w: source address %q of %s", ErrBadProxyHeader, words[2], words[1])
	}
	port, err := strconv.ParseUint(words[4], 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: source port %q", ErrBadProxyHeader, words[4])
	}
	return netip.AddrPortFrom(source.Unmap(), uint16(port)), nil
}

// skipProxyV2 consumes a binary header: the signature, a byte of version and
// command, one of family and transport, two of length, then as many bytes of
// addresses, ports and extensions.
func skipProxyV2(r Peeker) (netip.AddrPort, error) {
	var none netip.AddrPort
	b, err := r.Peek(proxyV2Fixed)
	if err != nil {
		return none, readError("PROXY protocol header", err)
	}
	command, family := b[12], b[13]
	rest := int(binary.BigEndian.Uint16(b[14:]))
	whole := proxyV2Fixed + rest
	if whole > proxyV2Max {
		return none, fmt.Errorf("%w: %d bytes where %d are allowed", ErrBadProxyHeader, whole, proxyV2Max)
	}
	if command != 0x20 && command != 0x21 {
		return none, fmt.Errorf("%w: version and command 0x%02x", ErrBadProxyHeader, command)
	}
	addrLen := 0 // of one of the two addresses
	if command == 0x21 {
		switch family {
		case 0x11: // TCP over IPv4
			addrLen = 4
		case 0x21: // TCP over IPv6
			addrLen = 16
		}
	}
	if need := 2*addrLen + 4; addrLen > 0 && rest < need {
		return none, fmt.Errorf("%w: %d bytes of addresses where %d are needed", ErrBadProxyHeader, rest, need)
	}
	source := none
	if addrLen > 0 {
		if b, err = r.Peek(proxyV2Fixed + 2*addrLen + 4); err != nil {
			return none, readError("PROXY protocol addresses", err)
		}
		b = b[proxyV2Fixed:]
		addr, _ := netip.AddrFromSlice(b[:addrLen])
		source = netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(b[2*addrLen:]))
	}
	if _, err := r.Discard(whole); err != nil {
		return none, readError("PROXY protocol header", err)
	}
	return source, nil
}
