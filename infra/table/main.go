// Command table creates $TABLE_NAME at $AWS_ENDPOINT_URL_DYNAMODB as
// template.yaml defines the stack's table, for work with DynamoDB Local. In AWS
// the stack makes its own. Done twice it changes nothing; a table of that name
// with other keys is an error.
//
//	TABLE_NAME=signpost AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 go run ./infra/table
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// timeout bounds the whole run. DynamoDB Local makes a table in milliseconds.
const timeout = time.Minute

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// run creates the table that the environment names and says so on out.
func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	name, endpoint := getenv("TABLE_NAME"), getenv("AWS_ENDPOINT_URL_DYNAMODB")
	var missing []error
	if name == "" {
		missing = append(missing, errors.New("TABLE_NAME is not set: what is the table to be called?"))
	}
	if endpoint == "" { // without it the SDK would go to AWS
		missing = append(missing, errors.New("AWS_ENDPOINT_URL_DYNAMODB is not set, such as http://127.0.0.1:8000"))
	}
	if err := errors.Join(missing...); err != nil {
		return err
	}
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		return fmt.Errorf("read the definition (run this where template.yaml is): %w", err)
	}
	table, err := read(text)
	if err != nil {
		return fmt.Errorf("template.yaml: %w", err)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("configure the AWS SDK: %w", err)
	}
	made, err := create(ctx, dynamodb.NewFromConfig(cfg), name, table)
	if err != nil {
		return fmt.Errorf("%s at %s: %w", name, endpoint, err)
	}
	if made {
		fmt.Fprintf(out, "%s is created at %s\n", name, endpoint)
	} else {
		fmt.Fprintf(out, "%s is there already at %s\n", name, endpoint)
	}
	return nil
}
