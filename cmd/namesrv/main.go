// Namesrv is the NameServer on one machine: RocketMQ's TCP protocol over the
// route model, with its state in an embedded store.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"signpost/internal/config"
	"signpost/internal/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(config.ExitCode(err))
}

// run is the program without its process.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	return daemon.Run(ctx, daemon.Program{Config: config.Namesrv, Title: "NameServer", Open: open}, args, environ, stdout, stderr)
}
