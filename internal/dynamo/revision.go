package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// Raise appends the changes to the log. If an answer is lost they may be there
// twice, with two revisions each, which makes readers read twice.
func (s *Store) Raise(ctx context.Context, changes []core.Change) (core.Revision, error) {
	if len(changes) == 0 {
		it, err := s.get(ctx, revisionKey())
		if err != nil {
			return 0, fmt.Errorf("read revision: %w", err)
		}
		l, err := logOf(it)
		return l.revision, err
	}
	entries := make([][]byte, len(changes))
	for i, c := range changes {
		entries[i] = entryOf(c)
	}
	l, err := s.raise(ctx, entries)
	if err != nil {
		return 0, fmt.Errorf("raise the revision: %w", err)
	}
	s.seen.raised(l)
	s.load.saw(l, 0, s.Now())
	return l.revision, nil
}

func (s *Store) raise(ctx context.Context, entries [][]byte) (changeLog, error) {
	added := changeLog{entries: entries}
	last := s.seen.last().log
	switch {
	case len(entries) > logBurst:
		return s.replaceLog(ctx, len(entries), entries[len(entries)-logBurst:])
	case last.size() > logLimit:
		return s.replaceLog(ctx, len(entries), entries)
	case last.size()+added.size() <= logSize || len(last.entries) <= logSurely:
		return s.appendLog(ctx, entries)
	}
	// Write the log anew without its older entries, if nobody came between.
	// Else just append: whoever raises next shortens it.
	next := changeLog{
		revision: last.revision + core.Revision(len(entries)),
		entries:  slices.Concat(last.keeping(), entries),
	}
	_, err := s.update(ctx, update{
		key: revisionKey(),
		set: item{
			formatAttr: number(format), logRevision: unsigned(uint64(next.revision)), logChanges: entryList(next.entries),
		},
		condition: "n = :was",
		values:    item{":was": unsigned(uint64(last.revision))},
	})
	there, ok := refused(err)
	switch {
	case !ok && err != nil:
		return changeLog{}, err
	case !ok:
		return next, nil
	}
	if l, err := logOf(there); err == nil {
		s.seen.raised(l)
	}
	return s.appendLog(ctx, entries)
}

func (s *Store) appendLog(ctx context.Context, entries [][]byte) (changeLog, error) {
	return s.addToLog(ctx, len(entries), "list_append(if_not_exists(l, :none), :l)", item{":l": entryList(entries), ":none": entryList(nil)})
}

// replaceLog raises the revision by n and leaves only those entries, the last
// of them. Who knows an earlier revision reads everything again.
func (s *Store) replaceLog(ctx context.Context, n int, entries [][]byte) (changeLog, error) {
	return s.addToLog(ctx, n, ":l", item{":l": entryList(entries)})
}

func (s *Store) addToLog(ctx context.Context, n int, list string, values item) (changeLog, error) {
	values[":n"], values[":zero"], values[":f"] = number(int64(n)), number(0), number(format)
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: revisionKey().attributes(),
		UpdateExpression:          aws.String("SET f = :f, n = if_not_exists(n, :zero) + :n, l = " + list),
		ExpressionAttributeValues: values,
		ReturnValues:              types.ReturnValueAllNew,
	})
	if err != nil {
		return changeLog{}, err
	}
	return logOf(out.Attributes)
}
