package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// kvValue holds a key's value. A key that was deleted stays as an item without
// it: that its namespace once held something is told by answers.
const kvValue = "b"

// KV returns a namespace; ErrNotFound if it never held anything.
func (s *Store) KV(ctx context.Context, namespace string) (map[string]string, error) {
	var items []item
	if checkName("namespace", namespace) == nil {
		var err error
		if items, err = s.query(ctx, kvPartition(namespace)); err != nil {
			return nil, fmt.Errorf("read namespace %s: %w", namespace, err)
		}
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("namespace %s: %w", namespace, core.ErrNotFound)
	}
	values := make(map[string]string, len(items))
	for _, it := range items {
		if err := checkFormat(it); err != nil {
			return nil, fmt.Errorf("read %s/%s: %w", namespace, keyOf(it).sk, err)
		}
		if v, ok := it[kvValue].(*types.AttributeValueMemberS); ok {
			values[keyOf(it).sk] = v.Value
		}
	}
	return values, nil
}

// PutKV stores a value.
func (s *Store) PutKV(ctx context.Context, namespace, name, value string) error {
	if err := checkName("namespace", namespace); err != nil {
		return err
	}
	if err := checkName("key", name); err != nil {
		return err
	}
	if err := checkSize("value", len(value)); err != nil {
		return err
	}
	_, err := s.update(ctx, update{key: kvKey(namespace, name), set: item{formatAttr: number(format), kvValue: text(value)}})
	if err != nil {
		return fmt.Errorf("put %s/%s: %w", namespace, name, err)
	}
	return nil
}

// DeleteKV removes a key; absent is no error.
func (s *Store) DeleteKV(ctx context.Context, namespace, name string) error {
	if checkName("namespace", namespace) != nil || checkName("key", name) != nil {
		return nil
	}
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: kvKey(namespace, name).attributes(),
		UpdateExpression: aws.String("REMOVE b"), ConditionExpression: aws.String("attribute_exists(b)"),
	})
	if _, ok := refused(err); ok || err == nil {
		return nil
	}
	return fmt.Errorf("delete %s/%s: %w", namespace, name, err)
}
