// Package fleet is what a test of real shims needs: bin/shim, the functions and
// DynamoDB Local, built and started once, then any number of clouds and for
// each any number of shims with a link of its own.
//
// It needs a JDK 17 and what e2e/functions/stack needs.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/e2e/functions/stack"
	"signpost/e2e/peers"
	"signpost/e2e/shim/link"
	"signpost/internal/dynamo"
)

// Fleet is what clouds and shims are made of.
type Fleet struct {
	root, dir, shim string
	functions       *stack.Binaries
	dynamodb        *peers.Process
}

// New builds shim and functions and starts DynamoDB Local. root is the folder
// of the repository. On a machine without the SAM CLI it downloads that.
func New(ctx context.Context, root string) (*Fleet, error) {
	dir, err := os.MkdirTemp("", "signpost-fleet-")
	if err != nil {
		return nil, fmt.Errorf("build a fleet: %w", err)
	}
	f := &Fleet{root: root, dir: dir, shim: filepath.Join(dir, "shim")}
	if err := f.make(ctx); err != nil {
		_ = os.RemoveAll(dir) // the cause is told
		return nil, fmt.Errorf("build a fleet: %w", err)
	}
	return f, nil
}

func (f *Fleet) make(ctx context.Context) error {
	err := BuildShim(ctx, f.root, f.shim)
	if err != nil {
		return err
	}
	if f.functions, err = stack.Build(ctx, f.root, f.dir); err != nil {
		return err
	}
	f.dynamodb, err = peers.StartDynamoDB(ctx)
	return err
}

// BuildShim builds bin/shim to that path.
func BuildShim(ctx context.Context, root, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./cmd/shim")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the shim: %w\n%s", err, out)
	}
	return nil
}

// Close ends and removes everything but what was started of it.
func (f *Fleet) Close() error {
	return errors.Join(f.dynamodb.Stop(), os.RemoveAll(f.dir))
}

// Cloud is a stack with the links that lead to it.
type Cloud struct {
	*stack.Stack
	// Links are those of the shims, in their order.
	Links []*link.Link

	fleet *Fleet
}

// Parameters are what a NameServer's key=value properties say that is the
// stack's to decide, as parameters of the template. Shims are told the same,
// for what they answer by themselves.
func Parameters(props []string) map[string]string {
	parameters := map[string]string{}
	for _, p := range props {
		switch key, value, _ := strings.Cut(p, "="); key {
		case "supportActingMaster", "orderMessageEnable", "deleteTopicWithBrokerRegistration":
			parameters[strings.ToUpper(key[:1])+key[1:]] = value
		}
	}
	return parameters
}

// Cloud starts a stack over a new table. o needs what is not the fleet's to
// say.
func (f *Fleet) Cloud(ctx context.Context, o stack.Options) (*Cloud, error) {
	o.Root, o.Binaries, o.DynamoDB = f.root, f.functions, f.dynamodb.Addr
	s, err := stack.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Cloud{Stack: s, fleet: f}, nil
}

// Close ends the cloud and its links.
func (c *Cloud) Close() {
	for _, l := range c.Links {
		l.Close()
	}
	c.Stack.Close()
}

// Shim is how to start a shim of a cloud: its own flags for what a TCP server
// is told come beside Args.
type Shim struct {
	Program   string
	Args, Env []string
	// StateFile is where it keeps what it knows.
	StateFile string
	Link      *link.Link
}

// Shim returns how to start one more shim, whose state is in dir.
func (c *Cloud) Shim(dir string) (*Shim, error) {
	to, err := link.To(c.Endpoint)
	if err != nil {
		return nil, err
	}
	s := NewShim(c.fleet.shim, dir, to, c.Users[stack.Master].Secret)
	c.Links = append(c.Links, s.Link)
	return s, nil
}

// NewShim returns how to start the program at that path as a shim of an API,
// whose state is in dir.
func NewShim(program, dir string, api http.Handler, secret string) *Shim {
	s := &Shim{Program: program, StateFile: filepath.Join(dir, "shim.db"), Link: link.New(api)}
	s.Args = []string{"--endpoint", s.Link.Listen(), "--region", stack.Region, "--stateFile", s.StateFile}
	s.Env = []string{
		"AWS_ACCESS_KEY_ID=" + stack.Master, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	return s
}

// Always breaks or mends all links.
func (c *Cloud) Always(f link.Fault) {
	for _, l := range c.Links {
		l.Set(link.Always(f))
	}
}

// DropTable deletes the table. What a function does then fails.
func (c *Cloud) DropTable(ctx context.Context) error {
	if _, err := c.fleet.db().DeleteTable(ctx, &awsdynamodb.DeleteTableInput{TableName: aws.String(c.Table)}); err != nil {
		return fmt.Errorf("delete the table: %w", err)
	}
	return nil
}

// NewTable makes an empty table after DropTable: so a DynamoDB Local comes
// back that was in memory.
func (c *Cloud) NewTable(ctx context.Context) error {
	if _, err := c.fleet.db().CreateTable(ctx, dynamo.Definition(c.Table)); err != nil {
		return fmt.Errorf("create the table: %w", err)
	}
	return nil
}

func (f *Fleet) db() *awsdynamodb.Client {
	return awsdynamodb.NewFromConfig(stack.Config("http://" + f.dynamodb.Addr))
}
