package acl

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what the protocol has; HMAC does not rest on SHA-1's collisions
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"slices"
	"sync"

	"signpost/internal/remoting"
)

// The fields that AclClientRPCHook adds to a request (Java: SessionCredentials).
// The third, SecurityToken, is a field like any other: it is signed, and no
// account asks for one.
const (
	fieldAccessKey = "AccessKey"
	fieldSignature = "Signature"
)

// The fields of zone-aware clients. 5.x clients add them to a request after it
// was signed (MQClientAPIImpl registers DynamicalExtFieldRPCHook last), brokers
// before.
const (
	fieldZoneName = "__ZONE_NAME"
	fieldZoneMode = "__ZONE_MODE"
)

// signer makes the signatures of one account.
type signer struct{ pool *sync.Pool }

func newSigner(secret string) signer {
	return signer{&sync.Pool{New: func() any { return &scratch{mac: hmac.New(sha1.New, []byte(secret))} }}}
}

// scratch is the memory for one signature.
type scratch struct {
	mac     hash.Hash
	fields  []remoting.Field
	content []byte
}

// keepContent is the largest memory for content that is kept, in bytes.
const keepContent = 64 << 10

// signed says whether the request has the signature that its sender made with
// the account's secret.
func (s signer) signed(cmd *remoting.Command, zoneUnsigned bool) bool {
	given, ok := cmd.ExtFields.Get(fieldSignature)
	if !ok {
		return false
	}
	w := s.pool.Get().(*scratch)
	defer s.pool.Put(w)
	w.content, w.fields = appendContent(w.content[:0], w.fields[:0], cmd.ExtFields, zoneUnsigned)
	w.mac.Reset()
	w.mac.Write(w.content)
	w.mac.Write(cmd.Body)
	var sum [sha1.Size]byte
	var want [(sha1.Size + 2) / 3 * 4]byte
	base64.StdEncoding.Encode(want[:], w.mac.Sum(sum[:0]))
	clear(w.fields) // they hold the header's memory
	if cap(w.content) > keepContent {
		w.content = nil
	}
	return subtle.ConstantTimeCompare(want[:], []byte(given)) == 1
}

// appendContent appends what is signed of a header's fields: their values in
// the order of their keys, with nothing between them, without the signature
// (Java: AclUtils.combineRequestContent over a TreeMap). Of fields with the
// same key the last one counts. spare is memory to sort in.
func appendContent(dst []byte, spare []remoting.Field, fields remoting.Fields, zoneUnsigned bool) ([]byte, []remoting.Field) {
	for _, f := range fields {
		if f.Key == fieldSignature || zoneUnsigned && (f.Key == fieldZoneName || f.Key == fieldZoneMode) {
			continue
		}
		spare = append(spare, f)
	}
	slices.SortStableFunc(spare, func(a, b remoting.Field) int { return compare(a.Key, b.Key) })
	for i, f := range spare {
		if i+1 == len(spare) || spare[i+1].Key != f.Key {
			dst = append(dst, f.Value...)
		}
	}
	return dst, spare
}

// compare orders strings as Java's String.compareTo, by UTF-16 units. That is
// the order of their bytes, but that characters above U+FFFF, which begin with
// a byte from 0xf0 on, come before those from U+E000 on, which begin with 0xee
// or 0xef.
func compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0) {
			return int(y) - int(x)
		}
		return int(x) - int(y)
	}
	return len(a) - len(b)
}
