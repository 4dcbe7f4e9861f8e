//go:build linux

// Bench measures how fast and how small Signpost's NameServer is, next to the
// Java one and to a server that answers canned bytes.
//
//	bench run     start the servers in turn and fill the table (see -h)
//	bench shim    measure the shim and what it takes of the cloud
//	bench load    measure a server that runs already
//	bench canned  be the server that answers canned bytes
//
// It needs two cores: the servers run on one and the load on the other, by
// taskset.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errMissed):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(3)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	name := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	switch name {
	case "run":
		return runServers(ctx, log, args)
	case "shim":
		return runShim(ctx, log, args)
	case "load":
		return runLoad(ctx, log, args)
	case "canned":
		return runCanned(ctx, args)
	}
	return fmt.Errorf("no subcommand %q: run, shim, load and canned are", name)
}

// pinned is set in the environment of a process that is on its core.
const pinned = "SIGNPOST_BENCH_PINNED"

// pin puts this process on a core and gives it, and those it starts, that
// niceness, by starting it anew under taskset and nice, before its runtime has
// looked at the machine. It returns when that is done.
func pin(core, nice int) error {
	want := strconv.Itoa(core)
	if os.Getenv(pinned) == want {
		return nil
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return fmt.Errorf("taskset (util-linux) is needed to give each side its core: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	args := append([]string{"taskset", "-c", want, "nice", "-n", strconv.Itoa(nice), self}, os.Args[1:]...)
	if err := syscall.Exec(taskset, args, append(os.Environ(), pinned+"="+want)); err != nil {
		return fmt.Errorf("run taskset: %w", err)
	}
	return nil
}
