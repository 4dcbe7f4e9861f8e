package wire

import (
	"errors"
	"fmt"
)

// ErrDecode says that a body is not what it should be. The error that wraps
// it names the member (a core.FieldError) and the place.
var ErrDecode = errors.New("cannot decode the body")

// ErrTooLarge says that a body goes beyond a limit. The error is a LimitError.
var ErrTooLarge = errors.New("the body is too large")

// LimitError names the limit that a body goes beyond. It is an ErrTooLarge.
type LimitError struct {
	What string // what there is too much of: "topics", "inflated bytes", ...
	Max  int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%v: more than %d %s", ErrTooLarge, e.Max, e.What)
}

// Is makes every LimitError an ErrTooLarge.
func (e *LimitError) Is(target error) bool { return target == ErrTooLarge }
