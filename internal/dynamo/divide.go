package dynamo

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// divide divides a set that has grown into more chunks. The new chunks are
// written beside the old ones, which hold until the manifest names the new;
// no row is touched. A division that stopped half way may have left some of
// the new ones: they are overwritten, or the manifest says that they are
// empty, which counts more than what they hold.
func (tw *topicWriter) divide(ctx context.Context, m manifest, chunks int) (manifest, error) {
	items, err := tw.s.query(ctx, setPartition(tw.w.Broker))
	if err != nil {
		return m, err
	}
	set, err := readSet(items, tw.mend)
	if err != nil || set.manifest.version != m.version {
		return m, errOvertaken
	}
	if damaged := set.damaged(); len(damaged) > 0 {
		return m, tw.distrust(ctx, m, damaged)
	}
	next := manifest{version: m.version, sums: make([]sum, chunks)}
	parts := make([]chunk, chunks)
	for n, c := range set.chunks {
		settled := m.sums[n] == c.sum
		if settled {
			c.leaving = nil // gone since
		}
		c.moveTo(parts)
		for i := n; i < chunks && !settled; i += m.chunks() {
			next.sums[i] = unsettled
		}
	}
	var writes []types.WriteRequest
	for n, c := range parts {
		if len(c.topics)+len(c.leaving) == 0 && next.sums[n] != unsettled {
			continue // the manifest says so
		}
		it, err := chunkItem(c.topics, c.leaving)
		if err != nil {
			return m, err
		}
		writes = append(writes, putRequest(chunkKey(tw.w.Broker, chunks, n), it))
		if next.sums[n] != unsettled {
			next.sums[n] = c.topics.sum()
			next.count += len(c.topics)
		}
	}
	if err := tw.holds(); err != nil {
		return m, err
	}
	if err := tw.s.batchWrite(ctx, writes); err != nil {
		return m, err
	}
	if err := tw.holds(); err != nil {
		return m, err
	}
	if next, err = tw.s.putManifest(ctx, tw.w.Broker, next); err != nil {
		return m, err
	}
	return next, tw.deleteChunks(ctx, slices.DeleteFunc(items, func(it item) bool { return isChunkOf(it, chunks) }))
}

// moveTo puts what a chunk says to where it belongs among more chunks.
func (c chunk) moveTo(parts []chunk) {
	for leaving, list := range map[bool]entries{false: c.topics, true: c.leaving} {
		for name, t := range list {
			p := &parts[chunkOf(name, len(parts))]
			if leaving {
				p.leaving = p.leaving.with(name, t)
			} else {
				p.topics = p.topics.with(name, t)
			}
		}
	}
}

func (list entries) with(name string, t entry) entries {
	if list == nil {
		list = entries{}
	}
	list[name] = t
	return list
}

// deleteChunks deletes those of the items that are chunks.
func (tw *topicWriter) deleteChunks(ctx context.Context, items []item) error {
	var writes []types.WriteRequest
	for _, it := range items {
		if isChunk(it) {
			writes = append(writes, deleteRequest(keyOf(it)))
		}
	}
	if err := tw.holds(); err != nil {
		return err
	}
	return tw.s.batchWrite(ctx, writes)
}

// removeSet removes the items of a set that is empty.
func (tw *topicWriter) removeSet(ctx context.Context, m manifest) error {
	if m.version == 0 {
		return nil
	}
	items, err := tw.s.query(ctx, setPartition(tw.w.Broker))
	if err != nil {
		return err
	}
	if err := tw.deleteChunks(ctx, items); err != nil {
		return err
	}
	_, err = tw.s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &tw.s.table, Key: manifestKey(tw.w.Broker).attributes(),
		ConditionExpression:       aws.String("attribute_not_exists(v) OR v = :v"),
		ExpressionAttributeValues: item{":v": unsigned(m.version)},
	})
	if _, ok := refused(err); ok {
		return errOvertaken
	}
	return err
}
