package dynamo

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"signpost/core"
)

const (
	// getBatch and writeBatch are DynamoDB's limits on one batch call.
	getBatch   = 100
	writeBatch = 25
	// parallel bounds the calls that one operation makes at once.
	parallel = 8
)

// errUnprocessed says that DynamoDB kept leaving a part of a batch undone.
var errUnprocessed = fmt.Errorf("%w: throttled, a part of a batch was left undone each time", core.ErrUnavailable)

// batchGet returns those of the items that exist, in no order, as they are
// now or, unless consistent, as they were a moment ago. Keys may repeat.
func (s *Store) batchGet(ctx context.Context, keys []key, consistent bool) ([]item, error) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, compareKeys)
	keys = slices.Compact(keys)
	var mu sync.Mutex
	var items []item
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for part := range slices.Chunk(keys, getBatch) {
		g.Go(func() error {
			got, err := s.getPart(ctx, part, consistent)
			mu.Lock()
			defer mu.Unlock()
			items = append(items, got...)
			return err
		})
	}
	return items, g.Wait()
}

func compareKeys(a, b key) int {
	switch {
	case a == b:
		return 0
	case a.pk < b.pk || a.pk == b.pk && a.sk < b.sk:
		return -1
	default:
		return 1
	}
}

func (s *Store) getPart(ctx context.Context, keys []key, consistent bool) ([]item, error) {
	ask := types.KeysAndAttributes{ConsistentRead: aws.Bool(consistent)}
	for _, k := range keys {
		ask.Keys = append(ask.Keys, k.attributes())
	}
	var items []item
	for attempt := 1; ; attempt++ {
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{s.table: ask}})
		if err != nil {
			return items, fmt.Errorf("get %d items: %w", len(ask.Keys), err)
		}
		got := out.Responses[s.table]
		items = append(items, got...)
		left := out.UnprocessedKeys[s.table].Keys
		switch {
		case len(left) == 0:
			return items, nil
		case len(left) < len(ask.Keys):
			attempt = 1 // it goes on, if slowly; ctx bounds it
		case attempt == maxAttempts:
			return items, fmt.Errorf("get %d items: %w", len(left), errUnprocessed)
		}
		ask.Keys = left
		if err := pause(ctx, attempt); err != nil {
			return items, err
		}
	}
}

// batchWrite puts and deletes, unconditionally and in no order, no two of them
// the same item.
func (s *Store) batchWrite(ctx context.Context, writes []types.WriteRequest) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for part := range slices.Chunk(writes, writeBatch) {
		g.Go(func() error { return s.writePart(ctx, part) })
	}
	return g.Wait()
}

func (s *Store) writePart(ctx context.Context, writes []types.WriteRequest) error {
	for attempt := 1; ; attempt++ {
		out, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.table: writes}})
		if err != nil {
			return fmt.Errorf("write %d items: %w", len(writes), err)
		}
		left := out.UnprocessedItems[s.table]
		switch {
		case len(left) == 0:
			return nil
		case len(left) < len(writes):
			attempt = 1
		case attempt == maxAttempts:
			return fmt.Errorf("write %d items: %w", len(left), errUnprocessed)
		}
		writes = left
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func putRequest(k key, it item) types.WriteRequest {
	for name, v := range k.attributes() {
		it[name] = v
	}
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: it}}
}

func deleteRequest(k key) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: k.attributes()}}
}
