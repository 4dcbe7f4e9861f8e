package gateway

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Issuer checks tokens as a JWT authorizer does: RS256, by one key.
type Issuer struct {
	// Name and Audience are what iss and aud (or client_id) have to say.
	Name, Audience string
	Key            *rsa.PublicKey
}

// jwtCaller is requestContext.authorizer.jwt. All claims are told as strings.
type jwtCaller struct {
	Claims map[string]string `json:"claims"`
	Scopes []string          `json:"scopes"`
}

// judge checks the token in an Authorization header. A refusal is 401 for a
// token that is none, 403 for one without the scope.
func (i *Issuer) judge(header string, scopes []string, now time.Time) (*jwtCaller, error) {
	claims, err := i.claims(strings.TrimPrefix(header, "Bearer "), now)
	if err != nil {
		no := refuse(http.StatusUnauthorized, "Unauthorized", err)
		no.header = http.Header{"Www-Authenticate": {"Bearer"}}
		return nil, no
	}
	caller := &jwtCaller{Claims: map[string]string{}}
	for name, v := range claims {
		caller.Claims[name] = claimText(v)
	}
	has := strings.Fields(caller.Claims["scope"])
	if len(scopes) > 0 {
		caller.Scopes = slices.DeleteFunc(slices.Clone(has), func(s string) bool { return !slices.Contains(scopes, s) })
		if len(caller.Scopes) == 0 {
			no := refuse(http.StatusForbidden, "Forbidden", fmt.Errorf("has scopes %v, needs one of %v", has, scopes))
			no.header = http.Header{"Www-Authenticate": {`Bearer scope="` + strings.Join(scopes, " ") + `" error="insufficient_scope"`}}
			return nil, no
		}
	}
	return caller, nil
}

// claimText is how the service tells a claim: lists in brackets, the rest as
// JSON writes it, without quotes.
func claimText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return "[" + strings.Join(list, " ") + "]"
	}
	return string(raw)
}

func (i *Issuer) claims(token string, now time.Time) (map[string]json.RawMessage, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("no token")
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	if err := decodePart(parts[0], &head); err != nil || head.Algorithm != "RS256" {
		return nil, fmt.Errorf("token is of %q: %w", head.Algorithm, err)
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, fmt.Errorf("token's signature: %w", err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(i.Key, crypto.SHA256, sum[:], sig); err != nil {
		return nil, fmt.Errorf("token's signature: %w", err)
	}
	var claims map[string]json.RawMessage
	var known struct {
		Issuer    string          `json:"iss"`
		Audience  json.RawMessage `json:"aud"`
		Client    string          `json:"client_id"`
		Expires   float64         `json:"exp"`
		NotBefore float64         `json:"nbf"`
	}
	if err := errors.Join(decodePart(parts[1], &claims), decodePart(parts[1], &known)); err != nil {
		return nil, fmt.Errorf("token's claims: %w", err)
	}
	at := float64(now.Unix())
	switch {
	case known.Issuer != i.Name:
		return nil, fmt.Errorf("token of %q", known.Issuer)
	case !i.meant(known.Audience, known.Client):
		return nil, fmt.Errorf("token for %s %q", known.Audience, known.Client)
	case known.Expires <= at || known.NotBefore > at:
		return nil, errors.New("token is not good now")
	}
	return claims, nil
}

// meant says whether the token is for this API. Who has no aud is told by
// client_id.
func (i *Issuer) meant(audience json.RawMessage, client string) bool {
	if audience == nil {
		return client == i.Audience
	}
	var one string
	var many []string
	_ = json.Unmarshal(audience, &one)
	_ = json.Unmarshal(audience, &many)
	return one == i.Audience || slices.Contains(many, i.Audience)
}

func decodePart(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// Token makes a token of claims, signed by RS256 whatever algorithm its header
// is to name.
func Token(key *rsa.PrivateKey, algorithm string, claims map[string]any) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": algorithm})
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
