package tlsport

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/internal/remoting"
)

var quiet = (&logbook{}).logger()

func TestAcceptLetsInWhatTheModeAllows(t *testing.T) {
	ca := newCA(t, "ca")
	f := newFiles(t)
	f.put(t, issue(t, "server", newKey(t), ca))
	missing := newFiles(t)
	cases := []struct {
		mode        Mode
		files       files
		wantTLS     error
		wantPlain   error
		wantNoBytes error
	}{
		{Permissive, f, nil, nil, io.EOF},
		{Enforcing, f, nil, ErrNotTLS, io.EOF},
		{Disabled, f, ErrTLSDisabled, nil, io.EOF},
		{Permissive, missing, ErrNoCertificate, nil, io.EOF},
		{Enforcing, missing, ErrNoCertificate, ErrNotTLS, io.EOF},
	}
	for _, c := range cases {
		p := New(Options{Mode: c.mode, CertPath: c.files.cert, KeyPath: c.files.key}, quiet)
		if o := connect(t, p, trusting(ca)); !errors.Is(o.server, c.wantTLS) || (o.client == nil) != (c.wantTLS == nil) {
			t.Errorf("%v, TLS: %v, at the client: %v, want %v", c.mode, o.server, o.client, c.wantTLS)
		}
		if _, err := accept(t, p, []byte("\x00\x00\x00\x05plain")); !errors.Is(err, c.wantPlain) {
			t.Errorf("%v, plain: %v, want %v", c.mode, err, c.wantPlain)
		}
		if _, err := accept(t, p, nil); !errors.Is(err, c.wantNoBytes) {
			t.Errorf("%v, nothing: %v, want %v", c.mode, err, c.wantNoBytes)
		}
	}
}

// accept sends data to p, and what the connection reads when it is accepted.
func accept(t *testing.T, p *Port, data []byte) (*Conn, error) {
	t.Helper()
	client, server := loopback(t)
	if _, err := client.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return p.Accept(server)
}

// headers of the PROXY protocol, all of which tell 192.0.2.1:56324.
func proxyHeaders() map[string][]byte {
	v2 := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11)
	v2 = binary.BigEndian.AppendUint16(v2, 12+300)
	v2 = append(v2, 192, 0, 2, 1, 192, 0, 2, 9, 56324>>8, 56324&0xff, 9876>>8, 9876&0xff)
	v2 = append(v2, bytes.Repeat([]byte{0x04}, 300)...) // extensions
	return map[string][]byte{
		"version 1": []byte("PROXY TCP4 192.0.2.1 192.0.2.9 56324 9876\r\n"),
		"version 2": v2,
	}
}

func TestAcceptTakesAProxyHeaderFirst(t *testing.T) {
	source := netip.MustParseAddrPort("192.0.2.1:56324")
	p := New(Options{TestMode: true}, quiet)
	for name, header := range proxyHeaders() {
		c, err := accept(t, p, append(header, "\x00frame"...))
		if err != nil {
			t.Errorf("%s, plain: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != "\x00frame" || c.Source != source {
			t.Errorf("%s, plain: %q, %v, from %v", name, got, err, c.Source)
		}
		if o := connect(t, p, &tls.Config{InsecureSkipVerify: true}, header...); !o.ok() || !o.peerTLS {
			t.Errorf("%s, TLS: %v, %v", name, o.server, o.client)
		}
		if _, err := accept(t, p, header); err != io.EOF {
			t.Errorf("%s and nothing more: %v, want EOF", name, err)
		}
	}
	if _, err := accept(t, p, []byte("PROXY nonsense\r\n")); !errors.Is(err, remoting.ErrBadProxyHeader) {
		t.Errorf("a broken header: %v", err)
	}
	c, err := accept(t, p, []byte("PROX"))
	if err != nil {
		t.Fatalf("no header after all: %v", err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "PROX" {
		t.Errorf("no header after all: %q, %v", got, err)
	}
}

func TestASourceIsKnownOfASecureConnection(t *testing.T) {
	p := New(Options{TestMode: true}, quiet)
	client, server := loopback(t)
	handshake := make(chan error, 1)
	go func() {
		_, err := client.Write(proxyHeaders()["version 1"])
		if err == nil {
			err = tls.Client(client, &tls.Config{InsecureSkipVerify: true}).Handshake()
		}
		handshake <- err
	}()
	c, err := p.Accept(server)
	if err := errors.Join(err, <-handshake); err != nil {
		t.Fatal(err)
	}
	if want := netip.MustParseAddrPort("192.0.2.1:56324"); c.Source != want {
		t.Errorf("the source is %v, want %v", c.Source, want)
	}
}

func TestConnReadsEveryByteOnce(t *testing.T) {
	p := New(Options{Mode: Disabled}, quiet)
	data := make([]byte, 1000)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>8)
	}
	for _, size := range []int{1, 7, 128, 4096} { // of one read
		c, err := accept(t, p, data)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for b := make([]byte, size); ; {
			n, err := c.Read(b)
			got = append(got, b[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, data) {
			t.Errorf("by %d bytes: read %d bytes that are not what was sent", size, len(got))
		}
		if c.head != nil {
			t.Errorf("by %d bytes: the connection holds on to its head", size)
		}
	}
}

func TestAcceptWaitsForAClientToBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		wantTimeout(t, server, 120*time.Second)
	})
}

func TestADripOfBytesDoesNotExtendTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		var dripping sync.WaitGroup
		dripping.Go(func() {
			for _, b := range []byte("PROXY TCP4 192.0.2.1 192.0.2.9 56324") {
				time.Sleep(10 * time.Second)
				if _, err := client.Write([]byte{b}); err != nil {
					return
				}
			}
		})
		wantTimeout(t, server, 120*time.Second)
		dripping.Wait()
	})
}

func TestTheHandshakeHasLessTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go func() {
			time.Sleep(100 * time.Second)
			_, _ = client.Write([]byte{handshakeRecord})
			_, _ = io.Copy(io.Discard, client)
		}()
		if err := wantTimeout(t, server, 110*time.Second); !errors.Is(err, ErrHandshake) {
			t.Errorf("the error is %v", err)
		}
	})
}

// wantTimeout lets a Port in test mode accept conn, which has to take so long,
// and closes it.
func wantTimeout(t *testing.T, conn net.Conn, want time.Duration) error {
	t.Helper()
	begin := time.Now()
	_, err := New(Options{TestMode: true}, quiet).Accept(conn)
	if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != want {
		t.Errorf("%v after %v, want a timeout after %v", err, took, want)
	}
	conn.Close()
	return err
}

func TestWhoIsLetInMayBeSilent(t *testing.T) {
	for _, secure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			go func() {
				var w io.Writer = client
				if secure {
					w = tls.Client(client, &tls.Config{InsecureSkipVerify: true})
				}
				_, _ = w.Write([]byte{0})
				time.Sleep(time.Hour)
				client.Close()
			}()
			c, err := New(Options{TestMode: true}, quiet).Accept(server)
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if got, err := io.ReadAll(c); len(got) != 1 || errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != time.Hour {
				t.Errorf("TLS %v: read %d bytes, then %v after %v", secure, len(got), err, time.Since(begin))
			}
			server.Close()
		})
	}
}

func TestTLSVersions(t *testing.T) {
	p := New(Options{TestMode: true}, quiet)
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		o := connect(t, p, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		if o.ok() != want {
			t.Errorf("%s: %v, %v", tls.VersionName(version), o.server, o.client)
		}
		if want && o.state.Version != version {
			t.Errorf("%s became %s", tls.VersionName(version), tls.VersionName(o.state.Version))
		}
	}
}

