package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"signpost/core"
	"signpost/internal/wire"
)

// UnreachableError says that a call has no answer: what it asked for may have
// been done or not. It is a core.ErrUnavailable.
type UnreachableError struct {
	Call       string        // the operation in infra/openapi.yaml, such as beatSession
	Status     int           // of what was answered instead; 0 if nothing was
	Reason     string        // why, fit for a peer
	RetryAfter time.Duration // before which there is no use in trying again; 0 if it is not known

	cause error
}

func (e *UnreachableError) Error() string {
	text := e.Call + ": " + e.Reason
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Is makes every UnreachableError a core.ErrUnavailable.
func (e *UnreachableError) Is(target error) bool { return target == core.ErrUnavailable }

// Unwrap returns what is for the log only.
func (e *UnreachableError) Unwrap() error { return e.cause }

// problemError is one of core's errors with what the API said of it.
type problemError struct {
	kind   error
	detail string
}

func (e *problemError) Error() string { return e.detail }
func (e *problemError) Unwrap() error { return e.kind }

// typePrefix begins the type of every problem.
const typePrefix = "urn:signpost:problem:"

// errNotOurs says that the session belongs to the credentials from before: as
// one that is closed, it cannot be spoken for any more, but another one can.
var errNotOurs = fmt.Errorf("%w: %w", core.ErrSessionClosed, core.ErrForbidden)

// kinds is the one table from problems to core's errors; what is not here says
// nothing of what was asked.
var kinds = map[string]error{
	"not-found":            core.ErrNotFound,
	"registration-refused": core.ErrRefused,
	"broker-name-conflict": core.ErrNameConflict,
	"stale":                core.ErrStale,
	"busy":                 core.ErrBusy,
	"session-closed":       core.ErrSessionClosed,
	"not-owner":            errNotOurs,
	"cluster-forbidden":    core.ErrForbidden,
	"too-large":            wire.ErrTooLarge,
}

// problem is an error answer (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// outcome is how an attempt ended.
type outcome struct {
	err    error
	result string        // for the Observer
	again  bool          // another attempt may end otherwise,
	after  time.Duration // but none before
}

// What attempts come to; see Observer.
const (
	resultOK          = "ok"
	resultRefused     = "refused"
	resultThrottled   = "throttled"
	resultFailed      = "failed"
	resultMalformed   = "malformed"
	resultLate        = "late"
	resultUnconnected = "unconnected"
	resultDenied      = "denied"
	resultGivenUp     = "given_up"
)

// judge reads an answer that is not the one that was asked for.
func judge(call string, status int, h http.Header, body []byte, now time.Time) outcome {
	var p problem
	if mediaType(h) == typeProblem && json.Unmarshal(body, &p) == nil {
		if err := p.error(h, now); err != nil {
			return outcome{err: err, result: resultRefused, again: errors.Is(err, core.ErrBusy), after: retryAfter(h, now)}
		}
	}
	if status == http.StatusRequestEntityTooLarge { // for the gateway before the API
		return outcome{err: &problemError{wire.ErrTooLarge, wire.ErrTooLarge.Error()}, result: resultRefused}
	}
	no := &UnreachableError{Call: call, Status: status, RetryAfter: retryAfter(h, now), cause: said(status, p, body)}
	o := outcome{err: no, after: no.RetryAfter}
	switch {
	case status == http.StatusTooManyRequests:
		no.Reason, o.result, o.again = "the API has too much to do", resultThrottled, true
	case status >= 500:
		no.Reason, o.result, o.again = fmt.Sprintf("the API failed with status %d", status), resultFailed, true
	case status == http.StatusUnauthorized:
		no.Reason, o.result = "the API does not accept the credentials of this gateway", resultDenied
	case status == http.StatusForbidden:
		no.Reason, o.result = "the API does not allow this call to this gateway", resultDenied
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		no.Reason, o.result = "there is no such call where the API should be", resultMalformed
	default:
		no.Reason, o.result = fmt.Sprintf("status %d is no answer of the API", status), resultMalformed
	}
	return o
}

// error is the problem as one of core's errors, or nil if it says nothing of
// what was asked.
func (p problem) error(h http.Header, now time.Time) error {
	name, ours := strings.CutPrefix(p.Type, typePrefix)
	switch {
	case !ours:
		return nil
	case name == "invalid-field":
		return &core.FieldError{Field: clean(p.Field), Reason: clean(p.Reason)}
	case name == "topic-not-found":
		m, _ := readMeta(h) // 0 is not to be kept
		return &core.NoTopicError{ValidUntil: now.Add(m.ValidFor)}
	}
	kind := kinds[name]
	if kind == nil {
		return nil
	}
	return &problemError{kind, cmp.Or(clean(p.Detail), kind.Error())}
}

// said is what an answer says, for the log.
func said(status int, p problem, body []byte) error {
	text := clean(p.Detail)
	if text == "" {
		var gateway struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(body, &gateway) // else it stays empty
		text = clean(gateway.Message)
	}
	if text == "" {
		text = http.StatusText(status)
	}
	return fmt.Errorf("%d %s", status, text)
}

// maxText bounds what is passed on of an answer's words, in bytes.
const maxText = 512

// clean makes an answer's words fit to be passed on.
func clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s[:min(len(s), maxText)]))
}

func mediaType(h http.Header) string {
	name, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return name
}

// maxRetryAfter bounds what an answer can make us wait.
const maxRetryAfter = time.Hour

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	// By the answer's own clock, if it shows one.
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
