// Command capture records the scenarios of e2e/scenario with real NameServers
// as golden files, or (-check) replays golden files against the real servers
// that they were recorded with, which must show no difference.
//
//	go run ./e2e/capture -versions 4.8.0,4.9.7,5.3.3 -out internal/nameserver/testdata/captures
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"signpost/e2e/peers"
	"signpost/e2e/scenario"
)

// perScenario bounds one scenario, the start of a server included.
const perScenario = 3 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "capture:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("capture", flag.ContinueOnError)
	versions := flags.String("versions", strings.Join([]string{peers.V480, peers.V497, peers.V533}, ","), "RocketMQ releases, separated by commas")
	dir := flags.String("out", "internal/nameserver/testdata/captures", "`folder` of the golden files")
	only := flags.String("only", "", "`pattern` of the names of the scenarios to record (default all)")
	fresh := flags.Bool("fresh", false, "start a server for each scenario, even where one could be used again")
	check := flags.Bool("check", false, "replay the golden files against the real servers instead of recording them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for _, version := range strings.Split(*versions, ",") {
		c := &capture{version: version, dir: *dir, only: pattern, fresh: *fresh, out: out}
		work := c.record
		if *check {
			work = c.check
		}
		if err := errors.Join(work(ctx), c.servers.stop()); err != nil {
			return err
		}
	}
	return nil
}

// capture works on the golden files of one release.
type capture struct {
	version string
	dir     string
	only    *regexp.Regexp
	fresh   bool
	out     io.Writer
	servers servers
}

// record writes the golden files of all scenarios, and removes those of
// scenarios that are no more.
func (c *capture) record(ctx context.Context) error {
	var wanted []scenario.Scenario
	for _, sc := range scenario.All() {
		if sc.AppliesTo(c.version) && c.only.MatchString(sc.Name) {
			wanted = append(wanted, sc)
		}
	}
	// Those with equal properties follow each other, to share a server.
	slices.SortStableFunc(wanted, func(a, b scenario.Scenario) int { return slices.Compare(a.Props, b.Props) })
	written := map[string]bool{}
	for _, sc := range wanted {
		err := c.with(ctx, sc.Props, sc.Traces, func(ctx context.Context, addr string) error {
			g, err := scenario.Record(ctx, addr, c.version, sc)
			if err != nil {
				return err
			}
			name := filepath.Join(c.dir, g.FileName())
			written[name] = true
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(name, g.Format(), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%s %s: %d steps\n", c.version, sc.Name, len(g.Steps))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return c.removeOthers(written)
}

func (c *capture) removeOthers(written map[string]bool) error {
	if c.only.String() != "" {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(c.dir, c.version, "*.golden"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if !written[name] {
			if err := os.Remove(name); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "removed %s\n", name)
		}
	}
	return nil
}

// check replays the golden files. Any difference is an error.
func (c *capture) check(ctx context.Context) error {
	all, err := scenario.ReadGoldens(c.dir)
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b *scenario.Golden) int { return slices.Compare(a.Props, b.Props) })
	traces := map[string]bool{}
	for _, sc := range scenario.All() {
		traces[sc.Name] = sc.Traces
	}
	differences, same, answers := 0, 0, 0
	for _, g := range all {
		if g.Version != c.version || !c.only.MatchString(g.Scenario) {
			continue
		}
		err := c.with(ctx, g.Props, traces[g.Scenario], func(ctx context.Context, addr string) error {
			got, err := scenario.Repeat(ctx, addr, g, nil)
			if err != nil {
				return err
			}
			for _, d := range scenario.Compare(g, got) {
				differences++
				fmt.Fprintln(c.out, d)
			}
			s, a := scenario.SameBytes(g, got)
			same, answers = same+s, answers+a
			return nil
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%s: %d answers, %d equal to the byte, %d differences\n", c.version, answers, same, differences)
	if differences > 0 {
		return fmt.Errorf("%s differs from its own recording in %d points", c.version, differences)
	}
	return nil
}

// with calls f with a server that runs with props and knows nothing. The
// server is not used again if f leaves traces in it.
func (c *capture) with(ctx context.Context, props []string, traces bool, f func(context.Context, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, perScenario)
	defer cancel()
	addr, err := c.servers.clean(ctx, c.version, props)
	if err != nil {
		return err
	}
	err = f(ctx, addr)
	if traces || c.fresh {
		err = errors.Join(err, c.servers.stop())
	}
	return err
}

// servers is the one real server that runs at a time.
type servers struct {
	running *peers.Process
	props   []string
}

// clean returns the address of a server that runs with props and knows
// nothing: the running one if it is such, or a new one.
func (s *servers) clean(ctx context.Context, version string, props []string) (string, error) {
	if s.running != nil && slices.Equal(s.props, props) {
		ok, err := scenario.Forgets(ctx, s.running.Addr)
		if err != nil {
			return "", err
		}
		if ok {
			return s.running.Addr, nil
		}
	}
	if err := s.stop(); err != nil {
		return "", err
	}
	p, err := peers.StartNameServer(ctx, version, props...)
	if err != nil {
		return "", err
	}
	s.running, s.props = p, props
	return p.Addr, nil
}

func (s *servers) stop() error {
	p := s.running
	s.running = nil
	if p == nil {
		return nil
	}
	return p.Stop()
}
