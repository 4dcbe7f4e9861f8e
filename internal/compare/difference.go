package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Difference is something that the two do not say alike.
type Difference struct {
	Kind   string `json:"kind"`             // cluster, broker, topic, list or order
	Name   string `json:"name"`             // of it
	Broker string `json:"broker,omitempty"` // of a topic, where it is about one
	What   string `json:"what,omitempty"`   // empty if it is all of it
	A      string `json:"a,omitempty"`      // what the first says; empty is nothing
	B      string `json:"b,omitempty"`
}

// Path names what differs: kind/name, and /broker and /what where there are any.
func (d Difference) Path() string {
	path := d.Kind + "/" + d.Name
	for _, part := range []string{d.Broker, d.What} {
		if part != "" {
			path += "/" + part
		}
	}
	return path
}

// Ignoring returns a function for Options that ignores the differences whose
// paths match one of the patterns. In a pattern * stands for any text, slashes
// too.
func Ignoring(patterns []string) func(Difference) bool {
	return func(d Difference) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, d.Path()) })
	}
}

func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

// The kinds of what is compared, in the order of a report.
const (
	cluster   = "cluster"
	broker    = "broker"
	topicKind = "topic"
	list      = "list"
	order     = "order"
)

var kinds = []string{cluster, broker, topicKind, list, order}

// subject is a thing that a NameServer says something of.
type subject struct{ kind, name string }

// statement is what is said of a subject, or of its part at one broker.
type statement struct {
	about        subject
	broker, what string
}

// facts are statements and their values, none of them empty.
type facts map[statement]string

// listed is the value of what is there or not.
const listed = "listed"

// add adds a statement; an empty value says nothing.
func (f facts) add(about subject, broker, what, value string) {
	if value != "" {
		f[statement{about, broker, what}] = value
	}
}

// drop forgets a list.
func (f facts) drop(name string) {
	maps.DeleteFunc(f, func(s statement, _ string) bool {
		if name == allTopics {
			return s.about.kind == topicKind && s.broker == "" && s.what == listed
		}
		return s.about == subject{list, name}
	})
}

// present are the subjects that something is said of, and their parts.
func (f facts) present() map[statement]bool {
	all := map[statement]bool{}
	for s := range f {
		all[statement{about: s.about}] = true
		all[statement{about: s.about, broker: s.broker}] = true
	}
	return all
}

// differences compares two sets of facts. Of a subject, or a part of it, that
// only one of them knows, there is one difference.
func differences(a, b facts) []Difference {
	inA, inB := a.present(), b.present()
	found := map[statement]Difference{}
	both := maps.Clone(a)
	maps.Copy(both, b)
	for s := range both {
		if a[s] == b[s] {
			continue
		}
		whole, part := statement{about: s.about}, statement{about: s.about, broker: s.broker}
		switch {
		case s.about.kind == list || s.about.kind == order: // an empty one is none
			found[s] = newDifference(s, a[s], b[s])
		case inA[whole] != inB[whole]:
			found[whole] = newDifference(whole, there(inA[whole]), there(inB[whole]))
		case inA[part] != inB[part]:
			found[part] = newDifference(part, there(inA[part]), there(inB[part]))
		default:
			found[s] = newDifference(s, a[s], b[s])
		}
	}
	return slices.SortedFunc(maps.Values(found), func(x, y Difference) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, x.Kind), slices.Index(kinds, y.Kind)), cmp.Compare(x.Name, y.Name),
			cmp.Compare(x.Broker, y.Broker), cmp.Compare(x.What, y.What))
	})
}

func newDifference(s statement, a, b string) Difference {
	return Difference{Kind: s.about.kind, Name: s.about.name, Broker: s.broker, What: s.what, A: a, B: b}
}

func there(present bool) string {
	if present {
		return "there"
	}
	return ""
}
