package tlsport

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"time"

	"signpost/internal/pkcs8"
)

// maxFile is the largest file that is read, in bytes. System-wide bundles of
// roots have some 200 KB.
const maxFile = 4 << 20

// content is what a look at a file found.
type content struct {
	data []byte
	err  error
}

// digest tells contents apart, those that could not be read too.
type digest [sha256.Size]byte

func (c content) digest() digest {
	if c.err != nil {
		return sha256.Sum256([]byte("error: " + c.err.Error()))
	}
	return sha256.Sum256(c.data)
}

// look reads the file at path, which setting names. A FIFO or a device would
// block: they are refused.
func look(setting, path string) content {
	if path == "" {
		return content{err: fmt.Errorf("%s is not set", setting)}
	}
	data, err := readFile(path, maxFile)
	if err != nil {
		err = fmt.Errorf("%s: %w", setting, err)
	}
	return content{data, err}
}

func readFile(path string, limit int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, err
}

// parsePair makes a certificate of what the two files hold. It is an error if
// they do not belong together.
func parsePair(cert, key content, password string) (*tls.Certificate, error) {
	if err := errors.Join(cert.err, key.err); err != nil {
		return nil, err
	}
	chain, err := parseCertificates(cert.data)
	if err != nil {
		return nil, fmt.Errorf("tls.server.certPath: %w", err)
	}
	signer, err := parseKey(key.data, password)
	if err != nil {
		return nil, fmt.Errorf("tls.server.keyPath: %w", err)
	}
	public, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(signer.Public()) {
		return nil, errors.New("the private key in tls.server.keyPath is not that of the first certificate in tls.server.certPath")
	}
	pair := &tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}

// parseRoots makes a pool of the certificates in the trust file.
func parseRoots(trust content) (*x509.CertPool, error) {
	if trust.err != nil {
		return nil, trust.err
	}
	certificates, err := parseCertificates(trust.data)
	if err != nil {
		return nil, fmt.Errorf("tls.server.trustCertPath: %w", err)
	}
	roots := x509.NewCertPool()
	for _, c := range certificates {
		roots.AddCert(c)
	}
	return roots, nil
}

// parseCertificates returns all certificates in text; none at all is an error.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	blocks, err := parsePEM(text)
	if err != nil {
		return nil, err
	}
	var certificates []*x509.Certificate
	for i, block := range blocks {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", i+1, err)
		}
		certificates = append(certificates, c)
	}
	if len(certificates) == 0 {
		return nil, errors.New("there is no certificate in PEM form")
	}
	return certificates, nil
}

// parseKey returns the first private key in text.
func parseKey(text []byte, password string) (crypto.Signer, error) {
	blocks, err := parsePEM(text)
	if err != nil {
		return nil, err
	}
	for _, block := range blocks {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			key, err = pkcs8.ParseEncrypted(block.Bytes, password)
		case "RSA PRIVATE KEY", "EC PRIVATE KEY":
			switch {
			case block.Headers["DEK-Info"] != "":
				err = errors.New("it is encrypted in OpenSSL's old way: convert it with openssl pkcs8 -topk8")
			case block.Type[0] == 'R':
				key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
			default:
				key, err = x509.ParseECPrivateKey(block.Bytes)
			}
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a %T cannot sign", key)
		}
		return signer, nil
	}
	return nil, errors.New("there is no private key in PEM form")
}

// parsePEM returns all blocks of text. Unlike pem.Decode it does not pass over
// damaged ones: half-written files have those.
func parsePEM(text []byte) ([]*pem.Block, error) {
	begun := bytes.Count(text, []byte("-----BEGIN "))
	var blocks []*pem.Block
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	if len(blocks) != begun {
		return nil, fmt.Errorf("%d of %d PEM blocks are damaged or cut off", begun-len(blocks), begun)
	}
	return blocks, nil
}

// testConfig is the configuration of test mode. Its certificate is made when
// it is asked for, since most servers in test mode are never asked.
func (p *Port) testConfig() *tls.Config {
	made := sync.OnceValues(func() (*tls.Certificate, error) {
		pair, err := selfSigned(p.opts.Now())
		if err == nil {
			p.leaf.Store(pair.Leaf)
		}
		return pair, err
	})
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return made() },
		ClientAuth:     tls.RequestClientCert,
		Time:           p.opts.Now,
		MinVersion:     tls.VersionTLS12,
	}
}

// selfSigned makes a certificate for localhost that is valid for ten years.
func selfSigned(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    now.Add(-24 * time.Hour), // for clients whose clock is behind
		NotAfter:     now.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
