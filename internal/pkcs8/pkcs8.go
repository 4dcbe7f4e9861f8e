// Package pkcs8 reads private keys that are encrypted with a password
// (EncryptedPrivateKeyInfo, RFC 5958).
//
// It knows the older schemes too, of RFC 8018 section 6.1 (PBES1) and RFC 7292
// appendix C (PKCS #12), because the keys of RocketMQ installations have them:
// Java 8 reads no others, and RocketMQ's own TLS guide makes keys with
// PBE-SHA1-RC4-128. Nothing here encrypts.
package pkcs8

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// ErrPassword says that a key cannot be decrypted with the password given. A
// damaged key looks the same.
var ErrPassword = errors.New("the password is wrong or the key is damaged")

// maxIterations bounds the work that a file can ask for, to about a second.
const maxIterations = 2_000_000

// ParseEncrypted decrypts and parses a DER-encoded EncryptedPrivateKeyInfo, the
// content of a PEM block of type ENCRYPTED PRIVATE KEY. The result is as that
// of [x509.ParsePKCS8PrivateKey]. The error wraps ErrPassword, or says what
// the key is encrypted with that is not known here.
func ParseEncrypted(der []byte, password string) (any, error) {
	var info struct {
		Scheme pkix.AlgorithmIdentifier
		Data   []byte
	}
	if err := unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("encrypted private key: %w", err)
	}
	plain, err := decrypt(info.Scheme, info.Data, password)
	if err != nil {
		return nil, fmt.Errorf("encrypted private key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		// Without the padding of a block cipher this is the only sign.
		return nil, fmt.Errorf("encrypted private key: %w", ErrPassword)
	}
	return key, nil
}

func decrypt(scheme pkix.AlgorithmIdentifier, data []byte, password string) ([]byte, error) {
	if scheme.Algorithm.Equal(oidPBES2) {
		return decryptPBES2(scheme.Parameters.FullBytes, data, password)
	}
	for _, s := range pbes1Schemes {
		if scheme.Algorithm.Equal(s.oid) {
			return s.decrypt(scheme.Parameters.FullBytes, data, password)
		}
	}
	return nil, fmt.Errorf("unknown scheme %v: encrypt the key anew with openssl pkcs8 -topk8", scheme.Algorithm)
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

// pbkdf2Hashes are the functions of RFC 8018 appendix B.1.2; the first is the
// default.
var pbkdf2Hashes = []struct {
	oid asn1.ObjectIdentifier
	new func() hash.Hash
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}, sha1.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 8}, sha256.New224},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, sha256.New},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 10}, sha512.New384},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}, sha512.New},
}

// pbes2Ciphers are those of RFC 8018 appendix B.2 that are in use, all in CBC
// mode with the IV as their parameter.
var pbes2Ciphers = []struct {
	oid    asn1.ObjectIdentifier
	keyLen int
	new    func(key []byte) (cipher.Block, error)
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16, aes.NewCipher},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24, aes.NewCipher},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32, aes.NewCipher},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}, 24, des.NewTripleDESCipher},
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 7}, 8, des.NewCipher},
}

