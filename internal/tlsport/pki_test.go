package tlsport

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newCA makes a root.
func newCA(t *testing.T, name string) *identity {
	t.Helper()
	return issue(t, name, newKey(t), nil)
}

// issue makes a certificate for key, valid for an hour from now, signed by ca
// or, if that is nil, by itself. Each has a serial number of its own.
func issue(t *testing.T, name string, key crypto.Signer, ca *identity) *identity {
	t.Helper()
	return issueUntil(t, name, key, ca, time.Now().Add(time.Hour))
}

func issueUntil(t *testing.T, name string, key crypto.Signer, ca *identity, notAfter time.Time) *identity {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    notAfter.Add(-2 * time.Hour),
		NotAfter:     notAfter,
		DNSNames:     []string{name},
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	} else {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{cert, key}
}

func (id *identity) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.cert.Raw})
}

func (id *identity) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (id *identity) certificate() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{id.cert.Raw}, PrivateKey: id.key}
}

// files is a folder with the files of a server.
type files struct{ cert, key, trust string }

func newFiles(t *testing.T) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"), filepath.Join(dir, "ca.pem")}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// put writes the certificate and the key of id.
func (f files) put(t *testing.T, id *identity) {
	t.Helper()
	write(t, f.cert, id.certPEM())
	write(t, f.key, id.keyPEM(t))
}

// logbook collects what a Port logs, one entry per line.
type logbook struct{ bytes.Buffer }

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&l.Buffer, nil))
}

func (l *logbook) lines() int { return bytes.Count(l.Bytes(), []byte("\n")) }

// loopback returns the two ends of a TCP connection.
func loopback(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second) // so that a test that hangs ends
	if err := client.SetDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// outcome is what came of a TLS connection.
type outcome struct {
	server  error // of Accept
	client  error // of sending a text and reading it back
	state   tls.ConnectionState
	peerTLS bool // the server has a *tls.Conn
}

// ok reports whether a text went there and back.
func (o outcome) ok() bool { return o.server == nil && o.client == nil }

// connect makes a TLS connection to p, after the bytes of prefix, and sends a
// text there and back.
func connect(t *testing.T, p *Port, config *tls.Config, prefix ...byte) outcome {
	t.Helper()
	client, server := loopback(t)
	var o outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close()
		var c *Conn
		if c, o.server = p.Accept(server); o.server != nil {
			return
		}
		_, o.peerTLS = c.Conn.(*tls.Conn)
		b := make([]byte, 4)
		if _, err := c.Read(b); err == nil {
			_, _ = c.Write(b)
		}
	}()
	_, o.client = client.Write(prefix)
	secure := tls.Client(client, config)
	if o.client == nil {
		_, o.client = secure.Write([]byte("ping"))
	}
	if o.client == nil {
		b := make([]byte, 4)
		_, o.client = secure.Read(b)
	}
	o.state = secure.ConnectionState()
	client.Close()
	<-done
	return o
}

// trusting is the configuration of a client that knows the roots of cas and
// has the certificates of ids.
func trusting(cas ...*identity) *tls.Config {
	roots := x509.NewCertPool()
	for _, ca := range cas {
		roots.AddCert(ca.cert)
	}
	return &tls.Config{RootCAs: roots, ServerName: "server"}
}

func as(config *tls.Config, id *identity) *tls.Config {
	config = config.Clone()
	certificate := id.certificate()
	// Whatever the server asks for: to hold back a certificate that it cannot
	// trust is the client's choice.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
	return config
}

// serial returns what a new connection to p is served with.
func serial(t *testing.T, p *Port) *big.Int {
	t.Helper()
	o := connect(t, p, &tls.Config{InsecureSkipVerify: true})
	if !o.ok() {
		t.Fatalf("a connection failed: %v, %v", o.server, o.client)
	}
	return o.state.PeerCertificates[0].SerialNumber
}

func wantServed(t *testing.T, p *Port, want *identity) {
	t.Helper()
	if serial(t, p).Cmp(want.cert.SerialNumber) != 0 {
		t.Errorf("the certificate is not that of %s", want.cert.Subject)
	}
}

// runningPort is a Port that polls when poll is called, as Run does.
type runningPort struct {
	*Port
	log *logbook
}

func newPort(opts Options) runningPort {
	l := &logbook{}
	return runningPort{New(opts, l.logger()), l}
}

func (p runningPort) wantStats(t *testing.T, reloads, failures uint64) {
	t.Helper()
	if s := p.Stats(); s.Reloads != reloads || s.Failures != failures {
		t.Errorf("%d reloads and %d failures, want %d and %d; log:\n%s", s.Reloads, s.Failures, reloads, failures, p.log)
	}
}
