package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The service's own limits.
const (
	// maxHeaders is what the request line and the headers may have together,
	// in bytes.
	maxHeaders = 10_240
	// maxBody is what a request's body may have, in bytes.
	maxBody = 10 << 20
	// maxEvent is what Lambda takes as an event, or gives back as an answer,
	// in bytes; it is below what maxBody makes of base64.
	maxEvent = 6 << 20
	// integrationTimeout is how long a function may take.
	integrationTimeout = 30 * time.Second
)

// DefaultStage is the stage that adds nothing to paths.
const DefaultStage = "$default"

// ErrThrottled is returned by a Function that works on as many events as it
// may.
var ErrThrottled = errors.New("the function is at its limit of concurrency")

// Function is a Lambda function, wherever it runs.
type Function interface {
	// Invoke hands over one event and returns the answer, both JSON. An error
	// says that there is no answer: ErrThrottled that the function did not
	// run, ctx's own that it took too long, any other that it failed.
	Invoke(ctx context.Context, event []byte) ([]byte, error)
}

// FunctionFunc is a Function that is one Go function.
type FunctionFunc func(ctx context.Context, event []byte) ([]byte, error)

// Invoke calls f.
func (f FunctionFunc) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

// Options are what a Gateway is made of. Only Routes is required.
type Options struct {
	Routes []Route
	// Stage is the stage that is served, "" for DefaultStage. Another one is
	// the first segment of every path.
	Stage string
	// Region, Account and API stand in ARNs and events; "" is some value.
	Region, Account, API string
	// Users are who may call routes with IAM, by access key id.
	Users map[string]User
	// Issuer checks the tokens of routes with JWT.
	Issuer *Issuer
	// Rate and Burst throttle the stage: calls a second, and how many at once.
	// Rate 0 is no limit.
	Rate, Burst float64
	// Timeout is how long a function may take, 0 for the service's 30 s.
	Timeout time.Duration
	// Now is time.Now unless it is set.
	Now func() time.Time
}

// Gateway is a stage of an HTTP API. It is an http.Handler.
type Gateway struct {
	o      Options
	bucket bucket
}

// New returns a Gateway, or an error if a route is not one.
func New(o Options) (*Gateway, error) {
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Stage, DefaultStage}, {&o.Region, "eu-central-1"}, {&o.Account, "123456789012"}, {&o.API, "a1b2c3d4e5"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.Timeout == 0 {
		o.Timeout = integrationTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, r := range o.Routes {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	return &Gateway{o: o, bucket: bucket{rate: o.Rate, burst: o.Burst}}, nil
}

// refusal is an answer that the gateway gives itself: a status and the text
// behind "message".
type refusal struct {
	status  int
	message string
	header  http.Header
	cause   error // for whoever debugs a test; not told
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %v", r.status, r.message, r.cause) }
func (r *refusal) Unwrap() error { return r.cause }

func refuse(status int, message string, cause error) *refusal {
	return &refusal{status: status, message: message, cause: cause}
}

// ServeHTTP passes one call on to its function.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()[:16]
	w.Header().Set("Apigw-Requestid", id)
	// Callers take the service's clock from here when it refuses theirs.
	w.Header().Set("Date", g.o.Now().UTC().Format(http.TimeFormat))
	a, err := g.serve(r, id)
	if err != nil {
		var no *refusal
		if !errors.As(err, &no) {
			no = refuse(http.StatusInternalServerError, "Internal Server Error", err)
		}
		a = no.answer()
	}
	a.write(w, r)
}

// serve does what the service does, in its order: size, throttle, route, who
// calls, function.
func (g *Gateway) serve(r *http.Request, id string) (*answer, error) {
	if n := headerSize(r); n > maxHeaders {
		return nil, refuse(http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large", fmt.Errorf("%d bytes of headers", n))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "Bad Request", err)
	case len(body) > maxBody:
		return nil, refuse(http.StatusRequestEntityTooLarge, "Request Entity Too Large", fmt.Errorf("more than %d bytes", maxBody))
	}
	if !g.bucket.take(g.o.Now()) {
		return nil, refuse(http.StatusTooManyRequests, "Too Many Requests", errors.New("the stage is throttled"))
	}
	path, err := g.path(r.URL)
	if err != nil {
		return nil, err
	}
	route, params := match(g.o.Routes, r.Method, path)
	if route == nil {
		return nil, refuse(http.StatusNotFound, "Not Found", fmt.Errorf("no route for %s %s", r.Method, path))
	}
	caller, err := g.authorize(r, body, route, path)
	if err != nil {
		return nil, err
	}
	if arn := g.RouteARN(r.Method, path); route.permission != nil && !route.permission.Allows(arn) {
		return nil, refuse(http.StatusInternalServerError, "Internal Server Error", fmt.Errorf("the function has no permission for %s", arn))
	}
	event, err := g.event(r, body, route, params, caller, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.o.Timeout)
	defer cancel()
	said, err := route.Function.Invoke(ctx, event)
	switch {
	case errors.Is(err, ErrThrottled):
		return nil, refuse(http.StatusTooManyRequests, "Too Many Requests", err)
	case err != nil && ctx.Err() != nil:
		return nil, refuse(http.StatusServiceUnavailable, "Service Unavailable", err)
	case err != nil:
		return nil, refuse(http.StatusInternalServerError, "Internal Server Error", err)
	}
	return readAnswer(said)
}

// path returns the decoded path without the stage's name.
func (g *Gateway) path(u *url.URL) (string, error) {
	if g.o.Stage == DefaultStage {
		return u.Path, nil
	}
	rest, ok := strings.CutPrefix(u.Path, "/"+g.o.Stage)
	if !ok || rest != "" && rest[0] != '/' {
		return "", refuse(http.StatusNotFound, "Not Found", fmt.Errorf("%s is not in stage %s", u.Path, g.o.Stage))
	}
	return rest, nil
}

// headerSize is what the request line and the headers took on the wire.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(" ") + len(r.URL.RequestURI()) + len(" HTTP/1.1\r\n") + len("Host: \r\n") + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}
