package main

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signpost/core"
	"signpost/internal/remoting"
)

// metrics is what the NameServer shows at /metrics. It observes the TCP front.
type metrics struct {
	app      *app
	registry *prometheus.Registry

	opened      prometheus.Counter
	connections prometheus.Gauge
	refused     *prometheus.CounterVec
	events      *prometheus.CounterVec
	calls       *prometheus.CounterVec

	latencies sync.Map // resultKey -> *latency
}

type resultKey struct{ code, result remoting.Code }

func newMetrics(a *app) *metrics {
	m := &metrics{
		app:         a,
		registry:    prometheus.NewRegistry(),
		opened:      prometheus.NewCounter(prometheus.CounterOpts{Name: "signpost_connections_opened_total", Help: "Connections accepted."}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signpost_connections", Help: "Open connections."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signpost_refused_total", Help: "What was refused or given up at a limit, or as broken, by reason.",
		}, []string{"reason"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signpost_events_total", Help: "Changes of state by kind; BrokerEvicted are the evictions.",
		}, []string{"kind"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signpost_http_requests_total", Help: "Calls of the HTTP API, by method and status.",
		}, []string{"method", "code"}),
	}
	for _, k := range []core.EventKind{core.BrokerRegistered, core.BrokerUnregistered, core.BrokerEvicted, core.MasterChanged,
		core.TopicRouteChanged, core.BrokerNameConflict, core.MassExpiryHeld} {
		m.events.WithLabelValues(string(k))
	}
	m.registry.MustRegister(requests{m}, m.opened, m.connections, m.refused, m.events, m.calls, state{a}, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func buildInfo() prometheus.Collector {
	version, goVersion, revision := "unknown", "unknown", "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = b.Main.Version, b.GoVersion
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "signpost_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": goVersion, "revision": revision},
	})
	g.Set(1)
	return g
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// countCalls counts the calls that h answers.
func (m *metrics) countCalls(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.calls, h)
}

func (m *metrics) event(k core.EventKind) { m.events.WithLabelValues(string(k)).Inc() }

// Requests counts answered requests. Peers choose codes, so unknown ones share
// a label.
func (m *metrics) Requests(code, result remoting.Code, n int, took time.Duration) {
	if !code.Known() {
		code = -1
	}
	k := resultKey{code, result}
	l, ok := m.latencies.Load(k)
	if !ok {
		l, _ = m.latencies.LoadOrStore(k, &latency{})
	}
	l.(*latency).observe(n, took)
}

// ConnectionOpened counts.
func (m *metrics) ConnectionOpened() { m.opened.Inc(); m.connections.Inc() }

// ConnectionClosed counts.
func (m *metrics) ConnectionClosed() { m.connections.Dec() }

