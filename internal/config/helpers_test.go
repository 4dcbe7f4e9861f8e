package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mustLoad loads what has to be valid.
func mustLoad(t *testing.T, args, environ []string) *Config {
	t.Helper()
	c, err := Load(Namesrv, args, environ, "/home/op")
	if err != nil {
		t.Fatalf("Load(%q, %q): %v", args, environ, err)
	}
	return c
}

// file writes a file for the test and returns its path.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "namesrv.conf")
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// listing is List as a map.
func listing(t *testing.T, c *Config) map[string]string {
	t.Helper()
	m := map[string]string{}
	for line := range strings.Lines(c.List()) {
		key, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			t.Errorf("line without =: %q", line)
		}
		if _, ok := m[key]; ok {
			t.Errorf("%s is listed twice", key)
		}
		m[key] = text
	}
	return m
}
