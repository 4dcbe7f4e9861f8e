package parity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"signpost/internal/remoting"
)

// Facts are what a server has answered, taken apart: each member of each
// answer by its path, such as
//
//	105 t0: body.queueDatas[b1].perm = 6
//
// Lists of objects are told apart by their brokerName and lists of names are
// sets, since Java lists in the order of its hash tables. Names are those of
// the sequence, and what is not the sequence's is left out.
type Facts map[string]string

// Difference is one fact that is not the same on both servers. An empty value
// is a fact that is not there.
type Difference struct {
	Fact string
	Java string
	Here string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: Java %s, here %s", d.Fact, orNothing(d.Java), orNothing(d.Here))
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Summary lists differences, one a line. Of an answer with another code, its
// code says enough.
func Summary(differences []Difference) string {
	code := map[string]bool{}
	for _, d := range differences {
		if about, ok := strings.CutSuffix(d.Fact, ": code"); ok {
			code[about] = true
		}
	}
	var s strings.Builder
	for _, d := range differences {
		if about, what, _ := strings.Cut(d.Fact, ": "); !code[about] || what == "code" {
			fmt.Fprintln(&s, d)
		}
	}
	return s.String()
}

// differences are the facts that are not the same, sorted.
func differences(java, here Facts) []Difference {
	var d []Difference
	for k, v := range java {
		if here[k] != v {
			d = append(d, Difference{k, v, here[k]})
		}
	}
	for k, v := range here {
		if _, ok := java[k]; !ok {
			d = append(d, Difference{k, "", v})
		}
	}
	slices.SortFunc(d, func(a, b Difference) int { return strings.Compare(a.Fact, b.Fact) })
	return d
}

// unheardFact is there if a step's answer says that the server could not reach
// those that know.
const unheardFact = "answer: unheard"

// unheard is what shims say then.
var unheard = regexp.MustCompile(`no answer from its API|not answered in time`)

// addAnswer takes an answer apart. about begins its paths.
func (f Facts) addAnswer(about string, n names, asked, got remoting.Command) error {
	f[about+": code"] = strconv.Itoa(int(got.Code))
	if got.Code == remoting.SystemError && unheard.MatchString(got.Remark) {
		f[about+": unheard"] = strconv.Quote(got.Remark)
	}
	if got.Remark != "" && got.Code != remoting.SystemError {
		// Java's words for its own trouble are a stack frame.
		f[about+": remark"] = strconv.Quote(n.short(got.Remark))
	}
	for _, x := range got.ExtFields {
		f[about+": ext."+x.Key] = strconv.Quote(n.short(x.Value))
	}
	if got.Body == nil {
		return nil
	}
	value, err := decode(got.Body)
	if err != nil {
		return fmt.Errorf("%s: body %q: %w", about, got.Body, err)
	}
	if object, ok := value.(map[string]any); ok {
		n.reduce(asked, object)
	}
	f.add(about+": body", n, value)
	return nil
}

// reduce leaves of the answers that list everything only what is the
// sequence's.
func (n names) reduce(asked remoting.Command, body map[string]any) {
	if table, ok := body["table"].(map[string]any); ok {
		namespace, _ := asked.ExtFields.Get("namespace")
		if asked.Code == remoting.RegisterBroker || namespace == orderNamespace {
			n.keep(table)
		}
	}
	for _, name := range []string{"brokerAddrTable", "clusterAddrTable"} {
		if table, ok := body[name].(map[string]any); ok {
			n.keep(table)
		}
	}
	if list, ok := body["topicList"].([]any); ok {
		body["topicList"] = slices.DeleteFunc(list, func(x any) bool { s, _ := x.(string); return !n.owns(s) })
	}
}

func (n names) keep(table map[string]any) {
	maps.DeleteFunc(table, func(k string, _ any) bool { return !n.owns(k) })
}

// add takes a value apart.
func (f Facts) add(path string, n names, value any) {
	switch v := value.(type) {
	case map[string]any:
		f[path] = "{}"
		for k, x := range v {
			f.add(path+"."+n.short(k), n, x)
		}
	case []any:
		f.addList(path, n, v)
	case string:
		f[path] = strconv.Quote(n.short(v))
	case nil:
		f[path] = "null"
	default:
		f[path] = fmt.Sprint(v)
	}
}

func (f Facts) addList(path string, n names, list []any) {
	f[path] = "[]"
	if strings.Contains(path, "filterServerTable") { // the broker's own order
		f[path] = fmt.Sprint(list)
		return
	}
	count := map[string]int{}
	for _, x := range list {
		switch x := x.(type) {
		case map[string]any:
			name := n.short(fmt.Sprint(x["brokerName"]))
			count[name]++
			f.add(path+"["+name+"]", n, x)
		default:
			count[n.short(fmt.Sprint(x))]++
		}
	}
	for name, c := range count {
		if _, object := list[0].(map[string]any); !object || c > 1 {
			f[path+"["+name+"]"] = "listed " + strconv.Itoa(c) + " x"
		}
	}
}

// String lists the facts, one a line.
func (f Facts) String() string {
	var b strings.Builder
	keys := make([]string, 0, len(f))
	for k := range f {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s = %s\n", k, f[k])
	}
	return b.String()
}

// decode reads a body as fastjson writes it: member names that are numbers may
// stand without quotes.
func decode(body []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(quoteKeys(body)))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more after the value")
	}
	return value, nil
}

func quoteKeys(b []byte) []byte {
	out := make([]byte, 0, len(b)+16)
	inString := false
	for i := 0; i < len(b); i++ {
		c := b[i]
		out = append(out, c)
		switch {
		case inString && c == '\\' && i+1 < len(b):
			i++
			out = append(out, b[i])
		case c == '"':
			inString = !inString
		case !inString && (c == '{' || c == ','):
			end := i + 1
			for end < len(b) && (b[end] == '-' || '0' <= b[end] && b[end] <= '9') {
				end++
			}
			if end > i+1 && end < len(b) && b[end] == ':' {
				out = append(out, '"')
				out = append(out, b[i+1:end]...)
				out = append(out, '"')
				i = end - 1
			}
		}
	}
	return out
}