// Refused counts what was turned away.
func (m *metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// state collects what is read when somebody looks.
type state struct{ a *app }

var (
	brokersDesc  = prometheus.NewDesc("signpost_brokers", "Brokers alive, by cluster.", []string{"cluster"}, nil)
	groupsDesc   = prometheus.NewDesc("signpost_broker_groups", "Broker groups alive, by cluster.", []string{"cluster"}, nil)
	topicsDesc   = prometheus.NewDesc("signpost_topics", "Topics of living brokers.", nil, nil)
	revisionDesc = prometheus.NewDesc("signpost_revision", "The revision of routes and lists.", nil, nil)
	snapshotDesc = prometheus.NewDesc("signpost_snapshot_age_seconds", "Time since the oldest change that is not on disk; 0 if all is.", nil, nil)
	commitsDesc  = prometheus.NewDesc("signpost_store_commits_total", "Commits to disk, by result.", []string{"result"}, nil)
	skewDesc     = prometheus.NewDesc("signpost_clock_skew_seconds", "By how much this machine's clock is behind DynamoDB's.", nil, nil)
	unitsDesc    = prometheus.NewDesc("signpost_partition_units", "Write units a second that partition V took at most since the last look.", nil, nil)
	fileDesc     = prometheus.NewDesc("signpost_store_file_bytes", "Size of the store's file.", nil, nil)
	certDesc     = prometheus.NewDesc("signpost_tls_certificate_expiry_timestamp_seconds", "When the server's certificate ends; absent if there is none.", nil, nil)
	reloadsDesc  = prometheus.NewDesc("signpost_tls_reloads_total", "Changed TLS files, by result.", []string{"result"}, nil)
	accountsDesc = prometheus.NewDesc("signpost_acl_accounts", "Accounts in use; absent if access is not controlled.", nil, nil)
	aclDesc      = prometheus.NewDesc("signpost_acl_reloads_total", "Changed files of accounts, by result.", []string{"result"}, nil)
	mapDesc      = prometheus.NewDesc("signpost_address_map_reloads_total", "Changed address maps, by result.", []string{"result"}, nil)
	readyDesc    = prometheus.NewDesc("signpost_ready", "1 if /readyz says so.", nil, nil)
)

// Describe names all of it.
func (s state) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

// Collect reads the registry and the store.
func (s state) Collect(ch chan<- prometheus.Metric) {
	gauge, counter := constant(ch, prometheus.GaugeValue), constant(ch, prometheus.CounterValue)
	if s.a.registry == nil {
		return // while it is being put together
	}
	ctx, cancel := context.WithTimeout(context.Background(), handlerTime)
	defer cancel()
	if head, err := s.a.storage.Head(ctx, 0, false); err == nil {
		gauge(revisionDesc, float64(head.Revision))
	}
	now := time.Now()
	if s.a.storage.table != nil {
		// Who is alive is not counted: every look would read all of the table's groups.
		gauge(skewDesc, s.a.storage.table.Skew().Seconds())
		gauge(unitsDesc, s.a.storage.table.PartitionUnits())
	} else {
		s.collectAlive(ctx, now, ch)
		s.collectDisk(now, ch)
	}
	tls := s.a.port.Stats()
	if !tls.NotAfter.IsZero() {
		gauge(certDesc, float64(tls.NotAfter.Unix()))
	}
	counter(reloadsDesc, float64(tls.Reloads), "ok")
	counter(reloadsDesc, float64(tls.Failures), "failed")
	if s.a.accounts != nil {
		acl := s.a.accounts.Stats()
		gauge(accountsDesc, float64(acl.Accounts))
		counter(aclDesc, float64(acl.Reloads), "ok")
		counter(aclDesc, float64(acl.Failures), "failed")
	}
	if s.a.shown != nil {
		shown := s.a.shown.Stats()
		counter(mapDesc, float64(shown.Reloads), "ok")
		counter(mapDesc, float64(shown.Failures), "failed")
	}
	ready := 0.0
	if s.a.notReady(now) == "" {
		ready = 1
	}
	gauge(readyDesc, ready)
}

// constant sends what was read as metrics of one type.
func constant(ch chan<- prometheus.Metric, of prometheus.ValueType) func(d *prometheus.Desc, v float64, labels ...string) {
	return func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, of, v, labels...)
	}
}

// collectAlive counts brokers and topics.
func (s state) collectAlive(ctx context.Context, now time.Time, ch chan<- prometheus.Metric) {
	gauge := constant(ch, prometheus.GaugeValue)
	groups, err := s.a.registry.Groups(ctx, now)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(brokersDesc, err)
		return
	}
	brokers, names := map[string]int{}, map[string]int{}
	for _, g := range groups {
		brokers[g.Cluster] += len(g.Replicas)
		names[g.Cluster]++
	}
	for cluster, n := range brokers {
		gauge(brokersDesc, float64(n), cluster)
		gauge(groupsDesc, float64(names[cluster]), cluster)
	}
	topics, _, err := s.a.registry.Topics(ctx, now, core.AllTopics, "")
	if err != nil {
		ch <- prometheus.NewInvalidMetric(topicsDesc, err)
		return
	}
	gauge(topicsDesc, float64(len(topics)))
}

// collectDisk tells of the store's file.
func (s state) collectDisk(now time.Time, ch chan<- prometheus.Metric) {
	gauge, counter := constant(ch, prometheus.GaugeValue), constant(ch, prometheus.CounterValue)
	disk := s.a.storage.disk.Health()
	unsaved := time.Duration(0)
	if !disk.PendingSince.IsZero() {
		unsaved = now.Sub(disk.PendingSince)
	}
	gauge(snapshotDesc, unsaved.Seconds())
	gauge(fileDesc, float64(disk.Size))
	counter(commitsDesc, float64(disk.Commits), "ok")
	counter(commitsDesc, float64(disk.Failures), "failed")
}
