//go:build e2e

package dynamo_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signpost/internal/dynamo"
)

// world is one table, used by processes that share a clock.
type world struct {
	table string
	mu    sync.Mutex
	now   time.Time
}

func newWorld(t *testing.T) *world { return &world{table: newTable(t), now: began} }

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass until that moment.
func (w *world) pass(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if until.After(w.now) {
		w.now = until
	}
}

// process returns the store of another process, which asks for the revision
// each time, so that what it sees can be compared.
func (w *world) process(f *saboteur) *dynamo.Store {
	return dynamo.New(config, w.table, dynamo.WithClock(w.time), dynamo.WithHeadAge(0), dynamo.WithClient(f.install),
		dynamo.WithClient(func(o *awsdynamodb.Options) { o.HTTPClient = connections }))
}

// connections are shared by all processes of all worlds, to save time.
var connections = timeless{awshttp.NewBuildableClient().WithTimeout(10 * time.Second)}

// healthy returns the store of a process that nothing happens to.
func (w *world) healthy() *dynamo.Store { return w.process(&saboteur{}) }

// timeless takes the Date off answers: it is not of the test's clock.
type timeless struct{ awsdynamodb.HTTPClient }

func (c timeless) Do(r *http.Request) (*http.Response, error) {
	res, err := c.HTTPClient.Do(r)
	if res != nil {
		res.Header.Del("Date")
	}
	return res, err
}
