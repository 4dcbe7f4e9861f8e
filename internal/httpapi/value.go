package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"signpost/core"
	"signpost/internal/wire"
)

// name reads a name, as checkName has it. That it has to be there is for
// present to say.
func name(dst *string) func([]byte) error {
	return func(value []byte) error {
		if err := readString(value, dst); err != nil {
			return err
		}
		if err := checkName("", *dst); err != nil {
			return reasonOf(err)
		}
		return nil
	}
}

// token reads the identifier of a session.
func token(dst *string) func([]byte) error {
	return func(value []byte) error {
		if err := readString(value, dst); err != nil {
			return err
		}
		if *dst == "" {
			return errors.New("is empty")
		}
		if err := checkToken("", *dst); err != nil {
			return reasonOf(err)
		}
		return nil
	}
}

// reasonOf takes the reason out of a FieldError, for whoever knows the field.
func reasonOf(err error) error {
	var field *core.FieldError
	if errors.As(err, &field) {
		return errors.New(field.Reason)
	}
	return err
}

func readString(value []byte, dst *string) error {
	if value[0] != '"' || json.Unmarshal(value, dst) != nil {
		return errors.New("is not a string")
	}
	return nil
}

func flag(dst *bool) func([]byte) error {
	return func(value []byte) error {
		switch string(value) {
		case "true":
			*dst = true
		case "false":
			*dst = false
		default:
			return errors.New("is neither true nor false")
		}
		return nil
	}
}

func integer(dst *int64, least int64) func([]byte) error {
	return func(value []byte) error {
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || !json.Valid(value) {
			return errors.New("is not an integer of 64 bits")
		}
		if n < least {
			return fmt.Errorf("is less than %d", least)
		}
		*dst = n
		return nil
	}
}

// maxMillis bounds times, so that moments can be reckoned with: 365 days.
const maxMillis = 365 * 24 * 60 * 60 * 1000

// millis reads a length of time.
func millis(dst *time.Duration) func([]byte) error {
	return func(value []byte) error {
		var n int64
		if err := integer(&n, 0)(value); err != nil {
			return err
		}
		if n > maxMillis {
			return fmt.Errorf("is more than %d", int64(maxMillis))
		}
		*dst = time.Duration(n) * time.Millisecond
		return nil
	}
}

// dataVersion reads a DataVersion.
func dataVersion(dst **core.DataVersion) func([]byte) error {
	return func(value []byte) error {
		if !json.Valid(value) || !bytes.HasPrefix(value, []byte("{")) {
			return errors.New("is not a JSON object")
		}
		v, err := wire.DecodeDataVersion(value)
		if err != nil {
			return err
		}
		*dst = &v
		return nil
	}
}

// raw keeps a value as it stands in the text.
func raw(dst *[]byte) func([]byte) error {
	return func(value []byte) error {
		*dst = value
		return nil
	}
}

// present refuses the empty string for what has to be there.
func present(path, field, value string) error {
	if value != "" {
		return nil
	}
	if path != "" {
		field = path + "." + field
	}
	return &core.FieldError{Field: field, Reason: "is missing"}
}