// decryptPBES2 is RFC 8018 section 6.2.2.
func decryptPBES2(parameters, data []byte, password string) ([]byte, error) {
	var scheme struct{ Derivation, Cipher pkix.AlgorithmIdentifier }
	if err := unmarshal(parameters, &scheme); err != nil {
		return nil, fmt.Errorf("PBES2: %w", err)
	}
	if !scheme.Derivation.Algorithm.Equal(oidPBKDF2) {
		return nil, fmt.Errorf("PBES2: unknown key derivation %v", scheme.Derivation.Algorithm)
	}
	var derivation struct {
		Salt       []byte
		Iterations int
		KeyLen     int                      `asn1:"optional"` // that of the cipher
		Hash       pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if err := unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation); err != nil {
		return nil, fmt.Errorf("PBKDF2: %w", err)
	}
	if err := checkIterations(derivation.Iterations); err != nil {
		return nil, err
	}
	newHash := pbkdf2Hashes[0].new
	if len(derivation.Hash.Algorithm) > 0 {
		newHash = nil
		for _, h := range pbkdf2Hashes {
			if h.oid.Equal(derivation.Hash.Algorithm) {
				newHash = h.new
			}
		}
		if newHash == nil {
			return nil, fmt.Errorf("PBKDF2: unknown function %v", derivation.Hash.Algorithm)
		}
	}
	for _, c := range pbes2Ciphers {
		if !c.oid.Equal(scheme.Cipher.Algorithm) {
			continue
		}
		var iv []byte
		if err := unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
			return nil, fmt.Errorf("PBES2: IV: %w", err)
		}
		key, err := pbkdf2.Key(newHash, password, derivation.Salt, derivation.Iterations, c.keyLen)
		if err != nil {
			return nil, fmt.Errorf("PBKDF2: %w", err)
		}
		block, err := c.new(key)
		if err != nil {
			return nil, fmt.Errorf("PBES2: %w", err)
		}
		return decryptCBC(block, iv, data)
	}
	return nil, fmt.Errorf("PBES2: unknown cipher %v", scheme.Cipher.Algorithm)
}

// pbes1Scheme is one of the schemes whose name says hash, cipher and all.
type pbes1Scheme struct {
	oid     asn1.ObjectIdentifier
	newHash func() hash.Hash
	keyLen  int
	derive  func(s pbes1Scheme, password string, salt []byte, iterations int) (key, iv []byte)
	open    func(key, iv, data []byte) ([]byte, error)
}

var pbes1Schemes = []pbes1Scheme{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3}, md5.New, 8, pbkdf1, openDES},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 10}, sha1.New, 8, pbkdf1, openDES},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 1}, sha1.New, 16, pkcs12, openRC4},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 2}, sha1.New, 5, pkcs12, openRC4},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, sha1.New, 24, pkcs12, openTripleDES},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 4}, sha1.New, 16, pkcs12, openTripleDES},
}

func (s pbes1Scheme) decrypt(parameters, data []byte, password string) ([]byte, error) {
	var p struct {
		Salt       []byte
		Iterations int
	}
	if err := unmarshal(parameters, &p); err != nil {
		return nil, fmt.Errorf("PBES1: %w", err)
	}
	if err := checkIterations(p.Iterations); err != nil {
		return nil, err
	}
	key, iv := s.derive(s, password, p.Salt, p.Iterations)
	return s.open(key, iv, data)
}

func openRC4(key, _, data []byte) ([]byte, error) {
	stream, err := rc4.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(data))
	stream.XORKeyStream(plain, data)
	return plain, nil
}

func openDES(key, iv, data []byte) ([]byte, error) {
	block, err := des.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return decryptCBC(block, iv, data)
}

// openTripleDES takes 24 bytes of key, or 16, the first 8 of which come last
// once more.
func openTripleDES(key, iv, data []byte) ([]byte, error) {
	if len(key) == 16 {
		key = append(key[:16:16], key[:8]...)
	}
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, err
	}
	return decryptCBC(block, iv, data)
}

// decryptCBC decrypts data and takes off the padding of RFC 8018 section 6.1.1.
func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size {
		return nil, fmt.Errorf("an IV of %d bytes where %d are needed", len(iv), size)
	}
	if len(data) == 0 || len(data)%size != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of blocks of %d", len(data), size)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > size {
		return nil, ErrPassword
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, ErrPassword
		}
	}
	return plain[:len(plain)-padding], nil
}

func checkIterations(n int) error {
	if n < 1 || n > maxIterations {
		return fmt.Errorf("%d iterations where 1 to %d are allowed", n, maxIterations)
	}
	return nil
}

// unmarshal is asn1.Unmarshal that allows nothing to follow.
func unmarshal(der []byte, v any) error {
	rest, err := asn1.Unmarshal(der, v)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes after the end")
	}
	return err
}
