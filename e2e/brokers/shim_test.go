//go:build e2e

package brokers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"signpost/e2e/functions/stack"
	"signpost/e2e/peers"
	"signpost/e2e/shim/link"
)

// shims is how many shims to test instead of the NameServer.
var shims = flag.Int("shims", 0, "test that `many` shims over the functions and DynamoDB Local instead of the NameServer")

// parts are what every cloud is made of.
type parts struct {
	shim      string // the program
	functions *stack.Binaries
	dynamodb  *peers.Process
	dir       string
}

var (
	building sync.Once
	made     *parts // nil until a test needs it
	madeErr  error
)

// cloudParts builds shim and functions and starts DynamoDB Local, once.
func cloudParts() (*parts, error) {
	building.Do(func() { made, madeErr = makeParts() })
	return made, madeErr
}

func makeParts() (*parts, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "signpost-cloud-")
	if err != nil {
		return nil, err
	}
	p := &parts{dir: dir, shim: filepath.Join(dir, "shim")}
	if _, err := output(ctx, "go", "build", "-o", p.shim, "signpost/cmd/shim"); err != nil {
		return nil, err
	}
	if p.functions, err = stack.Build(ctx, "../..", dir); err != nil {
		return nil, err
	}
	p.dynamodb, err = peers.StartDynamoDB(ctx)
	return p, err
}

// endCloud ends what was made.
func endCloud() error {
	if made == nil {
		return nil
	}
	return errors.Join(made.dynamodb.Stop(), os.RemoveAll(made.dir))
}

// cloud is the stack, with a link for each shim.
type cloud struct {
	*stack.Stack
	links []*link.Link
}

// startCloud starts a stack whose parameters are those among the NameServer's
// properties that are the stack's to decide; the others are returned.
func startCloud(t *testing.T, props ...string) (c *cloud, others []string) {
	t.Helper()
	p, err := cloudParts()
	if err != nil {
		t.Fatal(err)
	}
	parameters := map[string]string{}
	for _, prop := range props {
		key, value, _ := strings.Cut(prop, "=")
		switch key {
		case "supportActingMaster", "orderMessageEnable", "deleteTopicWithBrokerRegistration":
			parameters[strings.ToUpper(key[:1])+key[1:]] = value
		default:
			others = append(others, prop)
		}
	}
	s, err := stack.Start(t.Context(), stack.Options{Root: "../..", Binaries: p.functions, DynamoDB: p.dynamodb.Addr, Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		for id, f := range s.Functions {
			showIfFailed(t, id, f.Output)
		}
	})
	return &cloud{Stack: s}, others
}

// shim prepares one shim with a link of its own.
func (c *cloud) shim(t *testing.T, props ...string) *front {
	t.Helper()
	to, err := link.To(c.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	l := link.New(to)
	endpoint := l.Listen()
	t.Cleanup(l.Close)
	c.links = append(c.links, l)
	dir := t.TempDir()
	f := newFront(t, "shim", made.shim, dir, props...)
	f.props = append(f.props, "endpoint="+endpoint, "region="+stack.Region, "stateFile="+f.store())
	f.env = []string{
		"AWS_ACCESS_KEY_ID=" + stack.Master, "AWS_SECRET_ACCESS_KEY=" + c.Users[stack.Master].Secret, "AWS_SESSION_TOKEN=", "AWS_PROFILE=",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	return f
}

// fast are the properties of shims that hear of each other at once.
var fast = []string{"beatMillis=200"}

// startShims starts a cloud and so many shims, which are one NameServer to
// brokers and clients.
func startShims(t *testing.T, count int, props ...string) *nameServer {
	t.Helper()
	c, props := startCloud(t, props...)
	var all []*front
	for range count {
		f := c.shim(t, slices.Concat(fast, props)...)
		f.start(t)
		all = append(all, f)
	}
	return together(all...)
}

// always breaks or mends the links of all shims.
func (c *cloud) always(f link.Fault) {
	for _, l := range c.links {
		l.Set(link.Always(f))
	}
}

// String is where it is.
func (c *cloud) String() string { return fmt.Sprint("the cloud at ", c.Endpoint) }
