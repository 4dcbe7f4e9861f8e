//go:build e2e

package brokers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signpost/e2e/peers"
	"signpost/internal/remoting"
)

// TestBrokerWithManyTopics: a broker whose registration is longer than a Java
// NameServer takes. (Not parallel: the broker's heap is set by the
// environment, and it keeps a processor busy.)
func TestBrokerWithManyTopics(t *testing.T) {
	const topics = 60_000
	name := func(i int) string { return fmt.Sprintf("topic-%05d-%s", i, strings.Repeat("long", 15)) }
	store := filepath.Join(t.TempDir(), "store")
	if err := os.MkdirAll(filepath.Join(store, "config"), 0o755); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString(`{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},"topicConfigTable":{`)
	for i := range topics {
		if i > 0 {
			table.WriteByte(',')
		}
		fmt.Fprintf(&table, `"%[1]s":{"attributes":{},"order":false,"perm":6,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"%[1]s","topicSysFlag":0,"writeQueueNums":2}`, name(i))
	}
	table.WriteString(`}}`)
	if err := os.WriteFile(filepath.Join(store, "config", "topics.json"), []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}

	n := startNameServer(t)
	line := startTap(t, n)
	t.Setenv("PEER_HEAP", "768m")
	b := startBroker(t, peers.V533, "broker-a", line.addr, "registerNameServerPeriod=10000", "storePathRootDir="+store, "storePathCommitLog="+filepath.Join(store, "commitlog"))
	route := "broker-a of DefaultCluster at 0=" + b.Addr + ": r2 w2 perm 6"
	n.awaitRoute(t, brokerTimeout, name(0), route)
	if first := line.all(remoting.RegisterBroker)[0]; len(first.body) <= remoting.DefaultFrameLimit {
		t.Errorf("the registration has only %d bytes", len(first.body))
	}
	expectAll := func(when string) {
		t.Helper()
		all, err := n.topics()
		if err != nil || len(all) < topics {
			t.Errorf("%s: %d topics, want at least %d; %v", when, len(all), topics, err)
		}
		if got := n.routeTo(name(topics - 1)); got != route {
			t.Errorf("%s: the route of %s is %q", when, name(topics-1), got)
		}
	}
	expectAll("after the registration")
	if out, failure := (admin{version: peers.V533, namesrv: n.addr}).run(t, "topicList"); strings.Count(out, "\ntopic-") < topics-1 {
		t.Errorf("topicList prints %d of %d topics\n%s", strings.Count(out, "\ntopic-"), topics, failure)
	}

	n.settle(t)
	n.kill9(t)
	n.start(t)
	expectAll("after kill -9 and start")

	registered := line.count(remoting.RegisterBroker)
	await(t, 4*period, "the broker to register twice more", func() string {
		if more := line.count(remoting.RegisterBroker) - registered; more < 2 {
			return fmt.Sprintf("%d times so far", more)
		}
		return ""
	})
	expectAll("after more registrations")
}
