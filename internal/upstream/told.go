package upstream

import (
	"errors"

	"signpost/core"
	"signpost/internal/remoting"
	"signpost/internal/upstream/api"
)

// toldError is an error whose text and code are meant for the peer; its cause
// is for the log.
type toldError struct {
	code  remoting.Code
	text  string
	cause error
}

// Error is what the peer is told.
func (e *toldError) Error() string { return e.text }

// Code is what the peer is answered.
func (e *toldError) Code() remoting.Code { return e.code }

// Unwrap returns the cause.
func (e *toldError) Unwrap() error { return e.cause }

// told makes what is between this NameServer and the API an error for the peer:
// that nothing is known is never answered as if there were nothing. What the API
// says of what was asked stays as it is.
func told(err error) error {
	var unreachable *api.UnreachableError
	switch {
	case errors.As(err, &unreachable):
		return &toldError{remoting.SystemError, "the NameServer has no answer from its API: " + unreachable.Reason, err}
	case errors.Is(err, core.ErrForbidden):
		return &toldError{remoting.NoPermission, "the API does not allow this to this NameServer", err}
	}
	return err
}
