//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"signpost/bench/report"
)

// factTime is how long a program may take to tell its version.
const factTime = 10 * time.Second

// facts are what a reader of the values needs to know of the machine and of
// the programs. What cannot be found out is said to be unknown.
func facts(ctx context.Context, s settings) []report.Fact {
	fs := machine()
	if s.ours {
		fs = append(fs, report.Fact{Name: string(report.Ours), Value: built(s.namesrv)})
	}
	if s.java {
		ctx, cancel := context.WithTimeout(ctx, factTime)
		defer cancel()
		java := "java"
		if home := os.Getenv("JAVA_HOME"); home != "" {
			java = home + "/bin/java"
		}
		jdk := firstLine(exec.CommandContext(ctx, java, "-version").CombinedOutput())
		_, options, _ := strings.Cut(javaOptions, "=")
		fs = append(fs, report.Fact{Name: string(report.Java), Value: fmt.Sprintf("RocketMQ %s on %s, %s", javaVersion, jdk, options)})
	}
	o := s.options
	return append(fs, report.Fact{Name: "extent", Value: fmt.Sprintf(
		"%d rounds (%d of memory and p99), %v a rate, warmed up for %v, Java loaded for %v to see what it reaches, memory read after %v, fixed rate %g/s",
		o.Rounds, o.FleetRounds, o.Time, o.Warmup, s.late, o.Settle, o.Rate)})
}

// machine is what all values depend on.
func machine() []report.Fact {
	return []report.Fact{
		{Name: "machine", Value: fmt.Sprintf("%d cores of %s, %s of memory", cores(), procField("/proc/cpuinfo", "model name"), procField("/proc/meminfo", "MemTotal"))},
		{Name: "system", Value: "Linux " + firstLine(os.ReadFile("/proc/sys/kernel/osrelease"))},
		{Name: "load and canned server", Value: runtime.Version()},
	}
}

// built is what a program of this project was built with and from.
func built(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "unknown"
	}
	v := info.GoVersion
	for _, b := range info.Settings {
		if b.Key == "vcs.revision" {
			v += ", revision " + b.Value[:min(12, len(b.Value))]
		}
		if b.Key == "vcs.modified" && b.Value == "true" {
			v += " and changes"
		}
	}
	return v
}

// cores counts those of the machine; this process has only one.
func cores() int {
	b, _ := os.ReadFile("/proc/cpuinfo")
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "processor") {
			n++
		}
	}
	return n
}

// procField is the first value of a "name : value" file.
func procField(path, name string) string {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func firstLine(b []byte, err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}
