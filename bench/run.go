//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"signpost/bench/canned"
	"signpost/bench/measure"
	"signpost/bench/process"
	"signpost/bench/report"
)

// errMissed: a target is missed and -strict says that this is a failure.
var errMissed = errors.New("targets missed")

// resultsDir is where the record is kept.
const resultsDir = "bench/results"

// javaVersion is the release that is measured.
const javaVersion = "5.3.3"

// javaOptions override those of the peer script, which are chosen for a quick
// start of many JVMs: the optimising compiler, and the collector and a fixed
// heap as in the release's own start script, the heap smaller than its 4 GB.
const javaOptions = "_JAVA_OPTIONS=-Xms512m -Xmx512m -XX:-UseSerialGC -XX:+UseG1GC -XX:TieredStopAtLevel=4"

// settings are the flags of run and load.
type settings struct {
	only               string
	quick, strict      bool
	java, ours, canned bool
	namesrv, peer, out string
	date               string
	serverCore         int
	loadCore, nice     int
	late, timeout      time.Duration
	options            measure.Options
}

func (s *settings) common(f *flag.FlagSet) {
	f.StringVar(&s.only, "only", strings.Join(measure.Parts, ","), "the parts to measure")
	f.BoolVar(&s.quick, "quick", false, "one round, and a quarter of the time: for trying out, not for the record")
	f.IntVar(&s.loadCore, "load-core", 1, "the core of the load")
	f.IntVar(&s.nice, "nice", 0, "niceness of the load and the servers: below 0 keeps other programs away, and needs root")
	f.IntVar(&s.options.Rounds, "rounds", 3, "how often each server has its turn")
	f.DurationVar(&s.options.Time, "time", 2*time.Second, "how long a rate is measured")
	f.DurationVar(&s.options.Warmup, "warmup", 3*time.Second, "how long a new process is loaded before anything counts")
	f.DurationVar(&s.timeout, "timeout", 15*time.Minute, "give up after this time")
}

func (s *settings) parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%s: no arguments are expected: %q", f.Name(), f.Args())
	}
	s.options.Parts = strings.Split(s.only, ",")
	for _, p := range s.options.Parts {
		if !slices.Contains(measure.Parts, p) {
			return fmt.Errorf("-only: no part %q among %s", p, strings.Join(measure.Parts, ", "))
		}
	}
	if s.quick {
		s.options.Rounds, s.options.FleetRounds = 1, 1
		s.options.Time /= 4
		s.late = 0
	}
	return nil
}

func runServers(ctx context.Context, log *slog.Logger, args []string) error {
	var s settings
	f := flag.NewFlagSet("bench run", flag.ContinueOnError)
	s.common(f)
	f.BoolVar(&s.strict, "strict", false, "exit with 3 when a target is missed")
	f.BoolVar(&s.java, "java", true, "measure the Java NameServer")
	f.BoolVar(&s.ours, "ours", true, "measure this project's NameServer")
	f.BoolVar(&s.canned, "canned", true, "measure the canned server")
	f.StringVar(&s.namesrv, "namesrv", "bin/namesrv", "this project's NameServer")
	f.StringVar(&s.peer, "peer", "e2e/peers/peer.sh", "the script that starts the Java NameServer")
	f.StringVar(&s.out, "out", "", "write latest.md and latest.json into this folder (default "+resultsDir+" if nothing is left out)")
	f.StringVar(&s.date, "date", time.Now().Format(time.DateOnly), "the date of the record")
	f.IntVar(&s.serverCore, "server-core", 0, "the core of the servers")
	f.IntVar(&s.options.FleetRounds, "fleet-rounds", 2, "how often memory and p99 are measured")
	f.DurationVar(&s.late, "java-late", 30*time.Second, "for how long Java is loaded to see what it reaches then")
	f.DurationVar(&s.options.Settle, "settle", 3*time.Second, "how long a server is left alone before its memory is read")
	f.Float64Var(&s.options.Rate, "rate", 5000, "the fixed rate of reads for p99, per second")
	if err := s.parse(f, args); err != nil {
		return err
	}
	date, err := time.Parse(time.DateOnly, s.date)
	if err != nil {
		return fmt.Errorf("-date: %w", err)
	}
	if s.serverCore == s.loadCore {
		return errors.New("the servers and the load need different cores")
	}
	if err := pin(s.loadCore, s.nice); err != nil {
		return err
	}
	s.options.Core = s.serverCore
	subjects, err := s.subjects()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("not done within %v", s.timeout))
	defer cancel()
	values, err := s.options.Run(ctx, log, subjects)
	if err != nil {
		return err
	}
	m := report.Measurement{Date: date, Facts: facts(ctx, s), Rows: measure.Rows, Values: values}
	fmt.Print(m.Markdown())
	if out := s.record(); out != "" {
		if err := m.Write(out); err != nil {
			return err
		}
	}
	if missed := values.Missed(measure.Rows); s.strict && len(missed) > 0 {
		return fmt.Errorf("%w: %s", errMissed, strings.Join(missed, "; "))
	}
	return nil
}

