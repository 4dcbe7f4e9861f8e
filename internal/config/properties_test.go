package config

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/magiconair/properties"
)

// What java.util.Properties.load of JDK 17 makes of these texts.
func TestPropertiesAreReadAsJavaReadsThem(t *testing.T) {
	type entries = map[string]string
	for _, c := range []struct {
		text string
		want entries
	}{
		{"", entries{}},
		{"\n \t\f\n#a=1\n  ! b=2\n", entries{}},
		{"listenPort=9876", entries{"listenPort": "9876"}},
		{"listenPort = 9876\n", entries{"listenPort": "9876"}},
		{"listenPort:9876\r\nclusterTest true\r\n", entries{"listenPort": "9876", "clusterTest": "true"}},
		{"a = b \n", entries{"a": "b "}},
		{"a = = b", entries{"a": "= b"}},
		{"a", entries{"a": ""}},
		{"a\nb:\nc=", entries{"a": "", "b": "", "c": ""}},
		{"a=1\na=2", entries{"a": "2"}},
		{"a=1\rb=2", entries{"a": "1", "b": "2"}},
		{"a=b # c", entries{"a": "b # c"}},
		{"a=1;\\\n   2;\\\r\n\t3", entries{"a": "1;2;3"}},
		{"a=1\\\\\nb=2", entries{"a": `1\`, "b": "2"}},
		{"a=1\\\n#b=2\n", entries{"a": "1#b=2"}},
		{"#a=1\\\nb=2\n", entries{"b": "2"}},
		{"a=1\\\n\nb=2\n", entries{"a": "1", "b": "2"}},
		{"\\\n#a=1\nb=2", entries{"b": "2"}},
		{"ke\\\n  y=1", entries{"key": "1"}},
		{"a=1\\", entries{"a": "1"}},
		{"=1\nb=2", entries{"b": "2"}},
		{":\nb=2", entries{"b": "2"}},
		{`a\ b\:c\=d=1`, entries{"a b:c=d": "1"}},
		{`a=C:\temp\new`, entries{"a": "C:\temp\new"}},
		{`a=\q\"`, entries{"a": `q"`}},
		{`a=\u0041\u00e9\u6570`, entries{"a": "Aé数"}},
		{"a=${user.home}/x", entries{"a": "${user.home}/x"}},
		{"a=\xe9", entries{"a": "é"}},
		{"a=é", entries{"a": "Ã©"}}, // UTF-8 in the file, as Java misreads it
	} {
		got, err := parseProperties([]byte(c.text), properties.ISO_8859_1)
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{`a=\u00`, `a=\u00zz`, `\u=`, `=\u`, "a=1\nb=\\u12\nc=2"} {
		if got, err := parseProperties([]byte(text), properties.ISO_8859_1); err == nil {
			t.Errorf("%q: %q, want an error", text, got)
		}
	}
}

func TestBodyIsReadAsUTF8(t *testing.T) {
	got, err := parseProperties([]byte("a=é数"), properties.UTF8)
	if err != nil || got["a"] != "é数" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLongPropertiesAreRefused(t *testing.T) {
	text := []byte("a=" + strings.Repeat("x", maxPropertiesBytes-2))
	if _, err := parseProperties(text, properties.UTF8); err != nil {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	if _, err := parseProperties(append(text, 'x'), properties.UTF8); err == nil {
		t.Errorf("%d bytes are taken", len(text)+1)
	}
}

// The library lexes in a goroutine. A broken text, which anybody may send,
// must not leave it behind: the bubble would wait for it for ever.
func TestBrokenPropertiesLeaveNoGoroutine(t *testing.T) {
	for _, text := range []string{"=1\na=2\nb=3", "a=\\u\nb=1", ":", "\\\n=x\ny=1"} {
		synctest.Test(t, func(t *testing.T) {
			if _, err := parseProperties([]byte(text), properties.UTF8); err == nil == strings.Contains(text, "u") {
				t.Errorf("%q: %v", text, err)
			}
		})
	}
}

// seeds are texts with every piece of the grammar.
var seeds = []string{
	"listenPort=9876\nclusterTest = true\n", "# comment\n! comment\n\na:b\nc d\n", "a=1\\\n  2\\\r\n3",
	"a=\\u0041\\u00e9\n", "=x\n:\n", "a=1\\", "\\\n#x\n", "a\\ b\\:=\\\\\n", "\xe9=\xff\x00\r\r\n", "a=\\u00",
}

func FuzzProperties(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		// A body may be anything; it is enough that it is read or refused.
		_, inUTF8 := parseProperties(text, properties.UTF8)
		got, inLatin1 := parseProperties(text, properties.ISO_8859_1)
		if (inUTF8 == nil) != (inLatin1 == nil) {
			t.Errorf("%q: %v in UTF-8, %v in ISO-8859-1", text, inUTF8, inLatin1)
		}
		// What was read is read again when it is written.
		var b strings.Builder
		for key, value := range got {
			b.WriteString(formatProperty(key, value))
		}
		again, err := parseProperties([]byte(b.String()), properties.ISO_8859_1)
		if err != nil || !maps.Equal(got, again) && inLatin1 == nil {
			t.Errorf("%q was written as %q and read as %q, %v", got, b.String(), again, err)
		}
		checkEdit(t, text, map[string]string{"listenPort": "1", "a": "x y", "b b": ` \=#é`})
	})
}

// checkEdit edits text, and looks that the changes are in it and nothing else
// is changed.
func checkEdit(t *testing.T, text []byte, changes map[string]string) {
	t.Helper()
	before, err := parseProperties(text, properties.ISO_8859_1)
	if err != nil {
		return
	}
	edited, err := editProperties(text, changes)
	if err != nil {
		t.Errorf("%q cannot be edited: %v", text, err)
		return
	}
	after, err := parseProperties(edited, properties.ISO_8859_1)
	want := maps.Clone(before)
	maps.Copy(want, changes)
	if err != nil || !maps.Equal(after, want) {
		t.Errorf("%q became %q: %q, %v; want %q", text, edited, after, err, want)
	}
	again, err := editProperties(edited, changes)
	if err != nil || !bytes.Equal(again, edited) {
		t.Errorf("%q edited again became %q, %v", edited, again, err)
	}
}

func TestEditsOfRandomTexts(t *testing.T) {
	pieces := []string{"a", "b", "key", "=", ":", " ", "\t", "\\", "\\\\", "\n", "\r\n", "\r", "#", "!", "\\u0041", "\xe9"}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var text []byte
		for range rnd.IntN(16) {
			text = append(text, pieces[rnd.IntN(len(pieces))]...)
		}
		checkEdit(t, text, map[string]string{"a": "1", "key": "é"})
	}
}
