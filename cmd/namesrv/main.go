// Namesrv is the NameServer on one machine: RocketMQ's TCP protocol over the
// route model, with its state in an embedded store.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"signpost/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(config.ExitCode(err))
}

// run is the program without its process. It returns when ctx ends and
// everything is in place for the next start.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	cfg, err := config.Load(args, environ, config.HomeDir())
	switch {
	case errors.Is(err, config.ErrHelp):
		fmt.Fprint(stdout, config.Help())
		return err
	case err != nil:
		fmt.Fprintln(stderr, err)
		return err
	case cfg.PrintOnly:
		fmt.Fprint(stdout, cfg.List())
		return nil
	}
	if cfg.File != "" {
		fmt.Fprintf(stdout, "load config properties file OK, %s\n", cfg.File)
	}
	live := config.NewLive(cfg)
	log := newLogger(stderr, cfg, live)
	a, err := newApp(ctx, live, log)
	if err == nil {
		fmt.Fprintf(stdout, "The Name Server boot success. serializeType=JSON, address %s\n", a.listener.Addr())
		err = a.serve(ctx)
	}
	if err != nil {
		log.Error("the NameServer stops", "error", err)
	}
	return err
}
