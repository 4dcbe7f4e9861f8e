//go:build e2e

package template_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/e2e/peers"
)

func TestMakeTable(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	local, err := peers.StartDynamoDB(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := local.Stop(); err != nil {
			t.Error(err)
		}
	}()
	endpoint := "http://" + local.Addr
	makeTable := func(name string) (string, error) {
		cmd := exec.CommandContext(ctx, "make", "-C", root, "table")
		cmd.WaitDelay = time.Second
		cmd.Env = append(os.Environ(), "TABLE_NAME="+name, "AWS_ENDPOINT_URL_DYNAMODB="+endpoint)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, want := range []string{"routes is created", "routes is there already"} {
		if out, err := makeTable("routes"); err != nil || !strings.Contains(out, want) {
			t.Errorf("make table: %v\n%s", err, out)
		}
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	expiry, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String("routes")})
	if err != nil || expiry.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled || *expiry.TimeToLiveDescription.AttributeName != "e" {
		t.Errorf("TTL: %+v, %v", expiry, err)
	}
	// Somebody else's table is left as it is.
	_, err = client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String("others"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeN}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := makeTable("others"); err == nil || !strings.Contains(out, "HASH N") {
		t.Errorf("make table over a table with other keys: %v\n%s", err, out)
	}
}
