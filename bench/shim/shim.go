//go:build linux

// Package shim measures how little of the cloud a shim takes, for how many
// brokers and clients, and what it gives them.
//
// The cloud is e2e/functions/stack: the functions as they are deployed behind a
// stand-in of API Gateway, over DynamoDB Local. Each part has a cloud and a shim
// of its own. A wrong answer anywhere ends the run.
package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"signpost/bench/load"
	"signpost/bench/measure"
	"signpost/bench/process"
	"signpost/bench/report"
	"signpost/e2e/functions/stack"
	"signpost/e2e/shim/fleet"
	"signpost/e2e/shim/link"
)

// The fleets: each topic is on 8 brokers.
var (
	few  = load.Fleet{Name: "few", Brokers: 10, TopicsPerBroker: 40, Topics: 50}
	many = load.Fleet{Name: "mny", Brokers: 1000, TopicsPerBroker: 40, Topics: 5000}
)

// Parts are what can be measured by itself: the steady states of a small fleet
// and of a large one, with how changes travel, and the rates.
var Parts = []string{"few", "many", "rates"}

// Options are the extent of a run.
type Options struct {
	// Parts are those of Parts to measure, in their order.
	Parts []string
	// Root is the repository's folder, Shim and Namesrv are the programs.
	Root, Shim, Namesrv string
	// Core is the shim's core, and bin/namesrv's; LoadCore that of all else
	// while rates are measured.
	Core, LoadCore int
	// Time is how long one steady state is measured, Settle for how long after
	// it the shim is left alone and its memory is read.
	Time, Settle time.Duration
	// Rounds is how often the programs take turns with the rates, Rate how long
	// one is measured, Warmup how long a new process is loaded before.
	Rounds       int
	Rate, Warmup time.Duration
	// Changes is how many changes are timed, of each kind.
	Changes int
}

const (
	// startTime is how long a shim may take until its first answer, answerTime
	// how long one answer may take.
	startTime  = 60 * time.Second
	answerTime = 30 * time.Second
	// firstTime bounds the first registration of a fleet and all that the shim
	// has to tell the API then, quiet is how long it says nothing when it is
	// done.
	firstTime = 5 * time.Minute
	quiet     = 5 * time.Second
	// concurrency is of each function: more than a shim has calls under way. An
	// AWS account has a thousand.
	concurrency = 24
)

