//go:build e2e

package namesrv

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/e2e/peers"
	"signpost/internal/dynamo"
)

const region = "eu-central-1"

var (
	binary   string // the NameServer
	endpoint string // of DynamoDB Local
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "signpost-namesrv-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "namesrv")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../../cmd/namesrv").CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build: %w\n%s", err, out))
	}
	p, err := peers.StartDynamoDB(ctx)
	if err != nil {
		return fail(err)
	}
	endpoint = "http://" + p.Addr
	code := m.Run()
	if err := p.Stop(); err != nil {
		return fail(err)
	}
	return code
}

// newTable returns the name of a new, empty table.
func newTable(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	name := "signpost-" + rand.Text()[:10]
	client := dynamodb.NewFromConfig(aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""), BaseEndpoint: &endpoint,
	})
	if _, err := client.CreateTable(ctx, dynamo.Definition(name)); err != nil {
		t.Fatal(err)
	}
	return name
}
