// Report prints what the serverless NameServer's operations take of their table
// and what a month of it costs. See package cost.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"signpost/infra/cost"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	a := cost.Defaults()
	flags := pflag.NewFlagSet("cost", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	for _, f := range a.Fields() {
		flags.Float64Var(f.Value, f.Name, *f.Value, f.Means)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: there are only flags", flags.Arg(0))
	}
	if err := a.Check(); err != nil {
		return err
	}
	return cost.Print(stdout, a)
}
