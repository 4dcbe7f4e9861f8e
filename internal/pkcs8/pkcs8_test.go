package pkcs8

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The keys in testdata are one key, encrypted by OpenSSL 3.0 in different ways:
//
//	openssl pkcs8 -topk8 -in plain.pem -v1 PBE-SHA1-RC4-128 -passout pass:s3cret -provider legacy -provider default
//	openssl pkcs8 -topk8 -in plain.pem -v2 aes-256-cbc -v2prf hmacWithSHA512 -passout pass:s3cret
//
// They protect nothing.
func readBlock(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s holds no PEM block", path)
	}
	return block.Bytes
}

func plainKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(readBlock(t, "testdata/plain.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

func TestParseEncryptedReadsWhatOpenSSLWrites(t *testing.T) {
	want := plainKey(t)
	paths, err := filepath.Glob("testdata/pbe*.pem")
	if err != nil || len(paths) != 18 {
		t.Fatalf("%d encrypted keys, %v, want 18", len(paths), err)
	}
	unknown := map[string]string{"pbe-sha1-rc2-40.pem": "unknown scheme", "pbes2-scrypt.pem": "unknown key derivation"}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			der := readBlock(t, path)
			password := "s3cret"
			if strings.Contains(path, "utf8") {
				password = "größe 😀"
			}
			got, err := ParseEncrypted(der, password)
			if reason := unknown[filepath.Base(path)]; reason != "" {
				if err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("error %v, want %s", err, reason)
				}
				return
			}
			if err != nil || !want.Equal(got) {
				t.Errorf("got %v, %v", got, err)
			}
			for _, wrong := range []string{"", "s3cres", "s3cret "} {
				if got, err := ParseEncrypted(der, wrong); !errors.Is(err, ErrPassword) {
					t.Errorf("with the password %q: %v, %v", wrong, got, err)
				}
			}
		})
	}
}

func TestParseEncryptedRefusesDamage(t *testing.T) {
	for _, name := range []string{"pbe-sha1-rc4-128.pem", "pbe-md5-des.pem", "pbes2-aes-256-cbc.pem"} {
		der := readBlock(t, "testdata/"+name)
		for n := range der {
			if key, err := ParseEncrypted(der[:n], "s3cret"); err == nil {
				t.Errorf("%s cut off at %d: %v", name, n, key)
			}
		}
		if key, err := ParseEncrypted(append(der[:len(der):len(der)], 0), "s3cret"); err == nil {
			t.Errorf("%s with a byte more: %v", name, key)
		}
	}
}

func TestWorkIsLimited(t *testing.T) {
	if checkIterations(0) == nil || checkIterations(maxIterations+1) == nil {
		t.Error("a number of iterations out of bounds is accepted")
	}
	if err := checkIterations(maxIterations); err != nil {
		t.Error(err)
	}
}

func FuzzParseEncrypted(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.pem")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		f.Add(readBlock(f, path), "s3cret")
	}
	f.Fuzz(func(t *testing.T, der []byte, password string) {
		if key, err := ParseEncrypted(der, password); (key == nil) == (err == nil) {
			t.Errorf("key %v, error %v", key, err)
		}
	})
}
