package config

import (
	"strings"
	"unicode"
)

// Kind is the form of a key's value.
type Kind string

// The kinds of values. Numbers are decimal, as java.lang.Integer reads them;
// white space around a value is not part of it, but of a secret it is.
const (
	Bool    Kind = "bool"    // true or false, in any case
	Int     Kind = "int"     // a count
	Bytes   Kind = "bytes"   // a count of bytes
	Millis  Kind = "millis"  // a time in milliseconds
	Seconds Kind = "seconds" // a time in seconds
	Text    Kind = "text"    // any text
	Path    Kind = "path"    // a file; never changed from remote
	Word    Kind = "word"    // one of Key.Words, in any case
	Address Kind = "address" // host:port, or nothing
	List    Kind = "list"    // names divided by ; or ,
)

// Group is the part of the configuration a key belongs to, as help and README
// show it.
type Group string

// The groups, in the order they are shown.
const (
	GroupListen   Group = "Listening"
	GroupRules    Group = "Routes"
	GroupStorage  Group = "Storage"
	GroupUpstream Group = "The API"
	GroupTLS      Group = "TLS"
	GroupACL      Group = "Access control"
	GroupAddress  Group = "Addresses"
	GroupLimits   Group = "Limits"
	GroupProduct  Group = "Product environment"
	GroupRemote   Group = "Remote changes"
	GroupShutdown Group = "Stopping"
	GroupLog      Group = "Logging"
	GroupInert    Group = "Accepted, without meaning here"
)

var groups = []Group{
	GroupListen, GroupRules, GroupStorage, GroupUpstream, GroupTLS, GroupACL, GroupAddress, GroupLimits,
	GroupProduct, GroupRemote, GroupShutdown, GroupLog, GroupInert,
}

// Program is a program that has its configuration from the table.
type Program string

// The programs.
const (
	Namesrv Program = "namesrv"
	Shim    Program = "shim"
)

// Key is one row of the table: all there is to know about one setting.
type Key struct {
	Name    string // in the file, in 318 and 319, and as the long flag
	Kind    Kind
	Default string // text; ${user.home} and ${env.ROCKETMQ_HOME} are filled in by Load
	Meaning string // a phrase for people, without a full stop; for inert keys: why
	Group   Group
	Words   []string // of Kind Word
	Min     int64    // of numbers
	Max     int64    // of numbers; 0 means the largest of 32 bits
	Live    bool     // a change from remote has its effect at once
	Secret  bool     // never shown, logged or changed from remote
	Fixed   bool     // never changed from remote
	Inert   bool     // accepted because Java knows it
	Only    Program  // that it means something to; empty is every program
	Stack   string   // the parameter that decides it at a shim: of the stack that its API is part of

	// at is where the value lives in a Config. It returns a *bool, *int,
	// *time.Duration, *string, *[]string, *Secret or encoding.TextUnmarshaler.
	at func(*Config) any
}

// Env is the name of the environment variable for the key: SIGNPOST_, then the
// key in capitals, with _ for each dot and before each capital that follows a
// small letter or digit: listenPort is SIGNPOST_LISTEN_PORT.
func (k Key) Env() string {
	var b strings.Builder
	b.WriteString(envPrefix)
	small := false
	for _, r := range k.Name {
		switch {
		case r == '.':
			b.WriteByte('_')
			small = false
			continue
		case small && unicode.IsUpper(r):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
		small = !unicode.IsUpper(r)
	}
	return b.String()
}

// protected reports whether no configuration may open the key to 318: black
// listed by Java, a path, or a secret. Remote writers of paths could make the
// server overwrite any file; of the lists, open everything else.
func (k Key) protected() bool { return k.Fixed || k.Secret || k.Kind == Path }

// defaultText is the default with home filled in.
func (k Key) defaultText(home string) string {
	return strings.ReplaceAll(k.Default, userHome, home)
}

// meansNothing reports whether the key is accepted by a program without having
// a meaning there.
func (k Key) meansNothing(p Program) bool { return k.Inert || k.Only != "" && k.Only != p }

// why is the reason.
func (k Key) why() string {
	if k.Inert {
		return k.Meaning
	}
	return "it is for bin/" + string(k.Only)
}

// Keys are all keys, in the order of the groups.
func Keys() []Key {
	out := make([]Key, len(table))
	copy(out, table)
	return out
}

// byName finds rows of the table.
var byName = func() map[string]*Key {
	m := make(map[string]*Key, len(table))
	for i := range table {
		m[table[i].Name] = &table[i]
	}
	return m
}()

const (
	envPrefix = "SIGNPOST_"
	userHome  = "${user.home}"
)
