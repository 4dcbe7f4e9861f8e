package main

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"
)

// definition is what the template's table is, apart from its name.
type definition struct {
	BillingMode types.BillingMode
	Attributes  []types.AttributeDefinition
	Keys        []types.KeySchemaElement
	Expiry      string // the TTL attribute
}

// read takes the table out of a template. What the table could have and read
// does not know, such as an index, is an error rather than left out.
func read(template []byte) (definition, error) {
	var t struct {
		Resources struct {
			Table struct {
				Properties yaml.Node `yaml:"Properties"`
			} `yaml:"Table"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(template, &t); err != nil {
		return definition{}, fmt.Errorf("read: %w", err)
	}
	var d definition
	for i := 0; i+1 < len(t.Resources.Table.Properties.Content); i += 2 {
		key, value := t.Resources.Table.Properties.Content[i].Value, t.Resources.Table.Properties.Content[i+1]
		if err := d.take(key, value); err != nil {
			return definition{}, fmt.Errorf("Table.%s: %w", key, err)
		}
	}
	if d.Keys == nil {
		return definition{}, errors.New("there is no resource Table with a KeySchema")
	}
	return d, nil
}

// take fills in one property.
func (d *definition) take(key string, value *yaml.Node) error {
	switch key {
	case "BillingMode":
		return value.Decode(&d.BillingMode)
	case "AttributeDefinitions":
		var of []struct {
			Name string                    `yaml:"AttributeName"`
			Type types.ScalarAttributeType `yaml:"AttributeType"`
		}
		if err := value.Decode(&of); err != nil {
			return err
		}
		for _, a := range of {
			d.Attributes = append(d.Attributes, types.AttributeDefinition{AttributeName: &a.Name, AttributeType: a.Type})
		}
	case "KeySchema":
		var of []struct {
			Name string        `yaml:"AttributeName"`
			Type types.KeyType `yaml:"KeyType"`
		}
		if err := value.Decode(&of); err != nil {
			return err
		}
		for _, k := range of {
			d.Keys = append(d.Keys, types.KeySchemaElement{AttributeName: &k.Name, KeyType: k.Type})
		}
	case "TimeToLiveSpecification":
		var of struct {
			Name    string `yaml:"AttributeName"`
			Enabled bool   `yaml:"Enabled"`
		}
		if err := value.Decode(&of); err != nil {
			return err
		}
		if of.Enabled {
			d.Expiry = of.Name
		}
	case "Replicas": // regions, backups and protection: nothing of it is the table's form
	default:
		return errors.New("this program does not know how to create that")
	}
	return nil
}

// input is the request that creates the table.
func (d definition) input(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: d.BillingMode, AttributeDefinitions: d.Attributes, KeySchema: d.Keys,
	}
}

// expiry is the request that switches TTL on.
func (d definition) expiry(name string) *dynamodb.UpdateTimeToLiveInput {
	return &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &d.Expiry, Enabled: aws.Bool(true)},
	}
}
