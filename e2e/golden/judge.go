// Package golden replays what the Java NameServers 4.8.0, 4.9.7 and 5.3.3 were
// asked, and tells which differences from their answers are meant.
package golden

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signpost/e2e/scenario"
)

// RemotelyChanged are the keys that the captures change by request code 318,
// as far as they can be allowed here at all.
var RemotelyChanged = []string{
	"orderMessageEnable", "clusterTest", "serverChannelMaxIdleTimeSeconds", "serverWorkerThreads", "productEnvName", "needWaitForService",
}

// Rule is a way in which this server answers otherwise on purpose.
type Rule struct {
	Reason string // a sentence of COMPAT.md, or OfTheTest
	Cases  []Where
}

// OfTheTest is the reason of what the test's own arrangements make differ.
const OfTheTest = ""

// Where finds the differences that a rule is about.
type Where struct {
	Versions []string                       // of the real server; nil is all
	Keys     string                         // a regular expression for the whole of scenario/step/field
	When     func(scenario.Difference) bool // what else has to be so; nil is nothing
}

var v480, v4, v497, v533 = []string{"4.8.0"}, []string{"4.8.0", "4.9.7"}, []string{"4.9.7"}, []string{"5.3.3"}

// Judge tells which case of its rules covers a difference.
type Judge struct{ cases []judged }

type judged struct {
	Where
	reason  string
	pattern *regexp.Regexp
}

// NewJudge judges by Accepted, and by these.
func NewJudge(more ...Rule) *Judge {
	j := &Judge{}
	for _, r := range slices.Concat(Accepted, more) {
		for _, w := range r.Cases {
			j.cases = append(j.cases, judged{w, r.Reason, regexp.MustCompile(`^(?s:` + w.Keys + `)$`)})
		}
	}
	return j
}

// find returns the index of the case that covers the difference, or -1.
func (j *Judge) find(d scenario.Difference) int {
	return slices.IndexFunc(j.cases, func(c judged) bool {
		return (c.Versions == nil || slices.Contains(c.Versions, d.Version)) && c.pattern.MatchString(d.Key()) && (c.When == nil || c.When(d))
	})
}

// Accepts says whether a rule covers the difference.
func (j *Judge) Accepts(d scenario.Difference) bool { return j.find(d) >= 0 }

func (j *Judge) acceptsAll(differences []scenario.Difference) bool {
	return !slices.ContainsFunc(differences, func(d scenario.Difference) bool { return !j.Accepts(d) })
}

// Needless tells of the cases that cover none of the differences.
func (j *Judge) Needless(found []scenario.Difference) []string {
	used := make([]bool, len(j.cases))
	for _, d := range found {
		if i := j.find(d); i >= 0 {
			used[i] = true
		}
	}
	var needless []string
	for i, ok := range used {
		if c := j.cases[i]; !ok {
			needless = append(needless, fmt.Sprintf("nothing differs any more at %q of %v: take it out of %q", c.Keys, c.Versions, c.reason))
		}
	}
	return needless
}

// wanted, given and both compare the texts of a difference.

func wanted(values ...string) func(scenario.Difference) bool {
	return func(d scenario.Difference) bool { return slices.Contains(values, d.Want) }
}

func given(values ...string) func(scenario.Difference) bool {
	return func(d scenario.Difference) bool { return slices.Contains(values, d.Got) }
}

func both(want, got string) func(scenario.Difference) bool {
	return func(d scenario.Difference) bool { return d.Want == want && d.Got == got }
}

const (
	none      = "none"
	noBody    = "no body"
	noHeader  = "no extFields"
	noTopic   = `"No topic route info in name server for the topic: `
	noItem    = `"No config item, Namespace: `
	malformed = `"registration: cannot decode the body: `
)

// found: Java does not know the topic, and here is a route to it.
func found(d scenario.Difference) bool {
	switch d.Field {
	case "code":
		return d.Want == `"17"` && d.Got == `"0"`
	case "remark":
		return strings.HasPrefix(d.Want, noTopic) && d.Got == `""`
	}
	return d.Field == "body" && d.Want == noBody
}

// lost: Java has a route, and here the topic is not known.
func lost(d scenario.Difference) bool {
	switch d.Field {
	case "code":
		return d.Want == `"0"` && d.Got == `"17"`
	case "remark":
		return d.Want == `""` && strings.HasPrefix(d.Got, noTopic)
	}
	return d.Field == "body" && d.Got == noBody
}

// refused: Java says that all is well, and here is an error, with a remark
// that begins so.
func refused(remark string) func(scenario.Difference) bool {
	return func(d scenario.Difference) bool {
		switch d.Field {
		case "code":
			return d.Want == `"0"` && (d.Got == `"1"` || d.Got == `"16"` || d.Got == `"22"`)
		case "remark":
			return d.Want == `""` && strings.HasPrefix(d.Got, remark)
		case "ext":
			return d.Got == noHeader
		case "body":
			return d.Got == noBody
		}
		return strings.HasPrefix(d.Field, "ext.") && d.Got == none
	}
}

// taken: Java throws, and here all is well.
func taken(d scenario.Difference) bool {
	switch d.Field {
	case "code":
		return d.Want == `"1"` && d.Got == `"0"`
	case "remark.exception":
		return d.Got == ""
	case "ext":
		return d.Want == noHeader
	}
	return d.Field == "body" && d.Want == noBody
}

// answered: Java is silent, and here is an answer of that code.
func answered(code int) func(scenario.Difference) bool {
	text := `{"code":` + strconv.Itoa(code) + `,`
	return func(d scenario.Difference) bool {
		return d.Want == "none" && strings.HasPrefix(d.Got, "answer ") && strings.Contains(d.Got, text)
	}
}

// more: Java has nothing there.
func more(d scenario.Difference) bool { return d.Want == none }

// fewer: here is nothing there.
func fewer(d scenario.Difference) bool { return d.Got == none }

// number: Java has nothing there, and here is a number.
func number(d scenario.Difference) bool {
	_, err := strconv.Atoi(d.Got)
	return d.Want == none && err == nil
}

// boolean: Java has nothing there, and here is true or false.
func boolean(d scenario.Difference) bool {
	return d.Want == none && (d.Got == "true" || d.Got == "false")
}

// sameName: the paths end in the same name.
func sameName(d scenario.Difference) bool {
	want, err := strconv.Unquote(d.Want)
	got, err2 := strconv.Unquote(d.Got)
	return err == nil && err2 == nil && filepath.Base(got) == want
}

// redirected: both do not know the topic, and name another page.
func redirected(d scenario.Difference) bool {
	want, _, _ := strings.Cut(d.Want, `\nSee `)
	got, _, _ := strings.Cut(d.Got, `\nSee `)
	return strings.HasPrefix(want, noTopic) && want == got
}
