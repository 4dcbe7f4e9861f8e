package compare

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" // what the protocol has; HMAC does not rest on SHA-1's collisions
	"encoding/base64"
	"slices"

	"signpost/internal/remoting"
)

// Account is whom a NameServer with access control is asked as.
type Account struct{ AccessKey, SecretKey string }

// sign returns the fields with the account's key and signature, of a request
// without a body (Java: AclClientRPCHook). Nobody signs nothing.
func (a *Account) sign(fields remoting.Fields) remoting.Fields {
	if a == nil {
		return fields
	}
	signed := append(remoting.Fields{{Key: "AccessKey", Value: a.AccessKey}}, fields...)
	slices.SortFunc(signed, func(x, y remoting.Field) int { return cmp.Compare(x.Key, y.Key) })
	mac := hmac.New(sha1.New, []byte(a.SecretKey))
	for _, f := range signed {
		mac.Write([]byte(f.Value))
	}
	return append(signed, remoting.Field{Key: "Signature", Value: base64.StdEncoding.EncodeToString(mac.Sum(nil))})
}
