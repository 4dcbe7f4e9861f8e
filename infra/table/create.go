package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// create creates the table and its TTL where they are missing, and tells
// whether the table was.
func create(ctx context.Context, client *dynamodb.Client, name string, d definition) (made bool, err error) {
	var exists *types.ResourceInUseException
	_, err = client.CreateTable(ctx, d.input(name))
	if err != nil && !errors.As(err, &exists) {
		return false, fmt.Errorf("create: %w", err)
	}
	made = err == nil
	if err := dynamodb.NewTableExistsWaiter(client).Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, timeout); err != nil {
		return made, fmt.Errorf("wait until it is there: %w", err)
	}
	table, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return made, fmt.Errorf("describe: %w", err)
	}
	if is, want := keys(table.Table.KeySchema, table.Table.AttributeDefinitions), keys(d.Keys, d.Attributes); !maps.Equal(is, want) {
		return made, fmt.Errorf("the table is there with the keys %v, the template's are %v: delete it, or take another name", is, want)
	}
	expiry, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return made, fmt.Errorf("describe TTL: %w", err)
	}
	if expiry.TimeToLiveDescription.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.Expiry == "" {
		return made, nil
	}
	if _, err := client.UpdateTimeToLive(ctx, d.expiry(name)); err != nil {
		return made, fmt.Errorf("switch TTL on: %w", err)
	}
	return made, nil
}

// keys gives each key attribute its kind and type, such as "HASH S".
func keys(schema []types.KeySchemaElement, attributes []types.AttributeDefinition) map[string]string {
	of := map[string]string{}
	for _, k := range schema {
		for _, a := range attributes {
			if *a.AttributeName == *k.AttributeName {
				of[*k.AttributeName] = string(k.KeyType) + " " + string(a.AttributeType)
			}
		}
	}
	return of
}
