package acl

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"signpost/internal/remoting"
)

// TestReadme: what the README tells people is how it is.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(readme), "\n## Access control on the TCP port\n")
	if !ok {
		t.Fatal("the README has no section on access control")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, example, _ := strings.Cut(section, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if a, err := parse([]byte(example)); err != nil || len(a.byKey) != 3 || len(a.white) != 1 {
		t.Errorf("its accounts: %+v, %v", a, err)
	}
	told := map[remoting.Code]Class{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([\\d, ]+) \\|$").FindAllStringSubmatch(section, -1) {
		class, known := classNamed(row[1])
		if !known {
			t.Errorf("it tells of permission %q", row[1])
		}
		for text := range strings.SplitSeq(row[2], ", ") {
			code, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			told[remoting.Code(code)] = class
		}
	}
	for code := remoting.Code(0); code < 2000; code++ {
		if ClassOf(code) != told[code] {
			t.Errorf("%v: it tells of %v, and it is %v", code, told[code], ClassOf(code))
		}
	}
}
