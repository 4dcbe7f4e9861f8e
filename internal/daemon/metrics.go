package daemon

import (
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signpost/internal/remoting"
)

// Metrics is what a NameServer shows at /metrics. It observes the TCP front.
type Metrics struct {
	registry *prometheus.Registry

	opened      prometheus.Counter
	connections prometheus.Gauge
	refused     *prometheus.CounterVec
	calls       *prometheus.CounterVec

	latencies sync.Map // resultKey -> *latency
}

type resultKey struct{ code, result remoting.Code }

func newMetrics() *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		opened:      prometheus.NewCounter(prometheus.CounterOpts{Name: "signpost_connections_opened_total", Help: "Connections accepted."}),
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signpost_connections", Help: "Open connections."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signpost_refused_total", Help: "What was refused or given up at a limit, or as broken, by reason.",
		}, []string{"reason"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signpost_http_requests_total", Help: "Calls of the HTTP API, by method and status.",
		}, []string{"method", "code"}),
	}
	m.registry.MustRegister(requests{m}, m.opened, m.connections, m.refused, m.calls, buildInfo(),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// build is what runs.
func build() (version, goVersion, revision string) {
	version, goVersion, revision = "unknown", "unknown", "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = b.Main.Version, b.GoVersion
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return version, goVersion, revision
}

func buildInfo() prometheus.Collector {
	version, goVersion, revision := build()
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "signpost_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "go": goVersion, "revision": revision},
	})
	g.Set(1)
	return g
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// countCalls counts the calls that h answers.
func (m *Metrics) countCalls(h http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.calls, h)
}

// Requests counts answered requests. Peers choose codes, so unknown ones share
// a label.
func (m *Metrics) Requests(code, result remoting.Code, n int, took time.Duration) {
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
func (m *Metrics) ConnectionOpened() { m.opened.Inc(); m.connections.Inc() }

// ConnectionClosed counts.
func (m *Metrics) ConnectionClosed() { m.connections.Dec() }

// Refused counts what was turned away.
func (m *Metrics) Refused(reason string) { m.refused.WithLabelValues(reason).Inc() }

// state collects what is read when somebody looks.
type state struct{ d *Daemon }

var (
	certDesc     = prometheus.NewDesc("signpost_tls_certificate_expiry_timestamp_seconds", "When the server's certificate ends; absent if there is none.", nil, nil)
	reloadsDesc  = prometheus.NewDesc("signpost_tls_reloads_total", "Changed TLS files, by result.", []string{"result"}, nil)
	accountsDesc = prometheus.NewDesc("signpost_acl_accounts", "Accounts in use; absent if access is not controlled.", nil, nil)
	aclDesc      = prometheus.NewDesc("signpost_acl_reloads_total", "Changed files of accounts, by result.", []string{"result"}, nil)
	mapDesc      = prometheus.NewDesc("signpost_address_map_reloads_total", "Changed address maps, by result.", []string{"result"}, nil)
	listedDesc   = prometheus.NewDesc("signpost_discovery_addresses", "Addresses of NameServers that the address server lists; absent if it is off.", nil, nil)
	namesDesc    = prometheus.NewDesc("signpost_discovery_unresolved_names", "Names of NameServers that DNS did not resolve the last time.", nil, nil)
	readyDesc    = prometheus.NewDesc("signpost_ready", "1 if /readyz says so.", nil, nil)
)

// Describe names all of it.
func (s state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{certDesc, reloadsDesc, accountsDesc, aclDesc, mapDesc, listedDesc, namesDesc, readyDesc} {
		ch <- d
	}
}

// Collect reads the parts of the TCP front.
func (s state) Collect(ch chan<- prometheus.Metric) {
	gauge, counter := Constant(ch, prometheus.GaugeValue), Constant(ch, prometheus.CounterValue)
	tls := s.d.port.Stats()
	if !tls.NotAfter.IsZero() {
		gauge(certDesc, float64(tls.NotAfter.Unix()))
	}
	counter(reloadsDesc, float64(tls.Reloads), "ok")
	counter(reloadsDesc, float64(tls.Failures), "failed")
	if s.d.accounts != nil {
		acl := s.d.accounts.Stats()
		gauge(accountsDesc, float64(acl.Accounts))
		counter(aclDesc, float64(acl.Reloads), "ok")
		counter(aclDesc, float64(acl.Failures), "failed")
	}
	if s.d.shown != nil {
		shown := s.d.shown.Stats()
		counter(mapDesc, float64(shown.Reloads), "ok")
		counter(mapDesc, float64(shown.Failures), "failed")
	}
	if s.d.found != nil {
		found := s.d.found.Stats()
		gauge(listedDesc, float64(found.Listed))
		gauge(namesDesc, float64(found.Unresolved))
	}
	ready := 0.0
	if _, err := s.d.isReady(time.Now()); err == nil {
		ready = 1
	}
	gauge(readyDesc, ready)
}

// Constant sends what was read as metrics of one type.
func Constant(ch chan<- prometheus.Metric, of prometheus.ValueType) func(d *prometheus.Desc, v float64, labels ...string) {
	return func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, of, v, labels...)
	}
}
