package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signpost/core"
)

// How calls are tried again.
const (
	maxAttempts = 3
	backoff     = 200 * time.Millisecond // bound of the first pause; it doubles
	// maxPause bounds what Retry-After makes a call wait. Beyond it the caller
	// is told, and decides.
	maxPause = 5 * time.Second

	// Patience with one attempt. A call that changes something goes on there
	// for 25 s at most, and none that says the opposite is to overtake it.
	quick   = 2 * time.Second       // lookups and beats
	perItem = 10 * time.Millisecond // more, for each of many in one call
	listing = 5 * time.Second       // all that there is
	slow    = 28 * time.Second
)

// Bounds of an answer, in bytes as sent and inflated. A function sends 6 MB at
// most; one route of very many brokers may be larger elsewhere.
const (
	smallAnswer = 16 << 20
	largeAnswer = 64 << 20
)

const (
	typeJSON    = "application/json"
	typeGzip    = "application/vnd.signpost.v1+gzip"
	typeProblem = "application/problem+json"
)

// request is one call.
type request struct {
	call     string // its operation in infra/openapi.yaml
	method   string
	path     string
	query    url.Values
	body     func(now time.Time) (content []byte, mediaType string) // nil is none
	patience time.Duration                                          // with one attempt
	status   int                                                    // of the answer
	most     int                                                    // bytes of it
}

// answer is what was asked for.
type answer struct {
	meta Meta
	body []byte
	// age is how long ago it was asked for: the times in it run since then.
	age time.Duration
}

// left is what is left of so many milliseconds that an answer tells.
func (a answer) left(millis int64) time.Duration {
	return max(0, time.Duration(min(max(millis, 0), maxMillis))*time.Millisecond-a.age)
}

// maxMillis bounds times, so that moments can be reckoned with: 365 days.
const maxMillis = 365 * 24 * 60 * 60 * 1000

// do makes a call, several times if need be and if ctx lets it, and has its
// answer read. An error of read is an answer that was damaged.
func (c *Client) do(ctx context.Context, r request, read func(answer) error) error {
	for attempt := 1; ; attempt++ {
		began := c.o.Now()
		o := c.attempt(ctx, r, read)
		c.o.Observer.Called(r.call, o.result, c.o.Now().Sub(began))
		if o.err == nil || !o.again || attempt == maxAttempts || ctx.Err() != nil {
			return o.err
		}
		wait := max(o.after, rand.N(backoff<<(attempt-1)))
		if end, ok := ctx.Deadline(); wait > maxPause || ok && time.Until(end) <= wait {
			return o.err
		}
		if !Pause(ctx, wait) {
			return o.err
		}
	}
}

// attempt makes a call once.
func (c *Client) attempt(outer context.Context, r request, read func(answer) error) outcome {
	ctx, cancel := context.WithTimeout(outer, r.patience)
	defer cancel()
	sent, offset := c.o.Now(), c.clock.get()
	req, err := c.request(ctx, r, sent, offset)
	if err != nil {
		return outcome{
			err:    &UnreachableError{Call: r.call, Reason: "this gateway has no credentials for the API", cause: err},
			result: resultDenied, again: true,
		}
	}
	over := c.link.get()
	res, err := over.Do(req)
	if err != nil {
		c.link.judge(ctx, over, c.o.Now().Sub(sent))
		return failure(outer, ctx, r.call, err)
	}
	defer res.Body.Close()
	body, err := receive(res, r.most)
	received := c.o.Now()
	if err != nil {
		c.link.judge(ctx, over, received.Sub(sent))
		return unreadable(outer, ctx, r.call, res.StatusCode, err)
	}
	if res.StatusCode != r.status {
		o := judge(r.call, res.StatusCode, res.Header, body, received)
		if o.result == resultDenied && c.refusedClock(res.Header, offset, sent, received) {
			o.again = true
		}
		return o
	}
	if err := readAnswer(r, res.Header, body, max(0, received.Sub(sent)), read); err != nil {
		return unreadable(outer, ctx, r.call, res.StatusCode, err)
	}
	return outcome{result: resultOK}
}

