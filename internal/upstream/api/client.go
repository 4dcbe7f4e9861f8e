package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"signpost/core"
)

// Options are what a Client works with. Only Endpoint is required.
type Options struct {
	// Endpoint is the URL of the API, with the stage or base path if it has one.
	Endpoint string
	// Region is the one that calls are signed for; "" is what the name of an
	// execute-api endpoint says.
	Region string
	// Credentials sign the calls (AWS Signature Version 4). TokenFile has a
	// bearer token instead, and is read again for each call. With neither,
	// calls say nothing of who makes them.
	Credentials aws.CredentialsProvider
	TokenFile   string
	// Uncompressed sends JSON as it is: `sam local` damages what is compressed.
	Uncompressed bool

	// Transport carries the calls; nil is what NewTransport returns. When its
	// connections seem dead, a clone of it goes on if it is an *http.Transport.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now
	Log       *slog.Logger     // nil logs nothing
	Observer  Observer         // nil is told nothing
}

// Observer is told of what metrics show. Its methods are called at the same
// time by many.
type Observer interface {
	// Called tells of each attempt of a call, by the name of its operation in
	// infra/openapi.yaml, and how long it took. The result is "ok" or
	// "refused", which both are answers, or why there was none: "throttled",
	// "failed", "malformed", "late", "unconnected", "denied", "given_up".
	Called(call, result string, took time.Duration)
	// ClockOffset tells that the API refused this machine's clock, and by how
	// much what is signed is moved from now on.
	ClockOffset(offset time.Duration)
}

// Client calls API v1. Its methods may be used at the same time by many.
//
// An error of a method is what the API says, as one of core's errors (a
// *core.FieldError, core.ErrRefused and its like), or says that there was no
// answer: an *UnreachableError.
type Client struct {
	o     Options
	base  *url.URL
	sign  signer
	clock clock
	link  link
}

// New returns a Client; it does no I/O.
func New(o Options) (*Client, error) {
	base, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	c := &Client{o: o, base: base}
	if c.sign, err = newSigner(o, base); err != nil {
		return nil, err
	}
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	c.link.current = overTransport(o.Transport)
	return c, nil
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.link.close() }

func parseEndpoint(endpoint string) (*url.URL, error) {
	wrong := func(reason string) error { return &core.FieldError{Field: "endpoint", Reason: reason} }
	if endpoint == "" {
		return nil, wrong("is missing: the URL of the API")
	}
	u, err := url.Parse(endpoint)
	var unparsed *url.Error
	switch {
	case errors.As(err, &unparsed):
		return nil, wrong(fmt.Sprintf("is no URL: %v", unparsed.Err))
	case err != nil:
		return nil, wrong("is no URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, wrong("does not begin with https:// or http://")
	case u.Hostname() == "":
		return nil, wrong("names no host")
	case u.User != nil:
		return nil, wrong("has a user in it: calls are signed, or carry a token")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, wrong("goes on after its path")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// loopback says whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type unobserved struct{}

func (unobserved) Called(string, string, time.Duration) {}
func (unobserved) ClockOffset(time.Duration)            {}

// Pause waits, or returns false when ctx ends before.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
