package acl

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"signpost/internal/remoting"
)

// Refusal is why a request is refused, in the words of a broker with ACL
// (5.3.3: DefaultAuthenticationHandler, AclAuthorizationHandler).
type Refusal struct {
	reason string // one of five: a label to count by
	text   string
}

// Error is the text for the peer.
func (r *Refusal) Error() string { return r.text }

// Code is what such brokers answer with.
func (r *Refusal) Code() remoting.Code { return remoting.NoPermission }

var (
	errUnsigned  = &Refusal{reason: "acl: no account", text: "username cannot be null."}
	errSignature = &Refusal{reason: "acl: signature", text: "check signature failed."}
)

func errUnknown(key string) *Refusal {
	return &Refusal{reason: "acl: unknown account", text: "User:" + shorten(key) + " is not found."}
}

func errPermission(key string, class Class, code remoting.Code, from netip.Addr) *Refusal {
	reason, what := "acl: permission", "NameServer:"+class.String()
	if class == none {
		reason, what = "acl: unknown code", "RequestCode:"+strconv.Itoa(int(code))
	}
	return &Refusal{reason, "User:" + key + " has no permission to access " + what + " from " + from.String() + ", no matched policies."}
}

// shownKey is how much of a peer's accessKey is told again, in bytes.
const shownKey = 64

func shorten(key string) string {
	if len(key) <= shownKey {
		return key
	}
	cut := shownKey
	for cut > 0 && !utf8.RuneStart(key[cut]) {
		cut--
	}
	return strings.Clone(key[:cut]) + "..."
}
