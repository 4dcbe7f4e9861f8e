package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	signingAlgorithm = "AWS4-HMAC-SHA256"
	signingService   = "execute-api"
	signingTime      = "20060102T150405Z"
	// maxSkew is how far a signature's time may be from the service's.
	maxSkew = 5 * time.Minute
	// maxExpires is how long a URL that is signed may be good.
	maxExpires = 7 * 24 * time.Hour
)

// signature is what a request says of how it was signed.
type signature struct {
	key     string // access key id
	scope   string // date/region/service/aws4_request
	headers []string
	value   string
	at      time.Time
	token   string
	expires time.Duration // of a URL that was signed; 0 for a header
}

// verify checks a request's signature by signing it again, and returns the
// access key that did it.
func (g *Gateway) verify(r *http.Request, body []byte) (key string, err error) {
	s, err := readSignature(r)
	if err != nil {
		return "", err
	}
	user, ok := g.o.Users[s.key]
	now := g.o.Now()
	switch want := fmt.Sprintf("%s/%s/%s/aws4_request", s.at.Format("20060102"), g.o.Region, signingService); {
	case !ok:
		return "", fmt.Errorf("access key %q is not known", s.key)
	case s.token != user.Session:
		return "", errors.New("the session token is another one")
	case s.scope != want:
		return "", fmt.Errorf("signed for %s, not for %s", s.scope, want)
	case s.at.Sub(now) > maxSkew || now.Sub(s.at) > max(maxSkew, s.expires):
		return "", fmt.Errorf("signed at %v, it is %v", s.at, now)
	case !slices.Contains(s.headers, "host"):
		return "", errors.New("the host is not signed")
	}
	again := unsigned(r, s)
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if said := r.Header.Get("X-Amz-Content-Sha256"); said != "" && said != hash {
		return "", errors.New("the body is not the one that was signed")
	}
	creds := aws.Credentials{AccessKeyID: s.key, SecretAccessKey: user.Secret, SessionToken: user.Session}
	got, err := sign(again, creds, hash, g.o.Region, s)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(got.value), []byte(s.value)) != 1 || !slices.Equal(got.headers, s.headers) {
		return "", fmt.Errorf("signature does not match: %s over %v, here %s over %v", s.value, s.headers, got.value, got.headers)
	}
	return s.key, nil
}

// sign signs r as s was and returns the result.
func sign(r *http.Request, creds aws.Credentials, hash, region string, s signature) (signature, error) {
	signer := v4.NewSigner()
	if s.expires == 0 {
		if err := signer.SignHTTP(context.Background(), creds, r, hash, signingService, region, s.at); err != nil {
			return signature{}, fmt.Errorf("sign again: %w", err)
		}
		return readSignature(r)
	}
	u, _, err := signer.PresignHTTP(context.Background(), creds, r, hash, signingService, region, s.at)
	if err != nil {
		return signature{}, fmt.Errorf("sign again: %w", err)
	}
	r.URL, err = url.Parse(u)
	if err != nil {
		return signature{}, fmt.Errorf("sign again: %w", err)
	}
	return readSignature(r)
}

// unsigned is r as it was before it was signed, with what was signed and
// nothing else.
func unsigned(r *http.Request, s signature) *http.Request {
	u := *r.URL
	q := u.Query()
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"} {
		if s.expires != 0 {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	again := &http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: http.Header{}}
	for _, name := range s.headers {
		switch name {
		case "host", "x-amz-date", "x-amz-security-token": // the signer adds them itself
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	return again
}

// readSignature finds the signature in the header, or else in the query.
func readSignature(r *http.Request) (signature, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return signatureOfHeader(h, r.Header)
	}
	q := r.URL.Query()
	if q.Get("X-Amz-Algorithm") == "" {
		return signature{}, errors.New("no signature")
	}
	expires, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || expires <= 0 || time.Duration(expires)*time.Second > maxExpires {
		return signature{}, fmt.Errorf("X-Amz-Expires is %q", q.Get("X-Amz-Expires"))
	}
	s := signature{token: q.Get("X-Amz-Security-Token"), expires: time.Duration(expires) * time.Second}
	return s.fill(q.Get("X-Amz-Algorithm"), q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature"), q.Get("X-Amz-Date"))
}

func signatureOfHeader(h string, all http.Header) (signature, error) {
	algorithm, rest, _ := strings.Cut(h, " ")
	parts := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	s := signature{token: all.Get("X-Amz-Security-Token")}
	return s.fill(algorithm, parts["Credential"], parts["SignedHeaders"], parts["Signature"], all.Get("X-Amz-Date"))
}

func (s signature) fill(algorithm, credential, headers, value, at string) (signature, error) {
	var ok bool
	var err error
	s.key, s.scope, ok = strings.Cut(credential, "/")
	s.headers, s.value = strings.Split(headers, ";"), value
	if algorithm != signingAlgorithm || !ok || value == "" {
		return signature{}, errors.New("not a signature of " + signingAlgorithm)
	}
	if s.at, err = time.Parse(signingTime, at); err != nil {
		return signature{}, fmt.Errorf("X-Amz-Date: %w", err)
	}
	return s, nil
}