// record is the folder to write the measurement into, or empty. A measurement
// that leaves something out does not replace a whole one unasked.
func (s *settings) record() string {
	whole := s.java && s.ours && s.canned && !s.quick && s.only == strings.Join(measure.Parts, ",")
	if s.out == "" && whole {
		return resultsDir
	}
	return s.out
}

// subjects are the servers that were asked for.
func (s *settings) subjects() ([]measure.Subject, error) {
	var subjects []measure.Subject
	if s.java {
		subjects = append(subjects, measure.Subject{Server: report.Java, Restless: true, Late: s.late, Command: process.Command{
			Name: "Java " + javaVersion,
			Args: func(port int, _ string) []string {
				return []string{"bash", s.peer, "nameserver", javaVersion, strconv.Itoa(port)}
			},
			Env: []string{"PEER_RUN=$DIR", javaOptions},
		}})
	}
	if s.ours {
		path, err := filepath.Abs(s.namesrv)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return nil, fmt.Errorf("-namesrv: %w (build it first, or leave it out with -ours=false)", err)
		}
		subjects = append(subjects, measure.Subject{Server: report.Ours, Durable: true, Command: process.Command{
			Name: "namesrv",
			Args: func(port int, dir string) []string {
				return []string{path, "--listenPort", strconv.Itoa(port),
					"--store", filepath.Join(dir, "routes.db"), "--kvConfigPath", filepath.Join(dir, "kvConfig.json")}
			},
		}})
	}
	if s.canned {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		subjects = append(subjects, measure.Subject{Server: report.Canned, Canned: true, Command: process.Command{
			Name: "canned",
			Args: func(port int, _ string) []string { return []string{self, "canned", "-port", strconv.Itoa(port)} },
		}})
	}
	if len(subjects) == 0 {
		return nil, errors.New("no server is left to be measured")
	}
	return subjects, nil
}

func runLoad(ctx context.Context, log *slog.Logger, args []string) error {
	var s settings
	f := flag.NewFlagSet("bench load", flag.ContinueOnError)
	s.common(f)
	addr := f.String("addr", "127.0.0.1:9876", "the server")
	pid := f.Int("pid", 0, "its process id")
	if err := s.parse(f, args); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(*addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	if *pid == 0 {
		return errors.New("-pid is needed, to tell how busy the server is")
	}
	if err := pin(s.loadCore, s.nice); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("not done within %v", s.timeout))
	defer cancel()
	values, err := s.options.Attach(ctx, log, process.Attach(to, *pid))
	if err != nil {
		return err
	}
	fmt.Print(values.Tables(measure.Rows))
	return nil
}

func runCanned(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("bench canned", flag.ContinueOnError)
	port := f.Int("port", 9876, "the port of 127.0.0.1 to listen on")
	if err := f.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(*port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	server := canned.Server{Route: measure.Small.Route(0)}
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
