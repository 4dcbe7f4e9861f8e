//go:build e2e

package main

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/e2e/golden"
	"signpost/e2e/peers"
	"signpost/internal/dynamo"
)

// TestAnswersOverATableAreThoseOfTheRealServers is
// TestAnswersAreThoseOfTheRealServers over DynamoDB Local.
func TestAnswersOverATableAreThoseOfTheRealServers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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
	awsEnvironment(t, "eu-central-1", "http://"+local.Addr)
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	client := dynamodb.NewFromConfig(cfg)
	j := golden.NewJudge()
	for _, d := range replayAll(t, j, 6, func() ([]string, error) {
		name := "signpost-" + rand.Text()[:10]
		_, err := client.CreateTable(ctx, dynamo.Definition(name))
		return []string{"--store", "dynamodb:" + name}, err
	}) {
		if !j.Accepts(d) {
			t.Errorf("%s", d)
		}
	}
}