// The cipher suites that netty 4.0.42, RocketMQ's up to 4.8, offers for a
// certificate like that of test mode.
func TestOldNettyClients(t *testing.T) {
	p := New(Options{TestMode: true}, quiet)
	o := connect(t, p, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
	if !o.ok() {
		t.Errorf("%v, %v", o.server, o.client)
	}
}

func TestTestModeMakesOneCertificateWhenAsked(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	p := New(Options{TestMode: true, CertPath: "/not/there", KeyPath: "/not/there", ClientAuth: RequireClientAuth,
		Now: func() time.Time { return now }}, quiet)
	if s := p.Stats(); !s.Loaded || !s.NotAfter.IsZero() || s.Failures != 0 {
		t.Errorf("at start: %+v", s)
	}
	first := serial(t, p)
	if s := p.Stats(); !s.NotAfter.Equal(now.AddDate(10, 0, 0)) {
		t.Errorf("valid until %v", s.NotAfter)
	}
	if serial(t, p).Cmp(first) != 0 {
		t.Error("the next connection got another certificate")
	}
	stranger := issue(t, "stranger", newKey(t), newCA(t, "unknown"))
	if o := connect(t, p, as(&tls.Config{InsecureSkipVerify: true}, stranger)); !o.ok() {
		t.Errorf("a client with a certificate: %v, %v", o.server, o.client)
	}
}

func TestClientAuthentication(t *testing.T) {
	ca, other := newCA(t, "ca"), newCA(t, "other")
	f := newFiles(t)
	f.put(t, issue(t, "server", newKey(t), ca))
	write(t, f.trust, ca.certPEM())
	clients := []struct {
		name   string
		config *tls.Config
	}{
		{"no certificate", trusting(ca)},
		{"trusted", as(trusting(ca), issue(t, "client", newKey(t), ca))},
		{"untrusted", as(trusting(ca), issue(t, "client", newKey(t), other))},
		{"expired", as(trusting(ca), issueUntil(t, "client", newKey(t), ca, time.Now().Add(-time.Minute)))},
	}
	cases := []struct {
		auth   ClientAuth
		verify bool
		trust  string
		want   string // in the order of clients, + is let in
	}{
		{NoClientAuth, false, "", "++++"},
		{NoClientAuth, true, f.trust, "++++"},
		{OptionalClientAuth, false, f.trust, "++++"},
		{OptionalClientAuth, true, f.trust, "++--"},
		{RequireClientAuth, false, "", "-+++"},
		{RequireClientAuth, true, f.trust, "-+--"},
		{RequireClientAuth, true, "", "----"},  // the system's roots
		{OptionalClientAuth, true, "", "+---"}, // the same
	}
	for _, c := range cases {
		p := New(Options{CertPath: f.cert, KeyPath: f.key, ClientAuth: c.auth, AuthClient: c.verify, TrustCertPath: c.trust}, quiet)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for i, client := range clients {
				config := client.config.Clone()
				config.MaxVersion = version
				o := connect(t, p, config)
				if want := c.want[i] == '+'; o.ok() != want || (o.server == nil) != want {
					t.Errorf("%v, authClient %v, trust %q, %s, a client with %s: %v, %v", c.auth, c.verify, c.trust,
						tls.VersionName(version), client.name, o.server, o.client)
				} else if !want && !errors.Is(o.server, ErrHandshake) {
					t.Errorf("the error is %v", o.server)
				}
			}
		}
	}
}

func TestParseWords(t *testing.T) {
	for word, want := range map[string]Mode{"permissive": Permissive, "enforcing": Enforcing, "disabled": Disabled} {
		if got, known := ParseMode(word); got != want || !known {
			t.Errorf("ParseMode(%q) = %v, %v", word, got, known)
		}
	}
	for _, word := range []string{"", "ENFORCING", "enforced"} {
		if got, known := ParseMode(word); got != Permissive || known {
			t.Errorf("ParseMode(%q) = %v, %v", word, got, known)
		}
	}
	for word, want := range map[string]ClientAuth{"none": NoClientAuth, "Optional": OptionalClientAuth, "REQUIRE": RequireClientAuth} {
		if got, known := ParseClientAuth(word); got != want || !known || !strings.EqualFold(got.String(), word) {
			t.Errorf("ParseClientAuth(%q) = %v, %v", word, got, known)
		}
	}
	for _, word := range []string{"", "required"} {
		if got, known := ParseClientAuth(word); got != NoClientAuth || known {
			t.Errorf("ParseClientAuth(%q) = %v, %v", word, got, known)
		}
	}
}

func TestTheDescriptorIsForAllThatIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := client.Write([]byte("frame")); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Mode: Disabled}, quiet).Accept(server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SyscallConn(); err == nil {
		t.Error("what Accept has read is passed over")
	}
	if _, err := io.ReadFull(c, make([]byte, len("frame"))); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SyscallConn(); err != nil {
		t.Errorf("a plain connection: %v", err)
	}
	if _, err := (&Conn{Conn: tls.Server(server, nil)}).SyscallConn(); err == nil {
		t.Error("a secure connection is read below TLS")
	}
}
