package acl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"signpost/internal/livefile"
)

const (
	// maxFile bounds the file of accounts, in bytes.
	maxFile = 1 << 20
	// minSecret is the shortest secret, in bytes, as brokers of 4.x have it.
	minSecret = 7
)

// parse reads the text of a file of accounts. The error is livefile.Faults.
func parse(text []byte) (*accounts, error) {
	p := parser{accounts: &accounts{byKey: map[string]*account{}}}
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, livefile.Faults{{What: "is empty"}}
	case err != nil:
		return nil, livefile.Faults{syntaxFault(err)}
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, livefile.Faults{{What: "has more than one YAML document, or what follows the first is none"}}
	}
	p.file(doc.Content[0])
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return p.accounts, nil
}

var (
	yamlLine = regexp.MustCompile(`^line (\d+): `)
	plainKey = regexp.MustCompile(`^[A-Za-z]{1,40}$`)
)

// syntaxFault is what the YAML reader says. Of the file's text it names one
// thing only, an unknown anchor, and that may be a secret that begins with *.
func syntaxFault(err error) livefile.Fault {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	f := livefile.Fault{}
	if m := yamlLine.FindStringSubmatch(what); m != nil {
		f.Line, _ = strconv.Atoi(m[1]) // digits
		what = what[len(m[0]):]
	}
	if strings.Contains(what, "anchor") {
		what = "a value that begins with * or & needs quotes"
	}
	f.What = "is no YAML: " + what
	return f
}

// parser collects the accounts, and what is wrong with them.
type parser struct {
	accounts *accounts
	faults   livefile.Faults
}

func (p *parser) fault(at *yaml.Node, format string, args ...any) {
	p.faults = append(p.faults, livefile.Fault{Line: at.Line, What: fmt.Sprintf(format, args...)})
}

func (p *parser) file(n *yaml.Node) {
	top := p.mapping(n, "the file", "accounts", "globalWhiteRemoteAddresses")
	if top == nil {
		return
	}
	for _, one := range p.list(top["accounts"], "accounts") {
		p.account(one)
	}
	for _, one := range p.list(top["globalWhiteRemoteAddresses"], "globalWhiteRemoteAddresses") {
		p.trusted(one)
	}
	if len(p.faults) == 0 && len(p.accounts.byKey)+len(p.accounts.white) == 0 {
		p.fault(n, "has no accounts: nobody could do anything")
	}
}

func (p *parser) account(n *yaml.Node) {
	m := p.mapping(n, "an account", "accessKey", "secretKey", "permissions", "whiteRemoteAddress")
	if m == nil {
		return
	}
	a := &account{key: p.text(n, m, "accessKey"), classes: p.classes(n, m)}
	if a.key != "" && p.accounts.byKey[a.key] != nil {
		p.fault(m["accessKey"], "accessKey %q is there twice", a.key)
	}
	secret := p.text(n, m, "secretKey")
	if secret != "" && len(secret) < minSecret {
		p.fault(m["secretKey"], "secretKey is too short: at least %d bytes", minSecret)
	}
	a.signer = newSigner(secret)
	if at := m["whiteRemoteAddress"]; at != nil && !isNull(at) {
		a.white = p.addresses(at, "whiteRemoteAddress")
	}
	p.accounts.byKey[a.key] = a
}

func (p *parser) trusted(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		p.fault(n, "globalWhiteRemoteAddresses: say what is permitted from there: an entry has address and permissions")
		return
	}
	m := p.mapping(n, "a global white address", "address", "permissions")
	if m == nil {
		return
	}
	t := trusted{classes: p.classes(n, m)}
	if p.text(n, m, "address") != "" {
		t.from = p.addresses(m["address"], "address")
	}
	p.accounts.white = append(p.accounts.white, t)
}

// classes reads permissions, which have to be there.
func (p *parser) classes(of *yaml.Node, m map[string]*yaml.Node) Class {
	n := m["permissions"]
	if n == nil {
		p.fault(of, "permissions are missing: any of read, register and admin")
		return none
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.fault(n, "permissions must be a list of read, register and admin")
		return none
	}
	all := none
	for _, one := range n.Content {
		if c, ok := classNamed(one.Value); ok && one.Kind == yaml.ScalarNode {
			all |= c
			continue
		}
		p.fault(one, "permissions must be a list of read, register and admin")
	}
	return all
}

// text reads a word that has to be there.
func (p *parser) text(of *yaml.Node, m map[string]*yaml.Node, key string) string {
	n := m[key]
	switch {
	case n == nil:
		p.fault(of, "%s is missing", key)
	case n.Kind != yaml.ScalarNode:
		p.fault(n, "%s must be a text", key)
	case isNull(n), n.Value == "":
		p.fault(n, "%s is empty", key)
	default:
		return n.Value // as it is written: 12345678 is a text, too
	}
	return ""
}

// isNull reports whether nothing, ~ or null is written.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func (p *parser) addresses(n *yaml.Node, key string) []netip.Prefix {
	if n.Kind != yaml.ScalarNode {
		p.fault(n, "%s must be a text: addresses divided by commas", key)
		return nil
	}
	var out []netip.Prefix
	for one := range strings.SplitSeq(n.Value, ",") {
		found, err := prefixes(strings.TrimSpace(one))
		if err != nil {
			p.fault(n, "%s: %v", key, err)
		}
		out = append(out, found...)
	}
	return out
}

// list returns the entries of a list that may be absent.
func (p *parser) list(n *yaml.Node, name string) []*yaml.Node {
	if n == nil || isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		p.fault(n, "%s must be a list", name)
		return nil
	}
	return n.Content
}

// mapping returns the values of a mapping with these keys and no others.
func (p *parser) mapping(n *yaml.Node, name string, keys ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		p.fault(n, "%s must be a mapping with %s", name, strings.Join(keys, ", "))
		return nil
	}
	out := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case out[key.Value] != nil:
			p.fault(key, "%s is there twice", key.Value)
		case !slices.Contains(keys, key.Value):
			p.fault(key, "%s", unknownKey(key.Value, keys))
		default:
			out[key.Value] = value
		}
	}
	return out
}

// unknownKey tells people with a broker's file what is otherwise here.
func unknownKey(key string, known []string) string {
	switch key {
	case "admin":
		return "admin: say permissions: [read, register, admin]"
	case "defaultTopicPerm", "defaultGroupPerm", "topicPerms", "groupPerms":
		return key + " is for brokers: a NameServer knows permissions only"
	}
	if !plainKey.MatchString(key) { // half of a line, perhaps the one with the secret
		key = "a key"
	}
	return fmt.Sprintf("%s is none of %s", key, strings.Join(known, ", "))
}
