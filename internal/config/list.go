package config

import (
	"maps"
	"slices"
	"strings"
)

// Setting is one key whose value is not its default, for the log.
type Setting struct {
	Key    string
	Value  string // [Mask] for a secret
	Source Source
}

// Settings are the keys whose values are not their defaults, in the order of
// [Keys].
func (c *Config) Settings() []Setting {
	var out []Setting
	for _, k := range table {
		if v := c.values[k.Name]; v.differs() && !c.implied(k.Name) {
			out = append(out, Setting{Key: k.Name, Value: v.text, Source: v.source})
		}
	}
	return out
}

// List is the whole configuration as request code 319 and -p show it: a line
// k=v for each key, sorted by key as in Java 5.x, the keys of the file that
// nobody knows among them. Keys that have no value are left out, as Java
// leaves out null, and those of the other program that nobody set. Secrets are masked. As in Java nothing is escaped, but a
// line end inside of a value, which would look like another key.
func (c *Config) List() string {
	lines := make(map[string]string, len(c.values)+len(c.extra))
	for _, k := range table {
		v := c.values[k.Name]
		if k.Only != "" && k.Only != c.Program && !v.differs() {
			continue
		}
		if v.text != "" || k.Default != "" {
			lines[k.Name] = v.text
		}
	}
	for name, text := range c.extra {
		lines[name] = text
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(oneLine.Replace(name))
		b.WriteByte('=')
		b.WriteString(oneLine.Replace(lines[name]))
		b.WriteByte('\n')
	}
	return b.String()
}

var oneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`)

// shown is text, or its mask.
func shown(secret bool, text string) string {
	if secret {
		return Secret(text).String()
	}
	return text
}
