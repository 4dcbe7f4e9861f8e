package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signpost/core"
	"signpost/internal/daemon"
)

// eventCounter counts what happens.
type eventCounter struct{ *prometheus.CounterVec }

func newEventCounter() eventCounter {
	c := eventCounter{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "signpost_events_total", Help: "Changes of state by kind; BrokerEvicted are the evictions.",
	}, []string{"kind"})}
	for _, k := range []core.EventKind{core.BrokerRegistered, core.BrokerUnregistered, core.BrokerEvicted, core.MasterChanged,
		core.TopicRouteChanged, core.BrokerNameConflict, core.MassExpiryHeld} {
		c.WithLabelValues(string(k))
	}
	return c
}

func (c eventCounter) count(k core.EventKind) { c.WithLabelValues(string(k)).Inc() }

// collector collects what is read of registry and store when somebody looks.
type collector struct {
	a      *app
	events eventCounter
}

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
)

// Describe names all of it.
func (s collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{brokersDesc, groupsDesc, topicsDesc, revisionDesc, snapshotDesc, commitsDesc, skewDesc, unitsDesc, fileDesc} {
		ch <- d
	}
	s.events.Describe(ch)
}

// Collect reads the registry and the store.
func (s collector) Collect(ch chan<- prometheus.Metric) {
	s.events.Collect(ch)
	gauge := daemon.Constant(ch, prometheus.GaugeValue)
	ctx, cancel := context.WithTimeout(context.Background(), daemon.HandlerTime)
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
}

// collectAlive counts brokers and topics.
func (s collector) collectAlive(ctx context.Context, now time.Time, ch chan<- prometheus.Metric) {
	gauge := daemon.Constant(ch, prometheus.GaugeValue)
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
func (s collector) collectDisk(now time.Time, ch chan<- prometheus.Metric) {
	gauge, counter := daemon.Constant(ch, prometheus.GaugeValue), daemon.Constant(ch, prometheus.CounterValue)
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
