package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Fact is one circumstance of a measurement.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Measurement is what is kept of one run.
type Measurement struct {
	Date   time.Time `json:"date"`
	Facts  []Fact    `json:"facts"`
	Rows   []Row     `json:"-"`
	Values Values    `json:"values"`
}

// Markdown writes m for people.
func (m Measurement) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured on %s\n\n", m.Date.Format("2006-01-02"))
	b.WriteString("Made by `make bench`. Every server in turn has one core for itself, the load has the other; values are\n" +
		"medians of interleaved rounds, each with new processes that are warmed up alike and shortly, and what is said\n" +
		"of two of them is the median of the rounds' quotients. A JVM gets faster for a minute and more under full load:\n" +
		"the rows \"loaded for longer\" tell what it reaches. MB are 10^6 bytes. What each row does is told in\n" +
		"`bench/measure`.\n\n")
	b.WriteString(m.Values.Tables(m.Rows))
	b.WriteString("\n")
	for _, f := range m.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", f.Name, f.Value)
	}
	b.WriteString("\n" + m.Values.Spread(m.Rows))
	return b.String()
}

// Write writes m as latest.md and latest.json into dir.
func (m Measurement) Write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write the measurement: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the measurement: %w", err)
	}
	for name, content := range map[string][]byte{
		"latest.md":   []byte(m.Markdown()),
		"latest.json": append(data, '\n'),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("write the measurement: %w", err)
		}
	}
	return nil
}
