package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signpost/internal/remoting"
)

// Difference is one point in which a server's answer is not the golden one.
type Difference struct {
	Version  string // of the golden file
	Scenario string
	Step     string
	// Field is what differs: outcome, code, flag, remark, remark.exception
	// (the golden one tells a Java exception), ext (there is a header at
	// all), ext.<name>, body, body.form (keys with or without quotes),
	// body.<path>, or extra (a frame that nobody asked for).
	Field     string
	Want, Got string
}

// Key is scenario/step/field. It is the same in every run and for every
// version, so that a list of accepted differences can name it.
func (d Difference) Key() string { return d.Scenario + "/" + d.Step + "/" + d.Field }

func (d Difference) String() string {
	return fmt.Sprintf("%s %s: want %s, got %s", d.Version, d.Key(), d.Want, d.Got)
}

// Compare returns the differences of got from want, two recordings of the
// same steps. Code, flag, remark, header fields and body count; the order of
// what Java leaves to hashing, the encoding of the header, and the server's
// language and version do not.
func Compare(want, got *Golden) []Difference {
	c := &comparison{version: want.Version, scenario: want.Scenario}
	for i, w := range want.Steps {
		c.step = w.Name
		if i >= len(got.Steps) || got.Steps[i].Name != w.Name {
			c.add("outcome", string(w.Outcome), "no such step")
			return c.found
		}
		c.steps(w, got.Steps[i])
	}
	for _, g := range got.Steps[len(want.Steps):] {
		c.step = g.Name
		c.add("extra", "no more frames", strings.TrimSpace(frameText(g.Answer)))
	}
	return c.found
}

// SameBytes counts the answers of got that are want's to the byte, and all
// that want has. It is for information: order and spaces are no difference.
func SameBytes(want, got *Golden) (same, answers int) {
	for i, w := range want.Steps {
		if w.Answer == nil {
			continue
		}
		answers++
		if i < len(got.Steps) && bytes.Equal(w.Answer, got.Steps[i].Answer) {
			same++
		}
	}
	return same, answers
}

type comparison struct {
	version, scenario, step string
	found                   []Difference
}

func (c *comparison) add(field, want, got string) {
	c.found = append(c.found, Difference{c.version, c.scenario, c.step, field, want, got})
}

func (c *comparison) text(field, want, got string) {
	if want != got {
		c.add(field, strconv.Quote(want), strconv.Quote(got))
	}
}

func (c *comparison) steps(want, got Step) {
	if want.Outcome != got.Outcome {
		c.add("outcome", outcomeText(want), outcomeText(got))
		return
	}
	if want.Outcome != Answered {
		return
	}
	var w, g remoting.Command
	if err := remoting.DecodeFrame(want.Answer[4:], &w); err != nil {
		c.add("outcome", "a golden answer that can be decoded", err.Error())
		return
	}
	if err := remoting.DecodeFrame(got.Answer[4:], &g); err != nil {
		c.add("outcome", outcomeText(want), err.Error())
		return
	}
	c.text("code", strconv.Itoa(int(w.Code)), strconv.Itoa(int(g.Code)))
	c.text("flag", strconv.Itoa(int(w.Flag)), strconv.Itoa(int(g.Flag)))
	if javaException.MatchString(w.Remark) {
		c.text("remark.exception", w.Remark, g.Remark)
	} else {
		c.text("remark", w.Remark, g.Remark)
	}
	if w.Encoding == remoting.EncodingJSON && g.Encoding == remoting.EncodingJSON {
		c.ext(w.ExtFields, g.ExtFields)
	} else { // the binary encoding cannot tell an empty header from none
		c.maps("ext.", fieldMap(w.ExtFields), fieldMap(g.ExtFields))
	}
	if isConfig(want.Send) {
		c.config(w.Body, g.Body)
	} else {
		c.body(w.Body, g.Body)
	}
}

// javaException is the beginning of a remark that tells a Java exception.
var javaException = regexp.MustCompile(`^[a-z]\w*(\.\w+)+(Exception|Error)\b`)

func (c *comparison) ext(want, got remoting.Fields) {
	if (want == nil) != (got == nil) {
		c.add("ext", extText(want), extText(got))
		return
	}
	c.maps("ext.", fieldMap(want), fieldMap(got))
}

// maps compares two maps, each key a field.
func (c *comparison) maps(prefix string, want, got map[string]string) {
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		w, inWant := want[k]
		g, inGot := got[k]
		if inWant != inGot || w != g {
			c.add(prefix+k, valueText(w, inWant), valueText(g, inGot))
		}
	}
}

// config compares the listings of a server's configuration, line by line.
func (c *comparison) config(want, got []byte) {
	c.maps("body.", configMap(want), configMap(got))
}

