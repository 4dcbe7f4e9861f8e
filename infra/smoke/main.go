// Command smoke makes a short conformance pass over a running stack, with
// signed calls, and takes away again what it put there:
//
//	smoke -endpoint https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com
//
// It signs with the credentials that the AWS SDK finds (environment, profile,
// role). With -read, -register and -admin each a profile or the ARN of a role
// that has only that one of the stack's policies, it also checks that no class
// reaches into another. Every check is one line; the program ends with 1 if
// one of them failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// wholeRun bounds the program: a new table takes 60,000 topics in 15 seconds
// and more, over several calls.
const wholeRun = 10 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "smoke:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	endpoint, region string
	read             string
	register         string
	admin            string
	forbidden        string
	topics           int
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("smoke", flag.ContinueOnError)
	f.StringVar(&o.endpoint, "endpoint", "", "`URL` of the API: the stack's output Endpoint")
	f.StringVar(&o.region, "region", "", "region to sign for; else the endpoint's name tells, or AWS_REGION")
	f.StringVar(&o.read, "read", "", "profile or role ARN with the read policy alone; empty is the default credentials")
	f.StringVar(&o.register, "register", "", "profile or role ARN with the register policy alone")
	f.StringVar(&o.admin, "admin", "", "profile or role ARN with the admin policy alone")
	f.StringVar(&o.forbidden, "forbidden-cluster", "", "a cluster that -register may not write, by the stack's parameter Clusters")
	f.IntVar(&o.topics, "topics", 60_000, "how many topics the large registration has; 0 leaves it out")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	u, err := url.Parse(o.endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return o, fmt.Errorf("-endpoint %q is no URL", o.endpoint)
	case o.topics < 0 || o.topics > 200_000:
		return o, fmt.Errorf("-topics %d: 0 to 200000", o.topics)
	}
	o.endpoint = strings.TrimRight(o.endpoint, "/")
	if o.region == "" {
		o.region = os.Getenv("AWS_REGION")
	}
	if parts := strings.Split(u.Hostname(), "."); len(parts) > 3 && parts[1] == "execute-api" {
		o.region = parts[2]
	}
	if o.region == "" {
		return o, errors.New("no region: give -region or set AWS_REGION")
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wholeRun)
	defer cancel()
	c, err := connect(ctx, o)
	if err != nil {
		return err
	}
	p := newPass(c, o, out)
	p.checks(ctx)
	// What was registered goes even if the time is over, or somebody is tired of it.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	p.cleanUp(clean)
	fmt.Fprintf(out, "%d checks, %d failed, %d left out\n", p.done, p.failed, p.leftOut)
	if p.failed > 0 {
		return fmt.Errorf("%d checks failed", p.failed)
	}
	return nil
}
