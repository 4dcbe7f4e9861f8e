// Compare tells in what two NameServers differ, of Java, ours, or shims:
//
//	compare [flags] HOST:PORT HOST:PORT
//
// with tls:// before HOST:PORT where TLS is needed.
//
// It ends with 0 if they say the same, with 1 if they differ, and with 2 if
// that could not be found out.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"signpost/internal/compare"
)

// The exit codes.
const (
	same    = 0
	differ  = 1
	trouble = 2
)

// again is the pause between two comparisons of one run.
const again = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are what the command line says.
type settings struct {
	a, b     compare.Server
	json     bool
	wait     time.Duration
	deadline time.Duration
	options  compare.Options
}

// run is the program without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return same
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return trouble
	}
	result, err := s.compare(ctx)
	if err == nil {
		err = s.write(stdout, result)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, err)
		return trouble
	case result.Equal:
		return same
	}
	return differ
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	var ignored []string
	var trust, account string
	var insecure bool
	f := pflag.NewFlagSet("compare", pflag.ContinueOnError)
	f.SetOutput(stderr)
	f.SortFlags = false
	f.Usage = func() {
		fmt.Fprintf(stderr, "compare [flags] HOST:PORT HOST:PORT   (tls://HOST:PORT with TLS)\n\n%s\nIt ends with 0 if the two NameServers say the same, 1 if they differ, 2 if that could not be found out.\n", f.FlagUsages())
	}
	f.BoolVar(&s.json, "json", false, "write the result as JSON")
	f.DurationVar(&s.wait, "wait", 0, "compare again until they say the same, for `so long` at most")
	f.StringArrayVar(&ignored, "ignore", nil, "a `pattern` of differences that do not count, such as 'topic/%RETRY%*', 'broker/a/zone' or 'list/*'; may be given again")
	f.StringVar(&trust, "trust", "", "PEM `file` of the certificates that are trusted (default: those of the system)")
	f.BoolVar(&insecure, "insecure", false, "take any certificate, also one that a NameServer made up")
	f.StringVar(&account, "account", "", "YAML `file` with accessKey and secretKey, such as RocketMQ's conf/tools.yml, to sign requests with")
	f.IntVar(&s.options.Connections, "connections", 8, "to each of the two")
	f.DurationVar(&s.options.Timeout, "timeout", 5*time.Second, "for one answer")
	f.DurationVar(&s.deadline, "deadline", 10*time.Minute, "for one comparison")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() != 2 {
		return nil, errors.New("want two NameServers, HOST:PORT each; -h tells more")
	}
	if s.options.Connections < 1 || s.options.Timeout <= 0 || s.deadline <= 0 || s.wait < 0 {
		return nil, errors.New("connections, timeout, deadline and wait must be positive")
	}
	s.options.Ignored = compare.Ignoring(ignored)
	secure, err := tlsConfig(trust, insecure)
	if err != nil {
		return nil, err
	}
	if s.options.Account, err = readAccount(account); err != nil {
		return nil, err
	}
	if s.a, err = parseServer(f.Arg(0), secure); err != nil {
		return nil, err
	}
	if s.b, err = parseServer(f.Arg(1), secure); err != nil {
		return nil, err
	}
	return s, nil
}

// compare compares until the two say the same, or the time to wait is over; then
// what was found last counts.
func (s *settings) compare(ctx context.Context) (*compare.Result, error) {
	waiting, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	for {
		result, err := s.once(ctx)
		if err == nil && result.Equal {
			return result, nil
		}
		select {
		case <-waiting.Done():
			return result, err
		case <-time.After(again):
		}
	}
}

func (s *settings) once(ctx context.Context) (*compare.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.deadline, fmt.Errorf("not compared within %v", s.deadline))
	defer cancel()
	return compare.Run(ctx, s.a, s.b, s.options)
}

func (s *settings) write(w io.Writer, result *compare.Result) error {
	if !s.json {
		_, err := result.WriteTo(w)
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(result)
}
