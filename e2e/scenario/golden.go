package scenario

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Golden is a scenario as it went with one server: a golden file's content.
type Golden struct {
	Scenario string
	About    string
	// Version is the release of the server.
	Version string
	// Props are the properties that the server ran with.
	Props []string
	Steps []Step
}

// maxLine bounds a line of a golden file, in bytes.
const maxLine = 4 << 20

const goldenHead = `# A conversation with a real NameServer, recorded by e2e/capture. Do not edit: base64 is what went over the wire,
# everything else about a frame is read from it. A "mask" is a pattern and what stands in its place in the answer,
# because it differs from run to run.
`

// FileName is the name of the golden file, relative to the folder of captures.
func (g *Golden) FileName() string { return path.Join(g.Version, g.Scenario+".golden") }

// Format returns the text of the golden file: blocks of "key value" lines,
// first one about the whole, then one for each step.
func (g *Golden) Format() []byte {
	var b bytes.Buffer
	b.WriteString(goldenHead)
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s %s\n", key, value)
		}
	}
	line("scenario", g.Scenario)
	line("about", g.About)
	line("server", g.Version)
	for _, p := range g.Props {
		line("property", p)
	}
	for _, s := range g.Steps {
		b.WriteByte('\n')
		line("step", s.Name)
		line("kind", string(s.Kind))
		line("on", s.Conn)
		line("listen", s.Addr)
		if s.Opaque != 0 {
			line("opaque", strconv.Itoa(int(s.Opaque)))
		}
		for _, m := range s.Masks {
			line("mask", m.Pattern.String()+" => "+m.With)
		}
		for _, l := range describe(s.Send) {
			line("send."+l.key, l.value)
		}
		line("send.base64", base64.StdEncoding.EncodeToString(s.Send))
		line("outcome", string(s.Outcome))
		for _, l := range describe(s.Answer) {
			line("answer."+l.key, l.value)
		}
		line("answer.base64", base64.StdEncoding.EncodeToString(s.Answer))
	}
	return b.Bytes()
}

// ReadGolden reads the text of a golden file. It is an error when the file is
// not what Format makes of its content, for then somebody has edited it.
func ReadGolden(r io.Reader) (*Golden, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read golden: %w", err)
	}
	g := &Golden{}
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, maxLine)
	for n := 1; sc.Scan(); n++ {
		key, value, _ := strings.Cut(sc.Text(), " ")
		if key == "" || key[0] == '#' {
			continue
		}
		if err := g.set(key, value); err != nil {
			return nil, fmt.Errorf("read golden: line %d: %w", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read golden: %w", err)
	}
	if !bytes.Equal(text, g.Format()) {
		return nil, errors.New("read golden: not as it was recorded: what is said about the frames is not what the base64 says")
	}
	return g, nil
}

// set takes one line of a golden file.
func (g *Golden) set(key, value string) error {
	switch key {
	case "scenario":
		g.Scenario = value
		return nil
	case "about":
		g.About = value
		return nil
	case "server":
		g.Version = value
		return nil
	case "property":
		g.Props = append(g.Props, value)
		return nil
	case "step":
		g.Steps = append(g.Steps, Step{Name: value})
		return nil
	}
	if len(g.Steps) == 0 {
		return fmt.Errorf("%q before the first step", key)
	}
	return g.Steps[len(g.Steps)-1].set(key, value)
}

func (s *Step) set(key, value string) (err error) {
	switch key {
	case "kind":
		s.Kind = Kind(value)
	case "on":
		s.Conn = value
	case "listen":
		s.Addr = value
	case "opaque":
		var n int64
		n, err = strconv.ParseInt(value, 10, 32)
		s.Opaque = int32(n)
	case "mask":
		pattern, with, ok := strings.Cut(value, " => ")
		if !ok {
			return fmt.Errorf("mask %q has no =>", value)
		}
		var m Mask
		m.Pattern, err = regexp.Compile(pattern)
		m.With = with
		s.Masks = append(s.Masks, m)
	case "send.base64":
		s.Send, err = base64.StdEncoding.DecodeString(value)
	case "answer.base64":
		s.Answer, err = base64.StdEncoding.DecodeString(value)
	case "outcome":
		s.Outcome = Outcome(value)
	default:
		if !strings.HasPrefix(key, "send.") && !strings.HasPrefix(key, "answer.") {
			return fmt.Errorf("unknown key %q", key)
		}
	}
	return err
}

// ReadGoldens reads all golden files of a folder of captures, sorted by
// version and scenario. No file at all is an error.
func ReadGoldens(dir string) ([]*Golden, error) {
	root := os.DirFS(dir)
	names, err := fs.Glob(root, "*/*.golden")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("read goldens: no */*.golden in %s", dir)
	}
	var all []*Golden
	for _, name := range names {
		f, err := root.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read goldens: %w", err)
		}
		g, err := ReadGolden(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if g.FileName() != name {
			return nil, fmt.Errorf("%s: it says that it is %s", name, g.FileName())
		}
		all = append(all, g)
	}
	return all, nil
}