// request makes the HTTP request of an attempt, with its ages and its
// signature as they are now.
func (c *Client) request(ctx context.Context, r request, now time.Time, offset time.Duration) (*http.Request, error) {
	body, mediaType := []byte(nil), ""
	if r.body != nil {
		body, mediaType = r.body(now)
	}
	u := *c.base
	u.Path += r.path
	// A signature is over %20 for a space, and so are URLs here.
	u.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	if err := c.sign.sign(ctx, req, body, now.Add(offset)); err != nil {
		return nil, err
	}
	// What proxies may rewrite is not signed.
	req.Header.Set("Accept", typeJSON)
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", "signpost-gateway")
	return req, nil
}

// readAnswer reads an answer of the right status.
func readAnswer(r request, h http.Header, body []byte, age time.Duration, read func(answer) error) error {
	a := answer{body: body, age: age}
	var err error
	if a.meta, err = readMeta(h); err != nil {
		return err
	}
	a.meta.ValidFor = max(0, a.meta.ValidFor-age)
	if r.status != http.StatusNoContent && mediaType(h) != typeJSON {
		return errors.New("it is not JSON")
	}
	return read(a)
}

// refusedClock looks whether a request was refused for this machine's clock.
// The API's own gateway says so in words ("Signature expired: ...") or not at
// all ("Forbidden"); its Date tells in both cases.
func (c *Client) refusedClock(h http.Header, used time.Duration, sent, received time.Time) (again bool) {
	date, err := http.ParseTime(h.Get("Date"))
	if _, signs := c.sign.(sigV4); !signs || err != nil {
		return false
	}
	shown := date.Sub(sent.Add(received.Sub(sent) / 2))
	news, again := c.clock.refused(used, shown)
	if news {
		c.o.Observer.ClockOffset(shown)
		c.o.Log.Warn("the API refuses this machine's clock: calls are signed by the API's", "offset", shown.Round(time.Second))
	}
	return again
}

// failure judges what the transport returns instead of an answer.
func failure(outer, ctx context.Context, call string, err error) outcome {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // without the URL, which says nothing of what is wrong
	}
	no := &UnreachableError{Call: call, cause: err}
	switch {
	case outer.Err() != nil: // the caller's time, of which this attempt may have had little
		no.Reason = "the API did not answer in time"
		return outcome{err: no, result: resultGivenUp}
	case ctx.Err() != nil:
		no.Reason = "the API did not answer in time"
		return outcome{err: no, result: resultLate, again: true}
	default:
		no.Reason = "there is no connection to the API"
		return outcome{err: no, result: resultUnconnected, again: true}
	}
}

// unreadable judges an answer that cannot be read.
func unreadable(outer, ctx context.Context, call string, status int, err error) outcome {
	if ctx.Err() != nil {
		return failure(outer, ctx, call, err)
	}
	return outcome{
		err:    &UnreachableError{Call: call, Status: status, Reason: "the answer of the API is damaged", cause: err},
		result: resultMalformed, again: true,
	}
}

// receive reads the body of an answer of at most so many bytes, as sent and
// inflated. A length that is stated is believed only when it is too large.
func receive(res *http.Response, most int) ([]byte, error) {
	if res.ContentLength > int64(most) {
		return nil, fmt.Errorf("it has %d bytes, more than %d", res.ContentLength, most)
	}
	sent, err := readAll(res.Body, most)
	if err != nil {
		return nil, err
	}
	switch encoding := res.Header.Get("Content-Encoding"); {
	case encoding == "" || strings.EqualFold(encoding, "identity") || len(sent) == 0:
		return sent, nil
	case strings.EqualFold(encoding, "gzip"):
		return inflated(sent, most)
	default:
		return nil, fmt.Errorf("it is encoded as %q", clean(encoding))
	}
}

func readAll(r io.Reader, most int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read it: %w", err)
	case len(b) > most:
		return nil, fmt.Errorf("it has more than %d bytes", most)
	}
	return b, nil
}

// readMeta reads what every answer of the API says, and nobody else's.
func readMeta(h http.Header) (m Meta, err error) {
	revision, err := strconv.ParseUint(h.Get("Signpost-Revision"), 10, 53)
	if err != nil {
		return m, errors.New("it names no revision")
	}
	valid, err := strconv.ParseUint(h.Get("Signpost-Valid-For"), 10, 32)
	if err != nil {
		return m, errors.New("it does not say for how long it holds")
	}
	return Meta{
		Revision: core.Revision(revision),
		ValidFor: time.Duration(valid) * time.Millisecond,
		Guarded:  h.Get("Signpost-Guarded") == "true",
	}, nil
}
