package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"signpost/e2e/gateway"
)

const region = "eu-central-1"

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// signed signs r as that user. The host is the one that call connects to only
// because it is signed as api.test.
func signed(t *testing.T, r *http.Request, key string, u gateway.User, body []byte, at time.Time) {
	t.Helper()
	r.Host = "api.test"
	creds := aws.Credentials{AccessKeyID: key, SecretAccessKey: u.Secret, SessionToken: u.Session}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hashOf(body), "execute-api", region, at); err != nil {
		t.Fatal(err)
	}
}

func TestSignatures(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	readers := []gateway.Policy{{{Actions: []string{"execute-api:Invoke"}, Resources: []string{"arn:aws:execute-api:*:*:*/*/*/v1/read/*"}}}}
	users := map[string]gateway.User{
		"READER": {ARN: "arn:aws:iam::123456789012:user/reader", Secret: "secret", Policies: readers},
		"ROLE":   {ARN: "arn:aws:sts::123456789012:assumed-role/r/s", Secret: "secret", Session: "token", Policies: readers},
		"NOBODY": {ARN: "arn:aws:iam::123456789012:user/nobody", Secret: "secret"},
	}
	body := []byte(`{"topics":[]}`)
	for _, c := range []struct {
		name   string
		target string
		change func(r *http.Request, sign func(key string, u gateway.User, at time.Time))
		status int
	}{
		{name: "unsigned", change: func(*http.Request, func(string, gateway.User, time.Time)) {}, status: 403},
		{name: "signed", status: 200},
		{name: "free text in the query", target: "/v1/read/routes?topic=%25RETRY%25g+1%2F2&b=2&a=%C3%A4&b=1", status: 200},
		{name: "escapes in the path", target: "/v1/read/%25RETRY%25g%20x", status: 200},
		{name: "with more headers", change: func(r *http.Request, sign func(string, gateway.User, time.Time)) {
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Amz-Content-Sha256", hashOf(body))
			sign("READER", users["READER"], now)
			r.Header.Set("X-Later", "not signed")
		}, status: 200},
		{name: "another hash", change: func(r *http.Request, sign func(string, gateway.User, time.Time)) {
			r.Header.Set("X-Amz-Content-Sha256", hashOf(nil))
			sign("READER", users["READER"], now)
		}, status: 403},
		{name: "temporary credentials", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) { sign("ROLE", users["ROLE"], now) }, status: 200},
		{name: "without the token", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("ROLE", gateway.User{Secret: "secret"}, now)
		}, status: 403},
		{name: "another secret", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", gateway.User{Secret: "other"}, now)
		}, status: 403},
		{name: "unknown key", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("OTHER", users["READER"], now)
		}, status: 403},
		{name: "no policy", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("NOBODY", users["NOBODY"], now)
		}, status: 403},
		{name: "another class", target: "/v1/admin/kv", status: 403},
		{name: "five minutes late", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", users["READER"], now.Add(-5*time.Minute))
		}, status: 200},
		{name: "too late", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", users["READER"], now.Add(-5*time.Minute-time.Second))
		}, status: 403},
		{name: "too early", change: func(_ *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", users["READER"], now.Add(5*time.Minute+time.Second))
		}, status: 403},
		{name: "another body", change: func(r *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", users["READER"], now)
			other := bytes.Replace(body, []byte("topics"), []byte("tropic"), 1)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(other)), int64(len(other))
		}, status: 403},
		{name: "another query", change: func(r *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", users["READER"], now)
			r.URL.RawQuery = "consistent=true"
		}, status: 403},
		{name: "another host", change: func(r *http.Request, sign func(string, gateway.User, time.Time)) {
			sign("READER", users["READER"], now)
			r.Host = "other.test"
		}, status: 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			var f capture
			g := open(t, &f, func(o *gateway.Options) {
				o.Routes = []gateway.Route{{Key: "ANY /v1/{proxy+}", Auth: gateway.IAM, Function: &f}}
				o.Users, o.Region, o.Now = users, region, func() time.Time { return now }
			})
			if c.target == "" {
				c.target = "/v1/read/routes"
			}
			r := request("POST", c.target, body)
			sign := func(key string, u gateway.User, at time.Time) { signed(t, r, key, u, body, at) }
			if c.change == nil {
				sign("READER", users["READER"], now)
			} else {
				c.change(r, sign)
			}
			resp, said := call(t, g, r)
			if resp.StatusCode != c.status {
				t.Errorf("%d %s, want %d", resp.StatusCode, said, c.status)
			}
			if c.status == 403 && (said != `{"message":"Forbidden"}` || f.event != nil || resp.Header.Get("Date") != "Thu, 01 Jan 2026 00:00:00 GMT") {
				t.Errorf("refused with %s at %s, function called: %v", said, resp.Header.Get("Date"), f.event != nil)
			}
			if c.status == 200 && !strings.Contains(string(f.raw), `"userArn":"arn:aws:`) {
				t.Errorf("the event has no userArn: %s", f.raw)
			}
		})
	}
}

