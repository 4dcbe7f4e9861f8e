package function

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// The metrics: what AWS does not measure by itself. Each that is written costs
// its price for the hours that it is written in, so none is written as zero.
const (
	registrationsChanged = "RegistrationsChanged"
	evictions            = "Evictions"
	outboxDropped        = "OutboxDropped"
	guardHeld            = "GuardHeld"
	partitionUnits       = "PartitionUnits"
)

// namespace is that of all metrics.
const namespace = "Signpost"

// Metrics sums up what happens in this instance, and writes it at most once a
// minute as a line in the embedded metric format (CloudWatch: Embedded Metric
// Format Specification). What was summed up since leaves with a later call.
type Metrics struct {
	w     io.Writer
	stack string

	mu      sync.Mutex
	values  map[string]float64
	written time.Time // the minute of the last line
}

// NewMetrics returns Metrics of a stack that are written to w.
func NewMetrics(w io.Writer, stack string) *Metrics {
	return &Metrics{w: w, stack: stack, values: map[string]float64{}}
}

// add counts something.
func (m *Metrics) add(name string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > 0 {
		m.values[name] += float64(n)
	}
}

// peak keeps the highest value.
func (m *Metrics) peak(name string, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v > 0 {
		m.values[name] = max(m.values[name], v)
	}
}

// flush writes what there is, unless it has written in the same minute.
func (m *Metrics) flush(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	minute := now.Truncate(time.Minute)
	if len(m.values) == 0 || minute.Equal(m.written) {
		return
	}
	type metric struct{ Name, Unit string }
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	d := directive{Namespace: namespace, Dimensions: [][]string{{"Stack"}}}
	line := map[string]any{"Stack": m.stack}
	for _, name := range slices.Sorted(maps.Keys(m.values)) {
		unit := "Count"
		if name == partitionUnits {
			unit = "Count/Second"
		}
		d.Metrics = append(d.Metrics, metric{name, unit})
		line[name] = m.values[name]
	}
	line["_aws"] = map[string]any{"Timestamp": now.UnixMilli(), "CloudWatchMetrics": []directive{d}}
	b, err := json.Marshal(line)
	if err != nil {
		return // no value of these is NaN or infinite
	}
	m.w.Write(append(b, '\n')) // one write is one line; standard output does not fail
	clear(m.values)
	m.written = minute
}
