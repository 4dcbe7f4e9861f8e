package config

import (
	"encoding"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Secret is text that shows itself to nobody by accident: formatting, JSON and
// slog see [Mask]. Convert it to string to use it.
type Secret string

// Mask stands for a secret that is set.
const Mask = "******"

// String returns [Mask], or nothing when the secret is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Mask
}

// GoString returns what String does, quoted, for %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// secretName matches names of keys whose values should not be shown, for keys
// that the table does not know.
var secretName = regexp.MustCompile(`(?i)password|passwd|secret|token|credential|access.?key`)

func looksSecret(name string) bool { return secretName.MatchString(name) }

// Store is where routes are kept over a restart. Both empty means nowhere.
type Store struct {
	Path  string // the file
	Table string // the DynamoDB table
}

const (
	storeMemory   = "memory"    // the word for keeping nothing
	storeDynamoDB = "dynamodb:" // goes before the name of a table
)

// tableName matches what DynamoDB takes for a table's name.
var tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

// UnmarshalText reads a path, dynamodb: with a table's name, or the word "memory".
func (s *Store) UnmarshalText(text []byte) error {
	t := string(text)
	table, dynamodb := strings.CutPrefix(t, storeDynamoDB)
	switch {
	case t == "":
		return errors.New("is empty; say memory to keep nothing")
	case t == storeMemory:
		*s = Store{}
	case dynamodb && tableName.MatchString(table):
		*s = Store{Table: table}
	case dynamodb:
		return errors.New("names no DynamoDB table: 3 to 255 of A-Z a-z 0-9 . _ -")
	case schemed.MatchString(t):
		return errors.New("names a kind of store that this server does not have; give a path, dynamodb:TABLE, or memory")
	default:
		*s = Store{Path: t}
	}
	return nil
}

// schemed matches what is kept free for other kinds of stores.
var schemed = regexp.MustCompile(`^[a-z][a-z0-9]+:`)

// set reads text into c and returns its canonical form. The error says what is
// wrong with the value, to follow the key's name; c is unchanged then.
func (k Key) set(c *Config, text string) (canonical string, err error) {
	if !k.Secret {
		text = strings.TrimSpace(text)
	}
	switch k.Kind {
	case Bool:
		return k.setBool(c, text)
	case Int, Bytes, Millis, Seconds:
		return k.setNumber(c, text)
	case Word:
		text = strings.ToLower(text)
		if !slices.Contains(k.Words, text) {
			return "", fmt.Errorf("must be one of %s", strings.Join(k.Words, ", "))
		}
	case Address:
		if text != "" {
			if err := checkHostPort(text); err != nil {
				return "", err
			}
		}
	}
	if strings.ContainsRune(text, 0) {
		return "", errors.New("contains a zero byte")
	}
	switch p := k.at(c).(type) {
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case *[]string:
		*p = splitList(text)
	case encoding.TextUnmarshaler:
		if err := p.UnmarshalText([]byte(text)); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("has no place of kind %s: %T", k.Kind, p)
	}
	return text, nil
}

// setBool takes true and false only. Java takes every other word for false
// without a sound; here "yes" is a fault, so that nobody finds out late.
func (k Key) setBool(c *Config, text string) (string, error) {
	p := k.at(c).(*bool)
	switch {
	case strings.EqualFold(text, "true"):
		*p = true
	case strings.EqualFold(text, "false"):
		*p = false
	default:
		return "", errors.New("must be true or false")
	}
	return strconv.FormatBool(*p), nil
}

// setNumber takes decimal numbers in the key's range.
func (k Key) setNumber(c *Config, text string) (string, error) {
	lowest, highest := k.Min, k.Max
	if highest == 0 {
		highest = math.MaxInt32
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return "", errors.New("must be a whole number")
	case err != nil, n < lowest, n > highest:
		return "", fmt.Errorf("must be from %d to %d", lowest, highest)
	}
	switch p := k.at(c).(type) {
	case *int:
		*p = int(n)
	case *time.Duration:
		unit := time.Millisecond
		if k.Kind == Seconds {
			unit = time.Second
		}
		*p = time.Duration(n) * unit
	default:
		return "", fmt.Errorf("has no place of kind %s: %T", k.Kind, p)
	}
	return strconv.FormatInt(n, 10), nil
}

// splitList divides a list and leaves empty names out.
func splitList(text string) []string {
	var out []string
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ',' }) {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// checkHostPort reports what is wrong with a host:port.
func checkHostPort(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("must be host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("must have a port from 0 to %d", math.MaxUint16)
	}
	return nil
}
