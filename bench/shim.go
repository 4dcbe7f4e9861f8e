//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"signpost/bench/report"
	"signpost/bench/shim"
)

// shimRecord is where the record of the shim is kept.
const shimRecord = resultsDir + "/shim.md"

// runShim measures the shim. It is run in the repository's folder.
func runShim(ctx context.Context, log *slog.Logger, args []string) error {
	o := shim.Options{Root: "."}
	f := flag.NewFlagSet("bench shim", flag.ContinueOnError)
	only := f.String("only", strings.Join(shim.Parts, ","), "the parts to measure")
	f.StringVar(&o.Shim, "shim", "bin/shim", "the shim")
	f.StringVar(&o.Namesrv, "namesrv", "bin/namesrv", "the NameServer that it is compared with")
	f.IntVar(&o.Core, "server-core", 0, "the core of the servers")
	f.IntVar(&o.LoadCore, "load-core", 1, "the core of the load while rates are measured")
	f.DurationVar(&o.Time, "time", time.Minute, "how long one steady state is measured")
	f.DurationVar(&o.Settle, "settle", 3*time.Second, "how long the shim is left alone after a steady state, its memory still being read")
	f.IntVar(&o.Rounds, "rounds", 3, "how often the programs take turns with the rates")
	f.DurationVar(&o.Rate, "rate-time", 2*time.Second, "how long a rate is measured")
	f.DurationVar(&o.Warmup, "warmup", 3*time.Second, "how long a new process is loaded before its rate counts")
	f.IntVar(&o.Changes, "changes", 5, "how many changes of each kind are timed")
	strict := f.Bool("strict", false, "exit with 3 when a target is missed")
	out := f.String("out", shimRecord, "write the record into this file; empty: none, as when parts are left out and none is named")
	timeout := f.Duration("timeout", 20*time.Minute, "give up after this time")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("bench shim: no arguments are expected: %q", f.Args())
	}
	o.Parts = strings.Split(*only, ",")
	for _, part := range o.Parts {
		if !slices.Contains(shim.Parts, part) {
			return fmt.Errorf("-only: no part %q among %s", part, strings.Join(shim.Parts, ", "))
		}
	}
	if o.Core == o.LoadCore {
		return errors.New("the servers and everything else need different cores")
	}
	for _, program := range []*string{&o.Shim, &o.Namesrv} {
		path, err := filepath.Abs(*program)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return fmt.Errorf("a program to be measured (make build): %w", err)
		}
		*program = path
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("not done within %v", *timeout))
	defer cancel()
	values, err := o.Run(ctx, log)
	if err != nil {
		return err
	}
	m := report.Measurement{Date: time.Now(), Rows: shim.Rows, Values: values, Facts: append(machine(),
		report.Fact{Name: "bin/shim", Value: built(o.Shim)}, report.Fact{Name: "bin/namesrv", Value: built(o.Namesrv)},
		report.Fact{Name: "extent", Value: fmt.Sprintf("%v a steady state, %d rounds of rates of %v, warmed up for %v, memory read each second and for %v after, %d changes of each kind",
			o.Time, o.Rounds, o.Rate, o.Warmup, o.Settle, o.Changes)})}
	text := shim.Markdown(m)
	fmt.Print(text)
	if len(o.Parts) < len(shim.Parts) && *out == shimRecord {
		*out = "" // what leaves something out does not replace a whole one unasked
	}
	if *out != "" {
		if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
	}
	if missed := values.Missed(shim.Rows); *strict && len(missed) > 0 {
		return fmt.Errorf("%w: %s", errMissed, strings.Join(missed, "; "))
	}
	return nil
}
