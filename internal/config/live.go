package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/magiconair/properties"
)

// Live is the configuration of a running server: what request code 319 shows
// and 318 changes. It is safe for concurrent use, and a [slog.Leveler] that
// follows logLevel.
type Live struct {
	current   atomic.Pointer[Config]
	updating  sync.Mutex
	allowed   map[string]bool // both fixed at start, as in Java
	blackList map[string]bool
}

// The kinds of refusals of [Live.Update], to be asked for with [errors.Is].
// The text of the error is what the peer is told.
var (
	// ErrForbidden is a change that the configuration does not allow; code 16.
	ErrForbidden = errors.New("forbidden")
	// ErrMalformed is a body that is not a properties text; code 1.
	ErrMalformed = errors.New("malformed")
)

// refusal is an error whose text is Java's remark, or one of its style.
type refusal struct {
	kind   error
	remark string
}

func (r *refusal) Error() string { return r.remark }
func (r *refusal) Unwrap() error { return r.kind }

// NewLive starts with c.
func NewLive(c *Config) *Live {
	l := &Live{allowed: map[string]bool{}, blackList: map[string]bool{}}
	for _, name := range c.Remote.Allow {
		l.allowed[name] = true
	}
	// Java's black list: four keys, all of them protected here, and the
	// configured ones.
	for _, name := range c.Remote.BlackList {
		l.blackList[name] = true
	}
	for _, k := range table {
		if k.protected() {
			l.blackList[k.Name] = true
		}
	}
	l.current.Store(c)
	return l
}

// Current is the configuration as it stands. Keys that are not [Key.Live] may
// differ from what the server started with: they count from the next start.
func (l *Live) Current() *Config { return l.current.Load() }

// Level is logLevel as it stands.
func (l *Live) Level() slog.Level { return l.Current().Log.Level }

// Change is what an update did.
type Change struct {
	Changed []Changed // by key
	Ignored Faults    // known keys whose values are not valid, by key; Java ignores them too
	Unknown []string  // names that are no keys, sorted
}

// Changed is one key's change, as text.
type Changed struct {
	Key      string
	Old, New string
	Live     bool // false: it counts from the next start
}

// Update applies the body of request code 318, a properties text in UTF-8.
//
// Every key in it must be allowed by allowRemoteConfig and not be black-listed,
// or nothing is changed (ErrForbidden). Values that are not valid are ignored,
// as Java ignores numbers; so are names that are no keys. The changes are
// written to the file given with -c, if there was one, and then take effect;
// if that fails nothing is changed. A flag or variable for the same key wins
// over the file at the next start. Any other error is for code 1.
func (l *Live) Update(body []byte) (Change, error) {
	given, err := parseProperties(body, properties.UTF8)
	if err != nil {
		return Change{}, &refusal{ErrMalformed, "string2Properties error"}
	}
	if err := l.permit(given); err != nil {
		return Change{}, err
	}

	l.updating.Lock()
	defer l.updating.Unlock()
	old := l.Current()
	next := old.clone()
	done, texts := next.update(given)
	if len(done.Changed) == 0 {
		return done, nil
	}
	ld := loader{cfg: next}
	if ld.check(); len(ld.faults) > 0 {
		return Change{}, ld.faults
	}
	if next.File != "" {
		if err := saveChanges(next.File, texts); err != nil {
			return Change{}, fmt.Errorf("save configuration: %w", err)
		}
	}
	l.current.Store(next)
	return done, nil
}

// permit checks the names of an update, the black list first.
func (l *Live) permit(given map[string]string) error {
	var closed []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if l.blackList[name] {
			return &refusal{ErrForbidden, "Can not update config in black list."}
		}
		// Where nothing is allowed, nothing is ignored kindly either.
		if !l.allowed[name] && (byName[name] != nil || len(l.allowed) == 0) {
			closed = append(closed, name)
		}
	}
	if len(closed) > 0 {
		return &refusal{ErrForbidden, "Can not update config that is not in allowRemoteConfig: " + strings.Join(closed, ", ")}
	}
	return nil
}

// update sets the given keys and returns what came of it, and the new texts.
func (c *Config) update(given map[string]string) (Change, map[string]string) {
	var done Change
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		k := byName[name]
		if k == nil {
			done.Unknown = append(done.Unknown, name)
			continue
		}
		text, err := k.set(c, given[name])
		if err != nil {
			done.Ignored = append(done.Ignored, Fault{Key: name, Value: given[name], Source: SourceRemote, Err: err})
			continue
		}
		old := c.values[name]
		if old.text == text {
			continue
		}
		c.values[name] = value{text: text, def: old.def, source: SourceRemote}
		texts[name] = text
		done.Changed = append(done.Changed, Changed{Key: name, Old: old.text, New: text, Live: k.Live})
	}
	return done, texts
}
