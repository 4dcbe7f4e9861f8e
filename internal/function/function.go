package function

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"signpost/core"
	"signpost/internal/dynamo"
	"signpost/internal/eventbridge"
)

// Store is the state that a function works on, with its clock.
type Store interface {
	core.Store
	// Now is the time by which to stamp and judge.
	Now() time.Time
	// CheckClock returns an error if this machine's clock is too wrong to evict by.
	CheckClock() error
	// PartitionUnits is how many write units a second the partition takes
	// where all changes meet, at most since it was asked last.
	PartitionUnits() float64
}

// Function is one instance of a function, alive from its init to its end.
type Function struct {
	Settings Settings
	Store    Store
	Sink     core.Sink // nil publishes nothing
	Log      *slog.Logger
	Metrics  *Metrics

	registry *core.Registry
}

// initTimeout bounds what is done before the first event (AWS Lambda: 10 s for
// a function's init).
const initTimeout = 5 * time.Second

// Start makes the instance that the environment asks for, with clients and a
// connection to the table. publishes says whether it puts events on the bus.
func Start(publishes bool) (*Function, error) {
	s, err := ReadSettings(os.Getenv, publishes)
	if err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	f := &Function{Settings: s, Log: NewLog(os.Stdout, s.LogLevel), Metrics: NewMetrics(os.Stdout, s.Stack)}
	slog.SetDefault(f.Log) // what libraries log
	ctx, cancel := context.WithTimeout(context.Background(), initTimeout)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(sdkLog{f.Log}))
	if err != nil {
		return nil, fmt.Errorf("configure the SDK: %w", err)
	}
	store := dynamo.New(cfg, s.Table)
	f.Store = store
	if publishes {
		f.Sink = eventbridge.New(eventbridge.NewClient(cfg), s.Bus)
	}
	// The first call takes its time for names, TLS and credentials: init, which
	// no caller waits for as long, is the moment for it.
	if err := store.Ping(ctx); err != nil {
		f.Log.Warn("the table does not answer yet", "error", err)
	}
	return f, nil
}

// Fail tells why an instance cannot start, and ends it.
func Fail(err error) {
	NewLog(os.Stdout, slog.LevelInfo).Error("the function cannot start", "error", err)
	os.Exit(1)
}

// model returns the instance's one registry: what it has read serves all its calls.
func (f *Function) model() *core.Registry {
	if f.registry == nil {
		o := core.Options{NewID: rand.Text, Rules: f.Settings.Rules, Guard: f.Settings.Guard}
		if f.Sink != nil {
			o.Sink = loggedSink{f.Sink, f.Log}
		}
		f.registry = core.New(f.Store, o)
	}
	return f.registry
}

// flush writes the metrics at the end of an invocation.
func (f *Function) flush() {
	if units := f.Store.PartitionUnits(); units >= dynamo.NearUnits {
		f.Metrics.peak(partitionUnits, units)
	}
	f.Metrics.flush(f.Store.Now())
}
