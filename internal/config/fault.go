package config

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHelp is what [Load] returns for -h: print [Help] and exit with 0.
var ErrHelp = errors.New("help requested")

// ErrVersion is what [Load] returns for --version: print which one it is and exit
// with 0.
var ErrVersion = errors.New("version requested")

// UsageError is a command line that cannot be read: an unknown flag, a flag
// without its value, or an argument that is not a flag.
type UsageError struct{ Err error }

// Error tells what is wrong with the command line.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Fault is one thing wrong with a configuration.
type Fault struct {
	Key    string
	Value  string // as given; [Mask] for a secret
	Source Source
	Err    error // the reason, a phrase to follow the key
}

// Error is the fault as a line for people.
func (f Fault) Error() string {
	return fmt.Sprintf("%s %q (%s) %v", f.Key, f.Value, f.Source, f.Err)
}

// Unwrap returns the reason.
func (f Fault) Unwrap() error { return f.Err }

// Faults are all things wrong with a configuration, never none.
type Faults []Fault

// Error lists the faults, one a line.
func (fs Faults) Error() string {
	lines := make([]string, 0, len(fs)+1)
	lines = append(lines, fmt.Sprintf("configuration: %d invalid", len(fs)))
	for _, f := range fs {
		lines = append(lines, "  "+f.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns each fault.
func (fs Faults) Unwrap() []error {
	out := make([]error, len(fs))
	for i, f := range fs {
		out[i] = f
	}
	return out
}

// ExitCode is the exit code of Java's NamesrvStartup for what [Load], or the
// start after it, returned: 0 for success, help and version, 1 for a bad option, 255
// for anything else. Java's 254, no ROCKETMQ_HOME, has no counterpart.
func ExitCode(err error) int {
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, ErrHelp), errors.Is(err, ErrVersion):
		return 0
	case errors.As(err, &usage):
		return 1
	default:
		return 255
	}
}
