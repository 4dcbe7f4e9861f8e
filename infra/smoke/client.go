package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	callTimeout = 35 * time.Second // the gateway gives up after 30 s
	maxAnswer   = 16 << 20
	// attempts are made while the answer is one that may be repeated.
	attempts = 8

	typeJSON = "application/json"
	typeGzip = "application/vnd.signpost.v1+gzip"
)

// class is a permission class, and whose credentials have it.
type class string

const (
	unsigned class = ""
	reading  class = "read"
	register class = "register"
	admin    class = "admin"
)

// client signs calls.
type client struct {
	endpoint, region string
	http             *http.Client
	signer           *v4.Signer
	who              map[class]aws.CredentialsProvider
	apart            bool // every class has credentials of its own
}

func connect(ctx context.Context, o options) (*client, error) {
	c := &client{
		endpoint: o.endpoint, region: o.region, signer: v4.NewSigner(), who: map[class]aws.CredentialsProvider{},
		// The transport must not inflate by itself: that is one of the checks.
		http:  &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true}, Timeout: callTimeout},
		apart: o.read != "" && o.register != "" && o.admin != "",
	}
	for k, name := range map[class]string{reading: o.read, register: o.register, admin: o.admin} {
		p, err := credentialsOf(ctx, name, o.region)
		if err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", k, err)
		}
		if _, err := p.Retrieve(ctx); err != nil {
			return nil, fmt.Errorf("credentials for %s: %w", k, err)
		}
		c.who[k] = p
	}
	return c, nil
}

// credentialsOf finds the credentials of a profile or role, or the default.
func credentialsOf(ctx context.Context, name, region string) (aws.CredentialsProvider, error) {
	options := []func(*config.LoadOptions) error{config.WithRegion(region)}
	isRole := strings.HasPrefix(name, "arn:")
	if name != "" && !isRole {
		options = append(options, config.WithSharedConfigProfile(name))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	if isRole {
		return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), name)), nil
	}
	return cfg.Credentials, nil
}

// call is one call of the API.
type call struct {
	as          class
	method      string
	path        string
	query       url.Values
	body        []byte
	contentType string
	headers     map[string]string
}

// reply is its answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r *reply) String() string {
	return fmt.Sprintf("%d %s %.300s", r.status, r.header.Get("Content-Type"), r.body)
}

// problem is the type of a problem+json answer, without what they all begin with.
func (r *reply) problem() string {
	var p struct{ Type string }
	if r.header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(r.body, &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "urn:signpost:problem:")
}

// do makes a call, again while it is answered that it may be repeated. Every
// attempt is signed anew: a signature is good for five minutes only.
func (c *client) do(ctx context.Context, what call) (*reply, error) {
	for attempt := 1; ; attempt++ {
		r, err := c.once(ctx, what)
		switch {
		case err != nil && ctx.Err() != nil, attempt == attempts:
			return r, err
		case err == nil && !repeatable(r):
			return r, nil
		}
		wait := time.Duration(attempt) * 250 * time.Millisecond
		if r != nil {
			if s, err := strconv.Atoi(r.header.Get("Retry-After")); err == nil && s >= 0 && s <= 30 {
				wait = time.Duration(s) * time.Second
			}
		}
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func repeatable(r *reply) bool {
	return r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable || r.problem() == "busy"
}

func (c *client) once(ctx context.Context, what call) (*reply, error) {
	target := c.endpoint + what.path
	if len(what.query) > 0 {
		// Encode writes + for a space. A signature is over %20, and so are URLs here.
		target += "?" + strings.ReplaceAll(what.query.Encode(), "+", "%20")
	}
	req, err := http.NewRequestWithContext(ctx, what.method, target, bytes.NewReader(what.body))
	if err != nil {
		return nil, err
	}
	if what.contentType != "" {
		req.Header.Set("Content-Type", what.contentType)
	}
	for name, value := range what.headers {
		req.Header.Set(name, value)
	}
	if p := c.who[what.as]; p != nil {
		creds, err := p.Retrieve(ctx)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(what.body)
		if err := c.signer.SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "execute-api", c.region, time.Now()); err != nil {
			return nil, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	r := &reply{status: resp.StatusCode, header: resp.Header}
	if r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, err
	}
	return r, nil
}

func zip(body []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(body) // into memory, which does not fail
	z.Close()
	return out.Bytes()
}

func unzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxAnswer))
}
