package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/core"
)

const (
	manifestSums  = "h"
	manifestCount = "t"
)

// manifest says of each chunk what its rows are, by the sum of its entries. A
// sum stands in it only while the rows are exactly so; before any is touched
// it becomes unsettled.
type manifest struct {
	version uint64 // 0: not stored
	sums    []sum
	count   int // topics of the chunks that are settled
}

func (m manifest) chunks() int { return len(m.sums) }

func (m manifest) empty() bool {
	return !slices.ContainsFunc(m.sums, func(s sum) bool { return s != noEntries })
}

// clone returns a copy whose sums may be changed.
func (m manifest) clone() manifest {
	m.sums = slices.Clone(m.sums)
	return m
}

// manifestOf returns what an item holds; the empty manifest if there is none.
func manifestOf(it item) (m manifest, err error) {
	if len(it) == 0 {
		return manifest{sums: make([]sum, 1)}, nil
	}
	if m, err = decodeManifest(it); err != nil {
		return m, fmt.Errorf("read manifest of %s: %w", keyOf(it).pk, err)
	}
	return m, nil
}

func decodeManifest(it item) (m manifest, err error) {
	if err := checkFormat(it); err != nil {
		return m, err
	}
	if m.version, err = uintOf(it, versionAttr); err != nil {
		return m, err
	}
	count, err := intOf(it, manifestCount)
	if err != nil {
		return m, err
	}
	m.count = int(count)
	b := bytesOf(it[manifestSums])
	n := len(b) / len(sum{})
	if n == 0 || n > maxChunks || n&(n-1) != 0 || len(b)%len(sum{}) != 0 {
		return m, errCorrupt
	}
	for part := range slices.Chunk(b, len(sum{})) {
		m.sums = append(m.sums, sum(part))
	}
	return m, nil
}

// readManifest reads a broker's manifest as it is now or, unless consistent,
// as it was a moment ago.
func (s *Store) readManifest(ctx context.Context, broker string, consistent bool) (manifest, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: manifestKey(broker).attributes(), ConsistentRead: aws.Bool(consistent),
	})
	if err != nil {
		return manifest{}, fmt.Errorf("read manifest of %s: %w", broker, err)
	}
	return manifestOf(out.Item)
}

// errOvertaken says that a set changed since it was read. It is an
// ErrConflict: decide anew.
var errOvertaken = fmt.Errorf("topic set: %w", core.ErrConflict)

// putManifest stores m if the stored version is still m.version, and returns
// it with its new one. errOvertaken otherwise.
func (s *Store) putManifest(ctx context.Context, broker string, m manifest) (manifest, error) {
	var b []byte
	for _, sum := range m.sums {
		b = append(b, sum[:]...)
	}
	version := random()
	u := update{key: manifestKey(broker), set: item{
		formatAttr: number(format), versionAttr: unsigned(version), manifestSums: blob(b), manifestCount: number(int64(m.count)),
	}}
	u.ifVersion(m.version)
	err := s.overwrite(ctx, u, version)
	if errors.Is(err, core.ErrConflict) {
		return m, errOvertaken
	}
	if err != nil {
		return m, fmt.Errorf("store manifest of %s: %w", broker, err)
	}
	m.version = version
	return m, nil
}
