package daemon

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// latencyBounds go from what is answered from memory to what a client gives up on.
var latencyBounds = [...]time.Duration{
	10 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 3 * time.Second,
}

// latency is a histogram that takes a batch of requests at once, which the
// library's own does not.
type latency struct {
	buckets [len(latencyBounds) + 1]atomic.Uint64 // not cumulative; the last is beyond all bounds
	sum     atomic.Int64                          // nanoseconds
}

func (l *latency) observe(n int, took time.Duration) {
	i := 0
	for i < len(latencyBounds) && took > latencyBounds[i] {
		i++
	}
	l.buckets[i].Add(uint64(n))
	l.sum.Add(int64(took) * int64(n))
}

// requests collects the histograms of all codes and results.
type requests struct{ m *Metrics }

var requestsDesc = prometheus.NewDesc("signpost_request_seconds",
	"Requests by code and result, from the frame's arrival to its answer.", []string{"code", "result"}, nil)

// Describe names it.
func (r requests) Describe(ch chan<- *prometheus.Desc) { ch <- requestsDesc }

// Collect reads the histograms.
func (r requests) Collect(ch chan<- prometheus.Metric) {
	r.m.latencies.Range(func(key, value any) bool {
		k, l := key.(resultKey), value.(*latency)
		name := "unknown"
		if k.code.Known() {
			name = k.code.String()
		}
		count := uint64(0)
		cumulative := make(map[float64]uint64, len(latencyBounds))
		for i := range l.buckets {
			count += l.buckets[i].Load()
			if i < len(latencyBounds) {
				cumulative[latencyBounds[i].Seconds()] = count
			}
		}
		sum := time.Duration(l.sum.Load()).Seconds()
		ch <- prometheus.MustNewConstHistogram(requestsDesc, count, sum, cumulative, name, strconv.Itoa(int(k.result)))
		return true
	})
}
