//go:build e2e

package functions_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"signpost/e2e/functions/stack"
	"signpost/e2e/gateway"
)

// With JWTs instead of signatures: scopes are the classes, subjects the callers.
func TestTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const issuer = "https://issuer.test"
	s := start(t, func(o *stack.Options) {
		o.Parameters = map[string]string{"JwtIssuer": issuer, "JwtAudience": "signpost", "Clusters": `{"shim-1": ["mine"]}`}
		o.Issuer = &gateway.Issuer{Name: issuer, Audience: "signpost", Key: &key.PublicKey}
	})
	as := func(subject, scope string) *gateway.Caller {
		token, err := gateway.Token(key, "RS256", map[string]any{
			"iss": issuer, "aud": "signpost", "exp": time.Now().Add(time.Hour).Unix(), "sub": subject, "scope": scope})
		if err != nil {
			t.Fatal(err)
		}
		return &gateway.Caller{Endpoint: s.Endpoint, Token: token}
	}
	body := s.registration("a").with("clusterName", "mine").json()
	foreign := s.registration("a").with("brokerName", s.broker+"-2").json()
	for _, c := range []struct {
		name           string
		by             *gateway.Caller
		method, target string
		body           []byte
		status         int
	}{
		{"a registration", as("shim-1", "signpost/register"), "PUT", "/v1/register/broker", body, 200},
		{"another cluster", as("shim-1", "signpost/register"), "PUT", "/v1/register/broker", foreign, 403},
		{"another subject", as("shim-2", "signpost/register"), "PUT", "/v1/register/broker", body, 403},
		{"another scope", as("shim-1", "signpost/read"), "PUT", "/v1/register/broker", body, 403},
		{"a lookup", as("shim-2", "signpost/read other"), "GET", "/v1/read/route?topic=a&revision=1", nil, 200},
		{"a lookup by a signature", s.As(stack.Reader), "GET", "/v1/read/route?topic=a", nil, 401},
		{"a lookup by nobody", &gateway.Caller{Endpoint: s.Endpoint}, "GET", "/v1/read/route?topic=a", nil, 401},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		r, err := c.by.Do(ctx, c.method, c.target, c.body, "Content-Type", typeJSON)
		cancel()
		if err != nil || r.Status != c.status {
			t.Errorf("%s: %v, %v, want %d", c.name, r, err, c.status)
		}
	}
}
