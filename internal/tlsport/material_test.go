package tlsport

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeysOfAllForms(t *testing.T) {
	ca := newCA(t, "ca")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec := issue(t, "server", newKey(t), ca)
	sec1, err := x509.MarshalECPrivateKey(ec.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	server := issue(t, "server", rsaKey, ca)
	encode := func(blocks ...*pem.Block) []byte {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		return text
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(rsaKey)
	encrypted := testKey(t, "pbe-sha1-rc4-128.pem")
	plain, err := parseKey(testKey(t, "plain.pem"), "")
	if err != nil {
		t.Fatal(err)
	}
	secret := issue(t, "server", plain, ca)
	cases := map[string]struct {
		id       *identity
		key      []byte
		password string
		want     string // in the log; empty: it works
	}{
		"PKCS #8":             {server, server.keyPEM(t), "", ""},
		"a needless password": {server, server.keyPEM(t), "s3cret", ""},
		"PKCS #1":             {server, encode(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1}), "", ""},
		"SEC 1":               {ec, encode(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}}, &pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), "", ""},
		"after a certificate": {ec, append(ca.certPEM(), ec.keyPEM(t)...), "", ""},
		"encrypted":           {secret, encrypted, "s3cret", ""},
		"wrong password":      {secret, encrypted, "secret", "password is wrong"},
		"no password":         {secret, encrypted, "", "password is wrong"},
		"encrypted in the old way": {server, encode(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1,
			Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}}), "s3cret", "openssl pkcs8 -topk8"},
		"no key": {ec, ca.certPEM(), "", "no private key"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			write(t, f.cert, append(c.id.certPEM(), ca.certPEM()...))
			write(t, f.key, c.key)
			p := newPort(Options{CertPath: f.cert, KeyPath: f.key, KeyPassword: c.password})
			if loaded := p.Stats().Loaded; loaded != (c.want == "") || !strings.Contains(p.log.String(), c.want) {
				t.Fatalf("loaded %v:\n%s", loaded, p.log)
			}
			if c.password != "" && strings.Contains(p.log.String(), c.password) {
				t.Errorf("the password is in the log:\n%s", p.log)
			}
			if c.want == "" {
				if o := connect(t, p.Port, trusting(ca)); !o.ok() || len(o.state.PeerCertificates) != 2 {
					t.Errorf("%v, %v, %d certificates", o.server, o.client, len(o.state.PeerCertificates))
				}
			}
		})
	}
}

// testKey reads one of the forms of a key that OpenSSL wrote.
func testKey(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "pkcs8", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
