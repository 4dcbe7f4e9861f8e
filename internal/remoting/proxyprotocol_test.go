package remoting

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// proxyV2 returns a binary header with that command, family and content.
func proxyV2(command, family byte, content string) string {
	return proxyV2Signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(content)))) + content
}

const (
	v4Addresses = "\xc0\x00\x02\x01\xc0\x00\x02\x09\xdc\x04\x26\x94" // 192.0.2.1:56324 to 192.0.2.9:9876
	v6Addresses = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x26\x94"
)

var (
	proxyV1Longest = "PROXY UNKNOWN " + strings.Repeat("f", proxyV1Max-2-len("PROXY UNKNOWN ")) + "\r\n"
	proxyV2Longest = proxyV2(0x21, 0x11, v4Addresses+strings.Repeat("x", proxyV2Max-proxyV2Fixed-len(v4Addresses)))
)

func TestProxyHeaders(t *testing.T) {
	for _, tt := range []struct{ name, header, want string }{
		{"version 1, IPv4", "PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876\r\n", "192.0.2.1:56324"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 9876\r\n", "[2001:db8::1]:56324"},
		{"version 1, IPv4 in IPv6", "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 9876\r\n", "192.0.2.1:56324"},
		{"version 1, unknown", "PROXY UNKNOWN\r\n", ""},
		{"version 1, unknown with more", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""},
		{"version 1, longest", proxyV1Longest, ""},
		{"version 2, IPv4", proxyV2(0x21, 0x11, v4Addresses), "192.0.2.1:56324"},
		{"version 2, IPv6", proxyV2(0x21, 0x21, v6Addresses), "[2001:db8::1]:56324"},
		{"version 2, with extensions", proxyV2(0x21, 0x11, v4Addresses+"\x03\x00\x04abcd"), "192.0.2.1:56324"},
		{"version 2, longest", proxyV2Longest, "192.0.2.1:56324"},
		{"version 2, local", proxyV2(0x20, 0x00, ""), ""},
		{"version 2, local with addresses", proxyV2(0x20, 0x11, v4Addresses), ""},
		{"version 2, UDP", proxyV2(0x21, 0x12, v4Addresses), ""},
		{"version 2, unix socket", proxyV2(0x21, 0x31, strings.Repeat("s", 216)), ""},
		{"version 2, unspecified", proxyV2(0x21, 0x00, ""), ""},
		{"none", "", ""},
	} {
		var want netip.AddrPort
		if tt.want != "" {
			want = netip.MustParseAddrPort(tt.want)
		}
		data := tt.header + string(AppendFrame(nil, &Command{Code: 105}))
		for _, r := range []io.Reader{strings.NewReader(data), iotest.OneByteReader(strings.NewReader(data))} {
			rd := NewReader(r, nil)
			got, err := rd.SkipProxyHeader()
			if err != nil || got != want {
				t.Errorf("%s: %v, want %v, error %v", tt.name, got, want, err)
				continue
			}
			var c Command
			if err := rd.Next(&c); err != nil || c.Code != 105 {
				t.Errorf("%s: the frame behind it: %+v, error %v", tt.name, c, err)
			}
		}
	}
}

// What is wrong shows in the bytes given; none more are waited for.
func TestBadProxyHeaders(t *testing.T) {
	for _, tt := range []struct{ name, header string }{
		{"version 1, too long", strings.TrimSuffix(proxyV1Longest, "\r\n") + "f\r"},
		{"version 1, without CR", "PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876\n"},
		{"version 1, empty", "PROXY \r\n"},
		{"version 1, UDP", "PROXY UDP4 192.0.2.1 192.0.2.9 56324 9876\r\n"},
		{"version 1, words missing", "PROXY TCP4 192.0.2.1 192.0.2.9 56324\r\n"},
		{"version 1, words too many", "PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876 1\r\n"},
		{"version 1, two spaces", "PROXY TCP4  192.0.2.1 192.0.2.9 56324 9876\r\n"},
		{"version 1, IPv6 as TCP4", "PROXY TCP4 2001:db8::1 192.0.2.9 56324 9876\r\n"},
		{"version 1, IPv4 as TCP6", "PROXY TCP6 192.0.2.1 2001:db8::2 56324 9876\r\n"},
		{"version 1, zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 9876\r\n"},
		{"version 1, name", "PROXY TCP4 localhost 192.0.2.9 56324 9876\r\n"},
		{"version 1, port too large", "PROXY TCP4 192.0.2.1 192.0.2.9 65536 9876\r\n"},
		{"version 1, negative port", "PROXY TCP4 192.0.2.1 192.0.2.9 -1 9876\r\n"},
		{"version 2, other version", proxyV2(0x11, 0x11, v4Addresses)},
		{"version 2, other command", proxyV2(0x22, 0x11, v4Addresses)},
		{"version 2, too long", proxyV2(0x21, 0x11, strings.Repeat("x", proxyV2Max-proxyV2Fixed+1))[:proxyV2Fixed]},
		{"version 2, longest length", proxyV2(0x21, 0x11, strings.Repeat("x", 65535))[:proxyV2Fixed]},
		{"version 2, IPv4 cut", proxyV2(0x21, 0x11, v4Addresses[1:])},
		{"version 2, IPv6 cut", proxyV2(0x21, 0x21, v6Addresses[1:])},
	} {
		got, err := NewReader(&script{tt.header}, nil).SkipProxyHeader()
		if !errors.Is(err, ErrBadProxyHeader) || got.IsValid() {
			t.Errorf("%s: %v, error %v", tt.name, got, err)
		}
	}
}

// What does not start with a signature is left alone, and no byte is waited
// for once that is sure.
func TestNoProxyHeader(t *testing.T) {
	for _, start := range []string{
		"\x00", "\x16", "G", "\xff", "POST /", "PROXx", "PROXY\t", "PRI ", "\r\n\r\n\x00\r\nQUIT\r", "\r\r",
	} {
		r := NewReader(&script{start}, nil)
		if got, err := r.SkipProxyHeader(); err != nil || got.IsValid() {
			t.Errorf("%q: %v, error %v", start, got, err)
		}
		if r.Buffered() != len(start) {
			t.Errorf("%q: %d bytes are left", start, r.Buffered())
		}
	}
}

func TestEndWithinAProxyHeader(t *testing.T) {
	for _, header := range []string{"PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876\r\n", proxyV2(0x21, 0x11, v4Addresses+"extension")} {
		for n := range header {
			data := header[:n]
			r := NewReader(strings.NewReader(data), nil)
			_, err := r.SkipProxyHeader()
			if err == nil { // it ended within the signature: the first frame tells
				var c Command
				err = r.Next(&c)
			}
			if n == 0 && err != io.EOF || n > 0 && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrForeignProtocol) {
				t.Errorf("%q: %v", data, err)
			}
			if _, err := NewReader(&script{data, os.ErrDeadlineExceeded}, nil).SkipProxyHeader(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%q and a deadline: %v", data, err)
			}
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876\r\nrest", "PROXY TCP6 2001:db8::1 ::2 1 2\r\n", "PROXY UNKNOWN\r\n", "PROXY ", "PROXx", "POST",
		proxyV1Longest, proxyV2(0x21, 0x11, v4Addresses) + "rest", proxyV2(0x21, 0x21, v6Addresses), proxyV2(0x20, 0, "abc"), proxyV2(0x21, 0x31, ""),
		proxyV2Longest, proxyV2Signature, "\r\n", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(bytes.NewReader(data), nil)
		addr, err := r.SkipProxyHeader()
		slow := NewReader(iotest.OneByteReader(bytes.NewReader(data)), nil)
		slowAddr, slowErr := slow.SkipProxyHeader()
		if addr != slowAddr || (err == nil) != (slowErr == nil) || err != nil && err.Error() != slowErr.Error() {
			t.Fatalf("at once %v, %v; byte by byte %v, %v", addr, err, slowAddr, slowErr)
		}
		if err != nil {
			if addr.IsValid() {
				t.Fatalf("%v and error %v", addr, err)
			}
			return
		}
		rest, _ := io.ReadAll(r.br)
		header := len(data) - len(rest)
		if !bytes.Equal(rest, data[header:]) {
			t.Fatal("the rest is not what follows the header")
		}
		isV1, isV2 := bytes.HasPrefix(data, []byte(proxyV1Signature)), bytes.HasPrefix(data, []byte(proxyV2Signature))
		if isHeader := isV1 || isV2; isHeader != (header > 0) {
			t.Fatalf("%d bytes were consumed of %q", header, data)
		}
		if isV1 && header > proxyV1Max || header > proxyV2Max {
			t.Fatalf("%d bytes were consumed", header)
		}
		if addr.IsValid() && header == 0 {
			t.Fatalf("%v out of nothing", addr)
		}
	})
}
