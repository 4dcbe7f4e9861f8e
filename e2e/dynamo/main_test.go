//go:build e2e

package dynamo_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/e2e/peers"
	"signpost/internal/dynamo"
)

// config leads to DynamoDB Local. Any credentials do.
var config = aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	p, err := peers.StartDynamoDB(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	config.BaseEndpoint = aws.String("http://" + p.Addr)
	code := m.Run()
	if err := p.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// newTable returns the name of a new, empty table.
func newTable(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	name := "signpost-" + rand.Text()[:10]
	client := awsdynamodb.NewFromConfig(config)
	if _, err := client.CreateTable(ctx, dynamo.Definition(name)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateTimeToLive(ctx, dynamo.Expiry(name)); err != nil {
		t.Fatal(err)
	}
	return name
}
