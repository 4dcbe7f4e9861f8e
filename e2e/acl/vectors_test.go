//go:build e2e

package acl

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestVectors: what internal/acl is tested with is what RocketMQ's hooks sign.
func TestVectors(t *testing.T) {
	const path = "../../internal/acl/testdata/signed.tsv"
	var made strings.Builder
	for _, version := range versions {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := java(ctx, version, t.TempDir(), nil, "Vectors", version)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			made.WriteString(version + "\t" + line)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(made.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if made.String() != string(kept) {
		t.Errorf("RocketMQ signs otherwise than %s has it:\n%s", path, made.String())
	}
}