func configMap(body []byte) map[string]string {
	m := map[string]string{}
	for l := range strings.Lines(string(body)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "=")
		m[k] = v
	}
	return m
}

func isConfig(send []byte) bool {
	var cmd remoting.Command
	return len(send) > 4 && remoting.DecodeFrame(send[4:], &cmd) == nil && cmd.Code == remoting.GetNameServerConfig
}

func (c *comparison) body(want, got []byte) {
	if (want == nil) != (got == nil) {
		c.add("body", bodyText(want), bodyText(got))
		return
	}
	w, wBare, wErr := parseJSON(want)
	g, gBare, gErr := parseJSON(got)
	if wErr != nil || gErr != nil {
		c.text("body", string(want), string(got))
		return
	}
	c.value("body", w, g)
	// Without an integer key there is none to quote.
	if wBare != gBare && hasIntegerKey(w) && hasIntegerKey(g) {
		c.add("body.form", formText(wBare), formText(gBare))
	}
}

// value compares two parsed JSON values.
func (c *comparison) value(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			c.object(path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			c.array(path, w, g)
			return
		}
	}
	c.jsonText(path, want, got)
}

func (c *comparison) object(path string, want, got map[string]any) {
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		w, inWant := want[k]
		g, inGot := got[k]
		switch {
		case !inWant:
			c.add(path+"."+k, "none", jsonText(g))
		case !inGot:
			c.add(path+"."+k, jsonText(w), "none")
		default:
			c.value(path+"."+k, w, g)
		}
	}
}

// hashed are the arrays whose order Java leaves to hashing: sets of names, and
// values of maps. Of 4.8.0's queueDatas the order is that of registration, but
// clients sort, and later releases hash.
var hashed = regexp.MustCompile(`^body\.(topicList|brokerDatas|queueDatas|clusterAddrTable\.[^.]*)$`)

func (c *comparison) array(path string, want, got []any) {
	if hashed.MatchString(path) {
		c.set(path, want, got)
		return
	}
	if len(want) != len(got) {
		c.jsonText(path, want, got)
		return
	}
	for i := range want {
		c.value(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])
	}
}

// set compares arrays without regard to order, elements by their names.
func (c *comparison) set(path string, want, got []any) {
	w, g := byName(want), byName(got)
	for _, name := range slices.Sorted(maps.Keys(w)) {
		if v, ok := g[name]; !ok {
			c.add(path+"["+name+"]", jsonText(w[name]), "none")
		} else {
			c.value(path+"["+name+"]", w[name], v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if _, ok := w[name]; !ok {
			c.add(path+"["+name+"]", "none", jsonText(g[name]))
		}
	}
}

// byName gives each element the name that it has (brokerName) or is. A second
// one of a name is told apart by its number.
func byName(elements []any) map[string]any {
	m := map[string]any{}
	for _, e := range elements {
		name := jsonText(e)
		if o, ok := e.(map[string]any); ok {
			name, _ = o["brokerName"].(string)
		} else if s, ok := e.(string); ok {
			name = s
		}
		key := name
		for n := 2; ; n++ {
			if _, taken := m[key]; !taken {
				break
			}
			key = fmt.Sprintf("%s#%d", name, n)
		}
		m[key] = e
	}
	return m
}

func (c *comparison) jsonText(path string, want, got any) {
	if w, g := jsonText(want), jsonText(got); w != g {
		c.add(path, w, g)
	}
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error() // unreachable: v came from JSON
	}
	return string(b)
}

func outcomeText(s Step) string {
	if s.Answer == nil {
		return string(s.Outcome)
	}
	return strings.TrimSpace(string(s.Outcome) + " " + frameText(s.Answer))
}

func frameText(frame []byte) string {
	var b strings.Builder
	for _, d := range describe(frame) {
		fmt.Fprintf(&b, "%s ", d.value)
	}
	return b.String()
}

func valueText(v string, there bool) string {
	if !there {
		return "none"
	}
	return strconv.Quote(v)
}

func extText(f remoting.Fields) string {
	if f == nil {
		return "no extFields"
	}
	return jsonText(fieldMap(f))
}

func bodyText(b []byte) string {
	if b == nil {
		return "no body"
	}
	return strconv.Quote(string(b))
}

func formText(bare bool) string {
	if bare {
		return "unquoted integer keys"
	}
	return "standard JSON"
}

// hasIntegerKey says whether an object anywhere in the value has a key that is
// an integer.
func hasIntegerKey(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			if _, err := strconv.ParseInt(k, 10, 64); err == nil || hasIntegerKey(member) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasIntegerKey)
	}
	return false
}
