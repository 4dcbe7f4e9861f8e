package pkcs8

import (
	"encoding/binary"
	"unicode/utf16"
)

// pbkdf1 is RFC 8018 section 5.1, whose 16 bytes are key and IV.
func pbkdf1(s pbes1Scheme, password string, salt []byte, iterations int) (key, iv []byte) {
	h := s.newHash()
	h.Write([]byte(password))
	h.Write(salt)
	sum := h.Sum(nil)
	for range iterations - 1 {
		h.Reset()
		h.Write(sum)
		sum = h.Sum(sum[:0])
	}
	return sum[:8], sum[8:16]
}

// pkcs12 is RFC 7292 appendix B.2, once for the key and once for an IV of 8
// bytes.
func pkcs12(s pbes1Scheme, password string, salt []byte, iterations int) (key, iv []byte) {
	return pkcs12Derive(s, 1, password, salt, iterations, s.keyLen),
		pkcs12Derive(s, 2, password, salt, iterations, 8)
}

// pkcs12Derive derives n bytes for the purpose that id stands for.
func pkcs12Derive(s pbes1Scheme, id byte, password string, salt []byte, iterations, n int) []byte {
	h := s.newHash()
	size := h.BlockSize()
	diversifier := make([]byte, size)
	for i := range diversifier {
		diversifier[i] = id
	}
	// The password is UTF-16 with a zero at its end.
	var wide []byte
	for _, unit := range append(utf16.Encode([]rune(password)), 0) {
		wide = binary.BigEndian.AppendUint16(wide, unit)
	}
	input := append(fill(salt, size), fill(wide, size)...)
	var out []byte
	for {
		h.Reset()
		h.Write(diversifier)
		h.Write(input)
		sum := h.Sum(nil)
		for range iterations - 1 {
			h.Reset()
			h.Write(sum)
			sum = h.Sum(sum[:0])
		}
		if out = append(out, sum...); len(out) >= n {
			return out[:n]
		}
		add := fill(sum, size)[:size]
		for at := 0; at < len(input); at += size {
			addOne(input[at:at+size], add)
		}
	}
}

// fill repeats b up to the next whole number of blocks.
func fill(b []byte, size int) []byte {
	if len(b) == 0 {
		return nil
	}
	whole := (len(b) + size - 1) / size * size
	filled := make([]byte, 0, whole+len(b))
	for len(filled) < whole {
		filled = append(filled, b...)
	}
	return filled[:whole]
}

// addOne adds b and 1 to a, both big-endian numbers of one length; what does
// not fit is dropped.
func addOne(a, b []byte) {
	carry := 1
	for i := len(a) - 1; i >= 0; i-- {
		carry += int(a[i]) + int(b[i])
		a[i] = byte(carry)
		carry >>= 8
	}
}
