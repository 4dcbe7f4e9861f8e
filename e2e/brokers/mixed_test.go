//go:build e2e

package brokers

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"signpost/e2e/peers"
)

// TestMixedReleases puts brokers of three releases in one cluster, has clients
// of each use them all, and takes the brokers away in three ways.
func TestMixedReleases(t *testing.T) {
	t.Parallel()
	const lease = 2 * period
	n := startNameServer(t, fmt.Sprint("brokerTimeoutMillis=", lease.Milliseconds()))
	line := startTap(t, n)
	addrs := map[string]string{}
	started := map[string]*peers.Process{}
	for _, version := range versions {
		namesrv := n.addr
		if version == peers.V533 {
			namesrv = line.addr
		}
		b := startBroker(t, version, "broker-"+version, namesrv, "registerNameServerPeriod=10000")
		started[version], addrs[version] = b, b.Addr
	}
	route := func(perm int, versions ...string) string {
		if len(versions) == 0 {
			return "no route"
		}
		var parts []string
		for _, v := range versions {
			parts = append(parts, fmt.Sprintf("broker-%s of DefaultCluster at 0=%s: r8 w8 perm %d", v, addrs[v], perm))
		}
		return strings.Join(parts, "; ")
	}
	n.awaitRoute(t, brokerTimeout, "TBW102", route(7, versions...))
	mqadmin := admin{version: peers.V480, namesrv: n.addr}
	mqadmin.expect(t, []string{addrs[peers.V480], addrs[peers.V497], addrs[peers.V533]}, "updateTopic", "-c", "DefaultCluster", "-t", "mixed")
	n.awaitRoute(t, soon, "mixed", route(6, versions...))
	for _, version := range versions {
		admin{version: version, namesrv: n.addr}.expectRoute(t, "mixed", route(6, versions...))
	}

	var bodies []string
	for _, version := range versions {
		producer := client(t, version, "Producer", n.addr, "mixed", version+"-")
		await(t, brokerTimeout, producer.name+" to send to all brokers", func() string {
			out := producer.output()
			for _, v := range versions {
				if !strings.Contains(out, " broker-"+v+" SEND_OK") {
					return "nothing to broker-" + v
				}
			}
			return ""
		})
		producer.end(t, syscall.SIGKILL)
		if failed := producer.lines("failed"); len(failed) > 0 {
			t.Errorf("%s: %s", producer.name, failed[0])
		}
		bodies = append(bodies, sent(producer)...)
	}
	for _, version := range versions {
		consumer := startConsumer(t, version, n.addr, "mixed", "consumers-"+strings.ReplaceAll(version, ".", "-"))
		awaitMessages(t, brokerTimeout, consumer, bodies)
		consumer.end(t, syscall.SIGKILL)
	}

	// A process that dies closes its connection: its routes go at once, and not
	// when its time is over.
	if err := started[peers.V480].Kill9(); err != nil {
		t.Fatal(err)
	}
	n.awaitRoute(t, (lease-period)/2, "mixed", route(6, peers.V497, peers.V533))

	// One that hangs, or cannot be reached, does not: they go when their time
	// is over.
	freeze(t, started[peers.V497])
	close(line.cut)
	if got, want := n.routeTo("mixed"), route(6, peers.V497, peers.V533); got != want {
		t.Errorf("right after a broker froze and a line was cut the route is %q, want %q", got, want)
	}
	n.awaitRoute(t, 2*lease, "mixed", "no route")

	thaw(t, started[peers.V497])
	n.awaitRoute(t, 3*period, "mixed", route(6, peers.V497))
}
