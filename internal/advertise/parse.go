package advertise

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"signpost/internal/livefile"
)

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// Parse reads the text of a file. The error is livefile.Faults. An empty file is
// one too: who wants nothing replaced has no file.
func Parse(text []byte) (*Table, error) {
	p := parser{table: &Table{kept: &weight{}}, networks: map[string]int{}}
	switch {
	case len(text) > maxFile:
		return nil, livefile.Faults{{What: fmt.Sprintf("is longer than %d bytes", maxFile)}}
	case !utf8.Valid(text):
		return nil, livefile.Faults{{What: "is not UTF-8"}}
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		p.line++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' && !strings.Contains(line, "=") {
			p.section(line[1 : len(line)-1])
		} else {
			p.entry(line)
		}
	}
	if len(p.table.mappings) == 0 && len(p.faults) == 0 {
		p.faults = livefile.Faults{{What: "has no network"}}
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	p.table.kept.mappings = p.table.mappings
	return p.table, nil
}

// parser makes a table, and collects what is wrong.
type parser struct {
	table  *Table
	faults livefile.Faults
	line   int

	networks map[string]int // a network -> the line of its section
	from     map[string]int // what the section replaces -> its line
	to       map[endpoint]int
}

func (p *parser) fault(format string, args ...any) {
	p.faults = append(p.faults, livefile.Fault{Line: p.line, What: fmt.Sprintf(format, args...)})
}

// once says whether key is not in lines yet, and puts it there.
func (p *parser) once(lines map[string]int, key string) bool {
	if line, ok := lines[key]; ok {
		p.fault("%s is in line %d already", key, line)
		return false
	}
	lines[key] = p.line
	return true
}

// section begins the section of some networks.
func (p *parser) section(text string) {
	m := &Mapping{exact: map[endpoint]endpoint{}, hosts: map[string]string{}, kept: p.table.kept}
	p.table.mappings = append(p.table.mappings, m)
	p.from, p.to = map[string]int{}, map[endpoint]int{}
	networks := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	if len(networks) == 0 {
		p.fault("a section without a network")
	}
	for _, text := range networks {
		network, err := readNetwork(text)
		if err != nil {
			p.fault("%s %v", text, err)
		} else if p.once(p.networks, network.String()) {
			p.table.networks.add(network, m)
		}
	}
}

// entry reads what an address, a host or a network is shown as.
func (p *parser) entry(line string) {
	from, to, ok := strings.Cut(line, "=")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	switch {
	case !ok || from == "" || to == "":
		p.fault("%s is neither [network] nor address = address", line)
	case len(p.table.mappings) == 0:
		p.fault("%s is before the first [network]", from)
	case strings.Contains(from, "/"):
		p.network(from, to)
	case isHost(from):
		p.host(from, to)
	default:
		p.endpoint(from, to)
	}
}

// isHost tells a host from host:port.
func isHost(text string) bool {
	return !strings.Contains(text, ":") || strings.HasSuffix(text, "]") || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[")
}

func (p *parser) mapping() *Mapping { return p.table.mappings[len(p.table.mappings)-1] }

func (p *parser) endpoint(fromText, toText string) {
	from, fault := readEndpoint(fromText)
	if fault != nil {
		p.fault("%s %v", fromText, fault)
	}
	to, err := readEndpoint(toText)
	if err != nil {
		p.fault("%s %v", toText, err)
	}
	if fault != nil || err != nil || !p.once(p.from, from.String()) {
		return
	}
	if line, ok := p.to[to]; ok {
		p.fault("%s is what line %d shows already", to, line)
		return
	}
	p.to[to] = p.line
	p.mapping().exact[from] = to
}

func (p *parser) host(fromText, toText string) {
	from, fault := readHost(fromText)
	if fault != nil {
		p.fault("%s %v", fromText, fault)
	}
	to, err := readHost(toText)
	if err != nil {
		p.fault("%s %v", toText, err)
	}
	if fault == nil && err == nil && p.once(p.from, from) {
		p.mapping().hosts[from] = to
	}
}

func (p *parser) network(fromText, toText string) {
	from, fault := readNetwork(fromText)
	if fault != nil {
		p.fault("%s %v", fromText, fault)
	}
	to, err := readTarget(toText)
	switch {
	case err != nil:
		p.fault("%s %v", toText, err)
	case fault != nil:
	case to.network.IsValid() && (to.network.Bits() != from.Bits() || to.network.Addr().Is4() != from.Addr().Is4()):
		p.fault("%s is not a network of the size of %s", toText, from)
	case p.once(p.from, from.String()):
		p.mapping().networks.add(from, to)
	}
}

func readTarget(text string) (to target, err error) {
	if strings.Contains(text, "/") {
		to.network, err = readNetwork(text)
	} else {
		to.host, err = readHost(text)
	}
	return to, err
}
