package gateway_test

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"signpost/e2e/gateway"
)

// token is gateway.Token, and the test's end if that fails.
func token(t *testing.T, key *rsa.PrivateKey, algorithm string, claims map[string]any) string {
	t.Helper()
	text, err := gateway.Token(key, algorithm, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := func() map[string]any {
		return map[string]any{"iss": "https://issuer.test", "aud": []string{"x", "signpost"}, "exp": now.Unix() + 1, "sub": "shim-1",
			"scope": "signpost/read other", "groups": []string{"a", "b"}}
	}
	with := func(name string, value any) map[string]any {
		c := good()
		c[name] = value
		if value == nil {
			delete(c, name)
		}
		return c
	}
	for _, c := range []struct {
		name   string
		token  string
		status int
	}{
		{"good", token(t, key, "RS256", good()), 200},
		{"client_id for aud", token(t, key, "RS256", func() map[string]any { c := with("aud", nil); c["client_id"] = "signpost"; return c }()), 200},
		{"none", "", 401},
		{"garbage", "a.b.c", 401},
		{"another key", token(t, other, "RS256", good()), 401},
		{"another algorithm", token(t, key, "none", good()), 401},
		{"another issuer", token(t, key, "RS256", with("iss", "https://evil.test")), 401},
		{"another audience", token(t, key, "RS256", with("aud", "y")), 401},
		{"ran out", token(t, key, "RS256", with("exp", now.Unix())), 401},
		{"not yet", token(t, key, "RS256", with("nbf", now.Unix()+1)), 401},
		{"another scope", token(t, key, "RS256", with("scope", "signpost/admin")), 403},
	} {
		var f capture
		g := open(t, &f, func(o *gateway.Options) {
			o.Routes = []gateway.Route{{Key: "$default", Auth: gateway.JWT, Scopes: []string{"signpost/read"}, Function: &f}}
			o.Issuer = &gateway.Issuer{Name: "https://issuer.test", Audience: "signpost", Key: &key.PublicKey}
			o.Now = func() time.Time { return now }
		})
		resp, body := call(t, g, request("GET", "/", nil, "Authorization", "Bearer "+c.token))
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, resp.StatusCode, body, c.status)
		}
		if c.status != 200 {
			if resp.Header.Get("Www-Authenticate") == "" || f.event != nil {
				t.Errorf("%s: no challenge, or the function was called", c.name)
			}
			continue
		}
		jwt := f.event["requestContext"].(map[string]any)["authorizer"].(map[string]any)["jwt"].(map[string]any)
		claims := jwt["claims"].(map[string]any)
		if claims["sub"] != "shim-1" || claims["groups"] != "[a b]" || claims["exp"] != "1767225601" || len(jwt["scopes"].([]any)) != 1 {
			t.Errorf("%s: told as %v", c.name, jwt)
		}
	}
}