// Run measures the parts.
func (o Options) Run(ctx context.Context, log *slog.Logger) (values report.Values, err error) {
	f, err := fleet.New(ctx, o.Root)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := &bench{Options: o, fleet: f, values: report.Values{}, log: log}
	for i, part := range []func(context.Context) error{b.few, b.many, b.rates} {
		if !slices.Contains(o.Parts, Parts[i]) {
			continue
		}
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return b.values, nil
}

type bench struct {
	Options
	fleet  *fleet.Fleet
	values report.Values
	log    *slog.Logger
}

func (b *bench) record(row string, value float64) {
	b.values.Add(row, report.Ours, value)
	b.log.Info("measured", "row", row, "value", fmt.Sprintf("%.3g", value))
}

// few measures the steady state of a small fleet.
func (b *bench) few(ctx context.Context) error {
	return b.world(ctx, func(w *world) error {
		_, err := w.part(ctx, few, false, "few")
		return err
	})
}

// many measures the steady states of a large one, and how changes travel.
func (b *bench) many(ctx context.Context) error {
	return b.world(ctx, func(w *world) error {
		if _, err := w.part(ctx, many, false, "many"); err != nil {
			return err
		}
		t, err := w.part(ctx, many, true, "beats")
		if err != nil {
			return err
		}
		return w.changes(ctx, t)
	})
}

// rates measures lookups next to bin/namesrv. Only here has the server a core
// for itself: what is counted elsewhere does not depend on it, and the cloud is
// slow enough with two.
func (b *bench) rates(ctx context.Context) error {
	if out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", strconv.Itoa(b.LoadCore), strconv.Itoa(os.Getpid())).CombinedOutput(); err != nil {
		return fmt.Errorf("taskset (util-linux) is needed to give each side its core: %w: %s", err, out)
	}
	return b.cloud(ctx, func(c *fleet.Cloud) error {
		dir, err := os.MkdirTemp("", "signpost-bench-shim-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s, err := c.Shim(dir)
		if err != nil {
			return err
		}
		values, err := measure.Options{
			Core: b.Core, Parts: []string{measure.PartRoute}, Rounds: b.Rounds, Time: b.Rate, Warmup: b.Warmup,
		}.Run(ctx, b.log, []measure.Subject{
			{Server: Namesrv, Command: process.Command{Name: "namesrv", Args: func(port int, dir string) []string {
				return []string{b.Namesrv, "--listenPort", strconv.Itoa(port), "--store", filepath.Join(dir, "routes.db"), "--kvConfigPath", filepath.Join(dir, "kvConfig.json")}
			}}},
			{Server: report.Ours, Command: b.command(s), Know: know},
		})
		if err != nil {
			return err
		}
		for row, of := range values {
			b.values[row] = of
		}
		return nil
	})
}

// know asks a shim for every topic until it has heard of it from the API, which
// is slow here, and once more when that has told all that was said.
func know(ctx context.Context, addr netip.AddrPort, fleet load.Fleet) error {
	c, err := load.DialClient(addr, answerTime)
	if err != nil {
		return err
	}
	defer c.Close()
	for range 2 {
		for i := range fleet.Topics {
			r, err := load.RouteRequest(fleet.Topic(i))
			if err != nil {
				return err
			}
			err = until(ctx, poll, func() (bool, error) {
				a, _, err := c.Do(&r, answerTime)
				return a.Code == success, err
			})
			if err != nil {
				return fmt.Errorf("the route of %s: %w", fleet.Topic(i), err)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(quiet):
		}
	}
	return nil
}

// command starts the program that is measured as s says.
func (b *bench) command(s *fleet.Shim) process.Command {
	// The clients are silent while brokers register, which takes minutes where
	// the cloud is slow.
	idle := strconv.Itoa(int(2 * firstTime / time.Second))
	return process.Command{Name: "shim", Env: s.Env, Args: func(port int, dir string) []string {
		return append([]string{b.Shim, "--listenPort", strconv.Itoa(port), "--kvConfigPath", filepath.Join(dir, "kvConfig.json"),
			"--serverChannelMaxIdleTimeSeconds", idle}, s.Args...)
	}}
}

// cloud calls do with a cloud of its own.
func (b *bench) cloud(ctx context.Context, do func(*fleet.Cloud) error) error {
	c, err := b.fleet.Cloud(ctx, stack.Options{Metered: true, Concurrency: concurrency})
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// world is a cloud with a shim and the connections to it.
type world struct {
	*bench
	cloud            *fleet.Cloud
	link             *link.Link
	shim             *process.Process
	loop             *load.Loop
	brokers, clients []*load.Conn
}

func (b *bench) world(ctx context.Context, do func(*world) error) error {
	return b.cloud(ctx, func(c *fleet.Cloud) error {
		return b.shimOf(ctx, c, b.Core, func(p *process.Process, l *link.Link) (err error) {
			loop, err := load.NewLoop()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, loop.Close()) }()
			return do(&world{bench: b, cloud: c, link: l, shim: p, loop: loop})
		})
	})
}

// shimOf starts a shim of a cloud, waits until it answers, and stops it when do
// has returned.
func (b *bench) shimOf(ctx context.Context, c *fleet.Cloud, core int, do func(*process.Process, *link.Link) error) (err error) {
	dir, err := os.MkdirTemp("", "signpost-bench-shim-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := c.Shim(dir)
	if err != nil {
		return err
	}
	p, err := b.command(s).Start(core)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := answers(ctx, p); err != nil {
		return err
	}
	return do(p, s.Link)
}

// answers waits until the API answers through a shim: a topic that nobody has
// does not exist.
func answers(ctx context.Context, p *process.Process) error {
	r, err := load.RouteRequest("no-such-topic")
	if err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for time.Since(p.Started) < startTime {
		if c, err := load.DialClient(p.Addr, answerTime); err == nil {
			a, _, err := c.Do(&r, answerTime)
			_ = c.Close() // one question is all it was for
			if err == nil && a.Code == topicNotExist {
				return nil
			}
		}
		if err := p.Ended(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return fmt.Errorf("no answer from the API within %v of the shim's start", startTime)
}
