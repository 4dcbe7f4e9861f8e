// Shim is the NameServer beside the brokers: RocketMQ's TCP protocol over the
// API of the serverless one.
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
	return daemon.Run(ctx, daemon.Program{Config: config.Shim, Title: "shim", Open: open}, args, environ, stdout, stderr)
}
