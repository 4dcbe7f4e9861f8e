package scenario

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"signpost/internal/remoting"
)

// frameOf is an answer with opaque 1.
func frameOf(code remoting.Code, remark, body string, fields ...remoting.Field) []byte {
	cmd := remoting.Command{Code: code, Language: "JAVA", Opaque: 1, Flag: 1, Remark: remark, ExtFields: fields}
	if body != "" {
		cmd.Body = []byte(body)
	}
	return remoting.AppendFrame(nil, &cmd)
}

func goldenOf(steps ...Step) *Golden {
	return &Golden{Scenario: "test", About: "A test.", Version: "0.0.1", Props: []string{"a=b", "c=d e"}, Steps: steps}
}

func TestGoldenIsReadAsWritten(t *testing.T) {
	g := goldenOf(
		Step{Name: "ask", Kind: Ask, Conn: "c", Opaque: -1, Send: route("a\nb").frame(-1, 0), Outcome: Answered, Answer: frameOf(17, "two\nlines", "")},
		Step{Name: "masked", Kind: Await, Conn: "c", Opaque: 1, Masks: []Mask{{regexp.MustCompile(`(?m)^p=\d+$`), "p=0"}, maskOpaque},
			Send: listing().frame(1, 5), Outcome: Answered, Answer: frameOf(0, "", "p=0\nq=ü\n")},
		Step{Name: "packed", Kind: Ask, Conn: "c", Opaque: 1, Send: call(103).body(deflate([]byte("text\x00"))).binary().frame(1, 5), Outcome: Answered, Answer: frameOf(0, "", "{}")},
		Step{Name: "cut", Kind: Cut, Conn: "c", Send: []byte{0xFF, 1, 2}, Outcome: Closed},
		Step{Name: "listen", Kind: Listen, Conn: "l", Addr: "127.0.0.1:1", Outcome: Nothing},
		Step{Name: "close", Kind: Close, Conn: "c", Outcome: Nothing},
	)
	text := g.Format()
	read, err := ReadGolden(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if again := read.Format(); !bytes.Equal(text, again) {
		t.Errorf("written again:\n%s\nwant\n%s", again, text)
	}
	if len(read.Steps) != len(g.Steps) || !bytes.Equal(read.Steps[2].Send, g.Steps[2].Send) || read.Steps[0].Opaque != -1 ||
		read.Props[1] != "c=d e" || read.Steps[4].Addr != "127.0.0.1:1" {
		t.Errorf("read %+v", read)
	}
}

func TestGoldenTellsWhatIsInTheFrames(t *testing.T) {
	g := goldenOf(Step{Name: "ask", Kind: Ask, Conn: "c", Opaque: 1, Send: call(103, "brokerName", "b").body(deflate([]byte("text\x00"))).frame(1, 5),
		Outcome: Answered, Answer: frameOf(0, "", `{"a":1}`)})
	text := string(g.Format())
	for _, line := range []string{
		`send.header JSON {"code":103,"extFields":{"brokerName":"b"},"flag":0,"language":"JAVA","opaque":1,"version":5}`,
		`send.inflated "text\x00"`,
		`answer.header JSON {"code":0,"flag":1,"language":"JAVA","opaque":1,"version":0}`,
		`answer.body {"a":1}`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

func TestEditedGoldenIsRefused(t *testing.T) {
	text := string(goldenOf(Step{Name: "ask", Kind: Ask, Conn: "c", Opaque: 1, Send: clusters().frame(1, 5), Outcome: Answered, Answer: frameOf(0, "", `{"a":1}`)}).Format())
	for _, c := range []struct{ old, new, want string }{
		{`answer.body {"a":1}`, `answer.body {"a":2}`, "not as it was recorded"},
		{"\n\nstep ask", "\nanswer.code 0\n\nstep ask", "before the first step"},
		{"kind ask", "sort ask", "unknown key"},
		{"opaque 1\n", "opaque one\n", "invalid syntax"},
		{"send.base64 ", "send.base64 !", "illegal base64"},
		{"outcome", "mask (\noutcome", "no =>"},
	} {
		edited := strings.Replace(text, c.old, c.new, 1)
		if edited == text {
			t.Fatalf("%q is not in\n%s", c.old, text)
		}
		if _, err := ReadGolden(strings.NewReader(edited)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in place of %q: %v, want an error with %q", c.new, c.old, err, c.want)
		}
	}
}

// The recordings in the repository are of all scenarios, with the requests
// that the scenarios make today.
func TestRecordingsAreOfTheScenarios(t *testing.T) {
	all, err := ReadGoldens("../../internal/nameserver/testdata/captures")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]*Golden{}
	for _, g := range all {
		recorded[g.FileName()] = g
	}
	n := 0
	for _, sc := range All() {
		for _, v := range versions {
			if !sc.AppliesTo(v) {
				continue
			}
			n++
			want := &Golden{Scenario: sc.Name, Version: v, Steps: sc.For(v)}
			g := recorded[want.FileName()]
			if g == nil {
				t.Errorf("no recording %s", want.FileName())
				continue
			}
			if len(g.Steps) != len(want.Steps) {
				t.Errorf("%s: %d steps, the scenario has %d", want.FileName(), len(g.Steps), len(want.Steps))
				continue
			}
			for i, s := range want.Steps {
				if got := g.Steps[i]; got.Name != s.Name || got.Kind != s.Kind || !sameRequest(got.Send, s.Send) {
					t.Errorf("%s: step %s is not as in the scenario: make captures records it again", want.FileName(), got.Name)
					break
				}
			}
		}
	}
	if n != len(all) {
		t.Errorf("%d recordings, the scenarios make %d", len(all), n)
	}
}

// sameRequest compares requests but for the bits that a deflater chooses:
// they differ between releases of Go.
func sameRequest(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	_, aHeader, aBody, aErr := frameParts(a)
	_, bHeader, bBody, bErr := frameParts(b)
	if aErr != nil || bErr != nil || !bytes.Equal(aHeader, bHeader) {
		return false
	}
	aText, aErr := inflate(aBody)
	bText, bErr := inflate(bBody)
	return aErr == nil && bErr == nil && bytes.Equal(aText, bText)
}
