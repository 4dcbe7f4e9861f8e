package dynamo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/core"
)

// Store keeps the model's state in one table. It is safe for concurrent use,
// by any number of processes. Errors are core's own or the SDK's, wrapped.
type Store struct {
	db    *dynamodb.Client
	table string
	clock *clock

	headAge time.Duration
	seen    seenHead
	reading chan struct{} // held by the one who reads the head
	load    load
}

var _ core.Store = (*Store)(nil)

// Option adjusts a Store.
type Option func(*settings)

type settings struct {
	now     func() time.Time
	headAge time.Duration
	client  []func(*dynamodb.Options)
}

// WithClock sets what is corrected to tell the time; time.Now if it is not given.
func WithClock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// WithHeadAge sets for how long Head answers from memory; 2 seconds if it is
// not given.
func WithHeadAge(d time.Duration) Option { return func(s *settings) { s.headAge = d } }

// WithClient adjusts the SDK's client further.
func WithClient(f func(*dynamodb.Options)) Option {
	return func(s *settings) { s.client = append(s.client, f) }
}

// New returns a store on a table that exists. It makes no call.
func New(cfg aws.Config, table string, opts ...Option) *Store {
	set := settings{now: time.Now, headAge: 2 * time.Second}
	for _, o := range opts {
		o(&set)
	}
	c := &clock{now: set.now}
	return &Store{
		db: newClient(cfg, c, set.client), table: table, clock: c, headAge: set.headAge, reading: make(chan struct{}, 1),
	}
}

// Now is the time by which to stamp and judge statements (rule 11): this
// machine's, corrected by the Date of DynamoDB's answers, in whole milliseconds.
func (s *Store) Now() time.Time { return s.clock.Now() }

// Skew is by how much Now corrects this machine's clock.
func (s *Store) Skew() time.Duration { return s.clock.Skew() }

// Ping makes one cheap read: it opens the connection and learns the clock
// before the first request waits for them.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: revisionKey().attributes()})
	if err != nil {
		return fmt.Errorf("read the revision of table %s: %w", s.table, err)
	}
	return nil
}

// random is never 0: it makes versions, and 0 is "not stored".
func random() uint64 { return max(rand.Uint64(), 1) }

// get reads one item as it is now; nil if there is none.
func (s *Store) get(ctx context.Context, k key) (item, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: k.attributes(), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// query returns all items of a partition in the order of their sort keys, as
// they are now.
func (s *Store) query(ctx context.Context, partition string) ([]item, error) {
	return s.queryPrefix(ctx, partition, "", true)
}

// queryPrefix returns those whose sort keys start with prefix; as they were a
// moment ago, for half the price, unless it is to be consistent.
func (s *Store) queryPrefix(ctx context.Context, partition, prefix string, consistent bool) ([]item, error) {
	condition, values := "pk = :p", item{":p": text(partition)}
	if prefix != "" {
		condition += " AND begins_with(sk, :s)"
		values[":s"] = text(prefix)
	}
	p := dynamodb.NewQueryPaginator(s.db, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: &consistent, KeyConditionExpression: &condition, ExpressionAttributeValues: values,
	})
	var items []item
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
	}
	return items, nil
}
