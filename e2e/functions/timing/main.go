// Command timing measures what the functions take under the Lambda runtime
// emulator, with DynamoDB Local on the same machine, and prints it as Markdown:
//
//	go run ./e2e/functions/timing                            as fast as the machine is
//	go run ./e2e/functions/timing -cpu 0.15 -memory 256      each instance in a cgroup
//
// Figures are the emulator's own: an init is from the start of the process
// until it asks for its first event, a call is from handing an event over until
// the function asks for the next, which is what Lambda bills. The emulator
// itself runs within the limits too, as it does in a container.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"signpost/e2e/functions/stack"
	"signpost/e2e/peers"
)

// What is asked for, of an unlimited function.
const (
	maxInit  = 150 * time.Millisecond // p50
	maxRoute = 5 * time.Millisecond   // p50
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "timing:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("timing", flag.ContinueOnError)
	cpu := f.Float64("cpu", 0, "processors that each instance has, 0 for all")
	memory := f.Int("memory", 0, "MB that each instance has, 0 for all")
	starts := f.Int("starts", 15, "how often each function is started")
	calls := f.Int("calls", 300, "how often each call is made")
	root := f.String("root", ".", "folder of the repository")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "signpost-timing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binaries, err := stack.Build(ctx, *root, dir)
	if err != nil {
		return err
	}
	db, err := peers.StartDynamoDB(ctx)
	if err != nil {
		return err
	}
	defer db.Stop()
	o := stack.Options{Root: *root, Binaries: binaries, DynamoDB: db.Addr, Concurrency: 1, Parameters: map[string]string{
		"ThrottleRate": "100000", "ThrottleBurst": "100000", "DynamoDBEndpoint": "http://" + db.Addr}}
	limits := &limiter{cpu: *cpu, memory: *memory}
	if *cpu > 0 || *memory > 0 {
		o.Started = limits.put
		defer limits.remove()
	}
	s, err := stack.Start(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	m := &meter{ctx: ctx, s: s}
	m.measure(*starts, *calls)
	if m.err != nil {
		return m.err
	}
	fmt.Fprintf(out, "| instances with %s | n | p50 | p90 | max | |\n|---|---|---|---|---|---|\n", limits)
	for _, r := range m.rows {
		verdict := ""
		if r.atMost > 0 {
			verdict = fmt.Sprintf("PASS: p50 <= %v", r.atMost)
			if r.at(0.5) > r.atMost {
				verdict = fmt.Sprintf("MISS: p50 > %v", r.atMost)
			}
		}
		fmt.Fprintf(out, "| %s | %d | %s | %s | %s | %s |\n", r.what, len(r.took), ms(r.at(0.5)), ms(r.at(0.9)), ms(r.at(1)), verdict)
	}
	for _, name := range []string{"register", "route", "sweeper"} {
		info, err := os.Stat(filepath.Join(dir, name, "bootstrap"))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n`%s`: %.1f MB", name, float64(info.Size())/1e6)
	}
	fmt.Fprintln(out)
	return nil
}

// row is what one thing took.
type row struct {
	what   string
	took   []time.Duration
	atMost time.Duration // asked for; 0 for nothing
}

// at is a quantile.
func (r row) at(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(r.took))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
