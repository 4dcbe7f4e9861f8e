package config

import (
	"fmt"
	"slices"
	"strings"
)

// helpWidth is the longest line of the help text.
const helpWidth = 110

// Help is the text for -h.
func Help(program Program) string {
	var b strings.Builder
	b.WriteString("usage: " + string(program) + ` [-c FILE] [-p] [-n ADDR] [-h] [--version] [--KEY VALUE]...

  -c, --configFile FILE    Java properties file with any of the keys below
  -p, --printConfigItem    print the configuration and exit
  -n, --namesrvAddr ADDR   accepted as by Java's mqnamesrv; has no meaning here
  -h, --help               print this help and exit
      --version            print the version and exit

Each key is a flag, a key of the file and an environment variable: listenPort is --listenPort 9876,
listenPort=9876 and ` + byName["listenPort"].Env() + `=9876. A flag wins over the environment, that over the
file. ` + envConfigFile + ` stands for -c.
`)
	for _, group := range groups {
		if group != GroupInert && !slices.ContainsFunc(inGroup(group), func(k Key) bool { return !k.meansNothing(program) }) {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", group)
		if group == GroupInert {
			wrap(&b, "  ", meaningless(program))
			continue
		}
		for _, k := range inGroup(group) {
			if k.meansNothing(program) {
				continue
			}
			fmt.Fprintf(&b, "  --%s %s%s\n", k.Name, k.form(), k.defaultNote())
			wrap(&b, "        ", strings.Fields(k.Meaning))
		}
	}
	return b.String()
}

// Markdown is the table of all keys for the documentation. Keys marked live can
// be changed while the server runs; those of one program have its name.
func Markdown() string {
	var b strings.Builder
	for _, group := range groups {
		if group == GroupInert {
			fmt.Fprintf(&b, "**%s**: ", group)
			for i, k := range inGroup(group) {
				if i > 0 {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "`%s`", k.Name)
			}
			b.WriteString(".\n")
			continue
		}
		fmt.Fprintf(&b, "**%s**\n\n| key | only | kind | default | meaning |\n|---|---|---|---|---|\n", group)
		for _, k := range inGroup(group) {
			def := ""
			if k.Default != "" {
				def = "`" + k.Default + "`"
			}
			meaning := k.Meaning
			if k.Live {
				meaning += " (live)"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, k.Only, strings.ReplaceAll(k.form(), "|", ", "), def, meaning)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func inGroup(group Group) []Key {
	var out []Key
	for _, k := range table {
		if k.Group == group {
			out = append(out, k)
		}
	}
	return out
}

// meaningless are the names of the keys that a program only accepts.
func meaningless(program Program) []string {
	var out []string
	for _, k := range table {
		if k.meansNothing(program) {
			out = append(out, k.Name)
		}
	}
	return out
}

// defaultNote is the default in brackets, if there is one to show.
func (k Key) defaultNote() string {
	if k.Default == "" {
		return ""
	}
	return " [" + k.Default + "]"
}

// form is what a value looks like: its kind, or the words it may be.
func (k Key) form() string {
	if k.Kind == Word {
		return strings.Join(k.Words, "|")
	}
	return string(k.Kind)
}

// wrap writes words in lines of at most helpWidth, each behind indent.
func wrap(b *strings.Builder, indent string, words []string) {
	column := 0
	for _, word := range words {
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > helpWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
}
