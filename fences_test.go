// Package signpost_test holds the rules of the layout as tests: who may import
// whom, and that every package says what it is.
package signpost_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type pkg struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
}

// packages lists the module's packages, their imports among them.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,GoFiles,Imports", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, "signpost/")] = p
	}
}

// mayImport is, for each package, which others of the module it may import.
// What is not listed may import anything: the programs that wire the rest.
var mayImport = map[string][]string{
	"core":                       {},
	"internal/remoting":          {},
	"internal/kvfile":            {},
	"internal/pkcs8":             {},
	"internal/config":            {},
	"internal/wire":              {"core"},
	"internal/mapped":            {},
	"internal/memory":            {"core", "internal/mapped"},
	"internal/dynamo":            {"core"},
	"internal/eventbridge":       {"core"},
	"internal/tlsport":           {"internal/remoting", "internal/pkcs8"},
	"internal/livefile":          {},
	"internal/quiet":             {},
	"internal/acl":               {"internal/remoting", "internal/livefile", "internal/quiet"},
	"internal/product":           {"core", "internal/wire", "internal/remoting"},
	"internal/nameserver":        {"core", "internal/wire", "internal/remoting", "internal/quiet"},
	"internal/httpapi":           {"core", "internal/wire", "internal/remoting"},
	"internal/function":          {"core", "internal/dynamo", "internal/eventbridge", "internal/httpapi"},
	"core/storetest":             {"core"},
	"internal/discovery":         {},
	"internal/daemon/daemontest": {"core", "internal/remoting", "internal/wire"},
	"internal/daemon": {"core", "internal/config", "internal/nameserver", "internal/remoting", "internal/tlsport", "internal/product",
		"internal/acl", "internal/advertise", "internal/discovery"},
	"internal/advertise": {"core", "internal/livefile"},
	"internal/compare":   {"core", "internal/wire", "internal/remoting"},

	"internal/upstream":        {"core", "internal/remoting", "internal/wire", "internal/upstream/api", "internal/upstream/follow", "internal/upstream/held"},
	"internal/upstream/api":    {"core", "internal/wire"},
	"internal/upstream/follow": {"core", "internal/mapped", "internal/wire", "internal/upstream/api"},
	"internal/upstream/held":   {"core", "internal/upstream/api"},
}

// coreNever is what the route model must not know.
var coreNever = []string{"net", "net/http", "encoding/json", "log", "log/slog", "os", "math/rand", "math/rand/v2", "crypto/rand"}

func TestImportFences(t *testing.T) {
	all := packages(t)
	for name, allowed := range mayImport {
		p, ok := all[name]
		if !ok {
			t.Errorf("%s does not exist", name)
			continue
		}
		for _, i := range p.Imports {
			if own, ok := strings.CutPrefix(i, "signpost/"); ok && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s", name, own)
			}
		}
	}
	for _, i := range all["core"].Imports {
		if strings.Contains(strings.Split(i, "/")[0], ".") {
			t.Errorf("core imports %s: it is for the standard library only", i)
		}
		if slices.Contains(coreNever, i) {
			t.Errorf("core imports %s", i)
		}
	}
}

func TestEveryInternalPackageIsFenced(t *testing.T) {
	for name := range packages(t) {
		if strings.HasPrefix(name, "internal/") && mayImport[name] == nil {
			t.Errorf("%s has no fence in mayImport", name)
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	for name, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", name)
		}
	}
}
