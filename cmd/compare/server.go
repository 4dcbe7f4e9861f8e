package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"signpost/internal/compare"
)

// tlsScheme before HOST:PORT says that the NameServer is asked with TLS.
const tlsScheme = "tls://"

// maxFile bounds the files that are named on the command line, in bytes.
const maxFile = 1 << 20

// parseServer reads HOST:PORT, or tls://HOST:PORT.
func parseServer(text string, secure *tls.Config) (compare.Server, error) {
	addr, withTLS := strings.CutPrefix(text, tlsScheme)
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return compare.Server{}, fmt.Errorf("%s is not HOST:PORT", text)
	}
	if !withTLS {
		secure = nil
	}
	return compare.Server{Addr: addr, TLS: secure}, nil
}

// tlsConfig says which certificates are trusted: those in the file, any, or
// those that the system trusts.
func tlsConfig(trust string, any bool) (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: any} //nolint:gosec // only if asked for
	if trust == "" {
		return c, nil
	}
	text, err := readFile(trust)
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("trust: %s has no certificate", trust)
	}
	return c, nil
}

// readAccount reads a file in the manner of RocketMQ's conf/tools.yml; none if
// no file is named. Errors tell nothing of what is in it.
func readAccount(path string) (*compare.Account, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	var a struct {
		AccessKey string `yaml:"accessKey"`
		SecretKey string `yaml:"secretKey"`
	}
	if yaml.Unmarshal(text, &a) != nil || a.AccessKey == "" || a.SecretKey == "" {
		return nil, fmt.Errorf("account: %s is not YAML with accessKey and secretKey", path)
	}
	return &compare.Account{AccessKey: a.AccessKey, SecretKey: a.SecretKey}, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New(path + " is too long")
	}
	return text, err
}
