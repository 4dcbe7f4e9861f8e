package compare

import (
	"path"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "a", true}, {"a*a", "a", false},
		{"a*a", "aa", true}, {"*b*", "abc", true}, {"*b*b*", "abc", false}, {"a*c/*e", "abc/c/de", true}, {"", "", true}, {"", "a", false},
		{"*a", "ba", true}, {"*a", "ab", false},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.text, got)
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("a*b*c", "axbxc")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.ContainsAny(pattern+text, `?[]\/`) {
			return // what path.Match takes for something else
		}
		want, err := path.Match(pattern, text)
		if got := matches(pattern, text); err == nil && got != want {
			t.Errorf("%q matches %q: %v", pattern, text, got)
		}
	})
}