func TestSignedURLs(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	u := gateway.User{Secret: "secret", Session: "a/b+c", Policies: []gateway.Policy{{{Actions: []string{"execute-api:*"}, Resources: []string{"*"}}}}}
	at := now
	g := open(t, &capture{}, func(o *gateway.Options) {
		o.Routes = []gateway.Route{{Key: "$default", Auth: gateway.IAM, Function: &capture{}}}
		o.Users, o.Region, o.Now = map[string]gateway.User{"KEY": u}, region, func() time.Time { return at }
	})
	r := request("GET", "/v1/read/route?topic=%25RETRY%25g&X-Amz-Expires=900", nil)
	r.Host = "api.test"
	creds := aws.Credentials{AccessKeyID: "KEY", SecretAccessKey: u.Secret, SessionToken: u.Session}
	target, _, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hashOf(nil), "execute-api", region, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*url.URL)
		later  time.Duration
		status int
	}{
		{"signed", func(*url.URL) {}, 0, 200},
		{"at its end", func(*url.URL) {}, 15 * time.Minute, 200},
		{"after its end", func(*url.URL) {}, 15*time.Minute + time.Second, 403},
		{"another topic", func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "RETRY", "DLQ", 1) }, 0, 403},
		{"a longer life", func(u *url.URL) { u.RawQuery = strings.Replace(u.RawQuery, "Expires=900", "Expires=9000", 1) }, 0, 403},
		{"too long a life", func(u *url.URL) {
			u.RawQuery = strings.Replace(u.RawQuery, "Expires=900", "Expires=99999999999", 1)
		}, 0, 403},
	} {
		parsed, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		c.change(parsed)
		at = now.Add(c.later)
		again := request("GET", parsed.RequestURI(), nil)
		again.Host = "api.test"
		if resp, body := call(t, g, again); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, resp.StatusCode, body, c.status)
		}
	}
}

func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		action, resource, arn string
		allows                bool
	}{
		{"execute-api:Invoke", "arn:a:b:c:d/$default/*/v1/read/*", "arn:a:b:c:d/$default/GET/v1/read/route", true},
		{"execute-api:Invoke", "arn:a:b:c:d/$default/*/v1/read/*", "arn:a:b:c:d/$default/GET/v1/admin/kv", false},
		{"execute-api:Invoke", "arn:a:b:c:d/$default/GET/v1/*", "arn:a:b:c:d/$default/PUT/v1/admin/kv", false},
		{"execute-api:Manage", "*", "arn:a", false},
		{"execute-api:*", "*", "arn:a", true},
		{"*", "arn:?", "arn:a", true},
		{"*", "arn:?", "arn:", false},
		{"*", "a*b*c", "aXbXbXc", true},
		{"*", "a*b*c", "aXbXbX", false},
		{"*", "", "a", false},
	} {
		p := gateway.Policy{{Actions: []string{c.action}, Resources: []string{c.resource}}}
		if p.Allows(c.arn) != c.allows {
			t.Errorf("%s on %s allows %s: %v", c.action, c.resource, c.arn, !c.allows)
		}
	}
}
