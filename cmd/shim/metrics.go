package main

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signpost/internal/daemon"
)

// metrics observes the calls of the API and what is said by them.
type metrics struct {
	calls    *prometheus.HistogramVec
	said     *prometheus.CounterVec
	early    prometheus.Counter
	sessions prometheus.Counter
	asked    prometheus.Counter
	refusals prometheus.Counter
	offset   atomic.Int64 // time.Duration
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signpost_upstream_call_seconds", Help: "Attempts of calls of the API, by operation and result.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 15},
		}, []string{"call", "result"}),
		said: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signpost_upstream_statements_total", Help: "What brokers said that the API had to hear, by how it ended.",
		}, []string{"outcome"}),
		early:    counter("signpost_upstream_answered_early_total", "Brokers answered before the API had heard them."),
		sessions: counter("signpost_upstream_sessions_total", "Sessions opened."),
		asked:    counter("signpost_upstream_topics_asked_total", "Topics asked for, many in one call."),
		refusals: counter("signpost_upstream_clock_refusals_total", "Calls refused because of this machine's clock."),
	}
}

// Called is for api.Observer.
func (m *metrics) Called(call, result string, took time.Duration) {
	m.calls.WithLabelValues(call, result).Observe(took.Seconds())
}

// ClockOffset is for api.Observer.
func (m *metrics) ClockOffset(offset time.Duration) {
	m.refusals.Inc()
	m.offset.Store(int64(offset))
}

// Beaten is for follow.Observer: beats are counted as calls.
func (m *metrics) Beaten(time.Duration, error) {}

// Asked is for follow.Observer.
func (m *metrics) Asked(topics int, _ time.Duration, _ error) { m.asked.Add(float64(topics)) }

// Opened is for follow.Observer.
func (m *metrics) Opened() { m.sessions.Inc() }

// Answered is for held.Observer.
func (m *metrics) Answered() { m.early.Inc() }

// Said is for held.Observer.
func (m *metrics) Said(outcome string) { m.said.WithLabelValues(outcome).Inc() }

// collector collects what is read when somebody looks.
type collector struct {
	a *app
	m *metrics
}

var (
	connectedDesc = prometheus.NewDesc("signpost_upstream_connected", "1 while the API answers.", nil, nil)
	sinceDesc     = prometheus.NewDesc("signpost_upstream_state_timestamp_seconds", "Since when signpost_upstream_connected is what it is.", nil, nil)
	oldestDesc    = prometheus.NewDesc("signpost_upstream_oldest_answer_seconds", "How long ago it was known that all was right that is answered.", nil, nil)
	sessionDesc   = prometheus.NewDesc("signpost_upstream_session_info", "Always 1; the labels say which session is open; absent if none is.", []string{"gateway", "session"}, nil)
	guardedDesc   = prometheus.NewDesc("signpost_upstream_guarded", "1 while the API's mass-expiry guard holds leases.", nil, nil)
	revisionDesc  = prometheus.NewDesc("signpost_revision", "The revision of routes and lists that is followed.", nil, nil)
	routesDesc    = prometheus.NewDesc("signpost_upstream_routes", "Routes kept.", nil, nil)
	bytesDesc     = prometheus.NewDesc("signpost_upstream_route_bytes", "About how much memory they take.", nil, nil)
	unwrittenDesc = prometheus.NewDesc("signpost_upstream_unwritten", "Topics of which the state file does not have yet what is known.", nil, nil)
	heldDesc      = prometheus.NewDesc("signpost_upstream_held", "Brokers connected here.", nil, nil)
	pendingDesc   = prometheus.NewDesc("signpost_upstream_pending", "Brokers of which the API has not heard yet that they came (add) or left (drop).", []string{"kind"}, nil)
	offsetDesc    = prometheus.NewDesc("signpost_upstream_clock_offset_seconds", "By how much calls are dated otherwise than by this machine's clock.", nil, nil)
)

// counted are the metrics that count by themselves.
func (c collector) counted() []prometheus.Collector {
	return []prometheus.Collector{c.m.calls, c.m.said, c.m.early, c.m.sessions, c.m.asked, c.m.refusals}
}

// Describe names all of it.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connectedDesc, sinceDesc, oldestDesc, sessionDesc, guardedDesc, revisionDesc, routesDesc,
		bytesDesc, unwrittenDesc, heldDesc, pendingDesc, offsetDesc} {
		ch <- d
	}
	for _, one := range c.counted() {
		one.Describe(ch)
	}
}

// Collect reads the state.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	for _, one := range c.counted() {
		one.Collect(ch)
	}
	gauge := daemon.Constant(ch, prometheus.GaugeValue)
	now := time.Now()
	s := c.a.follow.State(now)
	gauge(connectedDesc, number(s.Connected))
	gauge(sinceDesc, float64(s.Since.Unix()))
	gauge(oldestDesc, c.a.registry.OldestAnswer(now).Seconds())
	gauge(guardedDesc, number(s.Guarded))
	if s.Session != "" {
		gauge(sessionDesc, 1, c.a.gateway, s.Session)
	}
	gauge(revisionDesc, float64(s.Revision))
	gauge(routesDesc, float64(s.Routes))
	gauge(bytesDesc, float64(s.Bytes))
	gauge(unwrittenDesc, float64(s.Unwritten))
	gauge(heldDesc, float64(c.a.held.Held()))
	adds, drops := c.a.held.Pending()
	gauge(pendingDesc, float64(adds), "add")
	gauge(pendingDesc, float64(drops), "drop")
	gauge(offsetDesc, time.Duration(c.m.offset.Load()).Seconds())
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
