//go:build linux

package main

import (
	"flag"
	"io"
	"slices"
	"testing"
	"time"

	"signpost/bench/measure"
)

// parsed returns the settings that the common flags make of args.
func parsed(args ...string) (settings, error) {
	s := settings{java: true, ours: true, canned: true}
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	s.common(f)
	f.StringVar(&s.out, "out", "", "")
	f.BoolVar(&s.java, "java", true, "")
	err := s.parse(f, args)
	return s, err
}

func TestParse(t *testing.T) {
	s, err := parsed()
	if err != nil || !slices.Equal(s.options.Parts, measure.Parts) {
		t.Errorf("without flags: parts %v, %v", s.options.Parts, err)
	}
	s, err = parsed("-only", "route,start", "-quick", "-time", "8s")
	if err != nil || !slices.Equal(s.options.Parts, []string{"route", "start"}) || s.options.Rounds != 1 || s.options.Time != 2*time.Second {
		t.Errorf("some parts, quickly: %+v, %v", s.options, err)
	}
	for _, args := range [][]string{{"-only", "route,rote"}, {"-only", ""}, {"route"}, {"-rounds", "many"}} {
		if _, err := parsed(args...); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

// Only a whole measurement replaces the record unasked.
func TestRecord(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, resultsDir},
		{[]string{"-rounds", "5"}, resultsDir},
		{[]string{"-quick"}, ""},
		{[]string{"-java=false"}, ""},
		{[]string{"-only", "route"}, ""},
		{[]string{"-only", "route", "-out", "elsewhere"}, "elsewhere"},
		{[]string{"-out", "elsewhere"}, "elsewhere"},
	} {
		s, err := parsed(tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.record(); got != tt.want {
			t.Errorf("%q: recorded in %q, want %q", tt.args, got, tt.want)
		}
	}
}
