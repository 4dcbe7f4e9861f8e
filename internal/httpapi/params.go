package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"signpost/core"
)

// maxName bounds names, in bytes. RocketMQ allows 127 for a topic and 255 for
// a group, whose retry topic is a little longer; a key of the store has room
// for 1,024.
const maxName = 512

// signaturePrefix begins the parameters of a presigned request (AWS Signature
// Version 4), which are for whoever verifies it.
const signaturePrefix = "X-Amz-"

// params are a call's query parameters, each at most once.
type params map[string]string

// parseParams reads the query, of which the call takes those names only.
func parseParams(query string, names []string) (params, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, &core.FieldError{Field: "query", Reason: err.Error()}
	}
	p := params{}
	for name, all := range values {
		switch {
		case strings.HasPrefix(name, signaturePrefix):
			continue
		case !slices.Contains(names, name):
			return nil, &core.FieldError{Field: clip(name), Reason: "is no parameter of this call"}
		case len(all) > 1:
			return nil, &core.FieldError{Field: name, Reason: "is there twice"}
		}
		if err := checkName(name, all[0]); err != nil {
			return nil, err
		}
		p[name] = all[0]
	}
	return p, nil
}

// String is the query as it was understood, sorted: a signature, and the
// token beside it, are for no log.
func (p params) String() string {
	values := make(url.Values, len(p))
	for name, value := range p {
		values.Set(name, value)
	}
	return values.Encode()
}

// clip makes a caller's text fit for an answer.
func clip(s string) string {
	const longest = 64
	return strconv.QuoteToASCII(s[:min(len(s), longest)])
}

// checkName refuses what no name is.
func checkName(field, name string) error {
	switch {
	case len(name) > maxName:
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", maxName)}
	case !utf8.ValidString(name):
		return &core.FieldError{Field: field, Reason: "is not UTF-8"}
	case slices.ContainsFunc([]byte(name), func(c byte) bool { return c < ' ' || c == 0x7f }):
		return &core.FieldError{Field: field, Reason: "has a control character"}
	}
	return nil
}

// need returns a parameter that has to be there.
func (p params) need(name string) (string, error) {
	if p[name] == "" {
		return "", &core.FieldError{Field: name, Reason: "is missing"}
	}
	return p[name], nil
}

// flag returns a parameter that is true or false; absent is false.
func (p params) flag(name string) (bool, error) {
	switch v, ok := p[name]; {
	case v == "true":
		return true, nil
	case v == "false" || !ok:
		return false, nil
	}
	return false, &core.FieldError{Field: name, Reason: "is neither true nor false"}
}

// revision returns the revision that the caller knows; absent is 0.
func (p params) revision() (core.Revision, error) {
	v, ok := p["revision"]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return 0, &core.FieldError{Field: "revision", Reason: "is no revision"}
	}
	return core.Revision(n), nil
}

// token returns a parameter that is an identifier of the caller's making.
func (p params) token(name string) (string, error) {
	v, err := p.need(name)
	if err == nil {
		err = checkToken(name, v)
	}
	return v, err
}

// maxToken bounds the identifiers of sessions and gateways.
const maxToken = 64

func checkToken(field, token string) error {
	if len(token) > maxToken || slices.ContainsFunc([]byte(token), func(c byte) bool { return !inToken[c] }) {
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("is not 1 to %d of A-Z a-z 0-9 . _ ~ -", maxToken)}
	}
	return nil
}

var inToken = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") {
		t[c] = true
	}
	return t
}()
