package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"signpost/core"
	"signpost/internal/wire"
)

// kind is one kind of error answer. Its name ends the stable type URI.
type kind struct {
	name   string
	title  string
	status int
	retry  bool // later, unchanged; Retry-After says when
}

// typePrefix begins the type of every problem (RFC 9457, 3.1.1).
const typePrefix = "urn:signpost:problem:"

// The kinds. Their names are API.
var (
	invalidField     = kind{"invalid-field", "A parameter or a member is not what it should be", http.StatusBadRequest, false}
	forbidden        = kind{"forbidden", "The caller may not make this call", http.StatusForbidden, false}
	clusterForbidden = kind{"cluster-forbidden", "The caller may not write this cluster", http.StatusForbidden, false}
	notOwner         = kind{"not-owner", "The session belongs to another caller", http.StatusForbidden, false}
	noSuchCall       = kind{"no-such-call", "There is no such call", http.StatusNotFound, false}
	topicNotFound    = kind{"topic-not-found", "No live broker has the topic", http.StatusNotFound, false}
	notFound         = kind{"not-found", "The named thing does not exist", http.StatusNotFound, false}
	methodNotAllowed = kind{"method-not-allowed", "The path has other methods", http.StatusMethodNotAllowed, false}
	notAcceptable    = kind{"not-acceptable", "Answers are JSON", http.StatusNotAcceptable, false}
	refused          = kind{"registration-refused", "The registration was understood and turned down", http.StatusConflict, false}
	nameConflict     = kind{"broker-name-conflict", "A living broker of another cluster has the name", http.StatusConflict, false}
	stale            = kind{"stale", "The statement is older than what is known", http.StatusConflict, false}
	busy             = kind{"busy", "Another writer is at the same broker", http.StatusConflict, true}
	sessionClosed    = kind{"session-closed", "The session ran out or was closed", http.StatusGone, false}
	tooLarge         = kind{"too-large", "The request goes beyond a limit", http.StatusRequestEntityTooLarge, false}
	unsupportedMedia = kind{"unsupported-media-type", "The body's type is not understood", http.StatusUnsupportedMediaType, false}
	tooMany          = kind{"too-many-requests", "Too much is being worked on", http.StatusTooManyRequests, true}
	internal         = kind{"internal", "The server failed", http.StatusInternalServerError, false}
	unavailable      = kind{"unavailable", "The store cannot answer now", http.StatusServiceUnavailable, true}
	timedOut         = kind{"timeout", "The call was not answered in time", http.StatusServiceUnavailable, true}
)

// retryAfter is what Retry-After says, in seconds.
const retryAfter = "1"

// problemError is an error of this package's own.
type problemError struct {
	kind   kind
	detail string // for the caller
	cause  error  // for the log
}

func (e *problemError) Error() string {
	if e.cause != nil {
		return e.detail + ": " + e.cause.Error()
	}
	return e.detail
}

func (e *problemError) Unwrap() error { return e.cause }

// problem is an error answer (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`  // invalid-field: which
	Reason string `json:"reason,omitempty"` // invalid-field: why
	Limit  int    `json:"limit,omitempty"`  // too-large: what would have passed
}

// sentinels is the one table from core's errors to kinds. The text of these
// errors is for the caller, too.
var sentinels = []struct {
	err  error
	kind kind
}{
	{core.ErrNoTopic, topicNotFound},
	{core.ErrNotFound, notFound},
	{core.ErrRefused, refused},
	{core.ErrNameConflict, nameConflict},
	{core.ErrStale, stale},
	{core.ErrBusy, busy},
	{core.ErrConflict, busy},
	{core.ErrSessionClosed, sessionClosed},
	{core.ErrForbidden, notOwner},
	{core.ErrUnavailable, unavailable},
}

// kindOf judges an error and says what the caller is told of it. What is in
// no table is the server's own trouble, of which the caller learns no more
// than that.
func kindOf(err error) (kind, problem) {
	var own *problemError
	var field *core.FieldError
	var limit *wire.LimitError
	var tooLong *http.MaxBytesError
	var cluster *core.ClusterError
	switch {
	case errors.As(err, &own):
		return own.kind, problem{Detail: own.detail}
	case errors.As(err, &field):
		return invalidField, problem{Detail: field.Error(), Field: field.Field, Reason: field.Reason}
	case errors.As(err, &cluster):
		return clusterForbidden, problem{Detail: cluster.Error()}
	case errors.As(err, &limit):
		return tooLarge, problem{Detail: limit.Error(), Limit: limit.Max}
	case errors.As(err, &tooLong):
		return tooLarge, problem{Detail: "the body is too large", Limit: int(tooLong.Limit)}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			text, _, _ := strings.Cut(err.Error(), "\n") // what is joined to it is for the log
			return s.kind, problem{Detail: text}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return timedOut, problem{Detail: "what was asked for may have been done or not; every call may be repeated"}
	}
	return internal, problem{}
}

// problemOf is the error answer to err.
func problemOf(err error) (kind, problem) {
	k, p := kindOf(err)
	p.Type, p.Title, p.Status = typePrefix+k.name, k.title, k.status
	return k, p
}
