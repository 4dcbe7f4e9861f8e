//go:build e2e

package brokers

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"signpost/e2e/functions/stack"
	"signpost/e2e/peers"
)

// startDiscovered starts a NameServer that is its own address server, and
// returns where that is. Of shims one is, for all.
func startDiscovered(t *testing.T) (n *nameServer, domain string) {
	t.Helper()
	var fronts []*front
	if *shims > 0 {
		c := startCloud(t, stack.Options{})
		for range *shims {
			fronts = append(fronts, newShim(t, c, fast...))
		}
	} else {
		f := newFront(t, "NameServer", binary, t.TempDir())
		f.props = append(f.props, "store="+f.kept, "kvConfigPath="+f.dir+"/kvConfig.json")
		fronts = append(fronts, f)
	}
	n = together(fronts...)
	domain = net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))
	fronts[0].props = append(fronts[0].props, "discoveryAddr="+domain, "discoveryServers="+n.addr)
	for _, f := range fronts {
		f.start(t)
	}
	return n, domain
}

// TestDiscovery has a broker and clients that were given no NameServer find it
// by its address server. It is not parallel: all Java programs inherit the
// domain.
func TestDiscovery(t *testing.T) {
	for _, version := range []string{peers.V497, peers.V533} {
		t.Run(version, func(t *testing.T) {
			n, domain := startDiscovered(t)
			t.Setenv("JAVA_TOOL_OPTIONS", "-Drocketmq.namesrv.domain="+domain)
			b := startBroker(t, version, "found", "", "fetchNamesrvAddrByAddressServer=true", "registerNameServerPeriod=10000")
			// It looks for the first time 10 s after its start.
			n.awaitRoute(t, brokerTimeout, "TBW102", "found of DefaultCluster at 0="+b.Addr+": r8 w8 perm 7")
			admin{version: version, namesrv: n.addr}.expect(t, []string{b.Addr}, "updateTopic", "-b", b.Addr, "-t", "looked-up", "-r", "4", "-w", "4")
			n.awaitRoute(t, brokerTimeout, "looked-up", "found of DefaultCluster at 0="+b.Addr+": r4 w4 perm 6")

			consumer := startConsumer(t, version, "", "looked-up", "consumers")
			producer := client(t, version, "Producer", "", "looked-up", "m")
			awaitSends(t, producer, 3)
			awaitMessages(t, brokerTimeout, consumer, sent(producer))
		})
	}
}

// TestBrokerBehindNAT has a broker advertise an address that nobody reaches, and
// clients of a network for which another one is shown use it.
func TestBrokerBehindNAT(t *testing.T) {
	t.Parallel()
	const inside = "192.0.2.1" // reserved for examples
	path := t.TempDir() + "/map"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[127.0.0.0/8 ::1/128]\n" + inside + " = 127.0.0.1\n")
	n := startNameServer(t, "addressMapFile="+path)
	b := startBroker(t, peers.V533, "hidden", n.addr, "brokerIP1="+inside, "registerNameServerPeriod=10000")
	_, port, err := net.SplitHostPort(b.Addr)
	if err != nil {
		t.Fatal(err)
	}
	outside := net.JoinHostPort("127.0.0.1", port)
	n.awaitRoute(t, brokerTimeout, "TBW102", fmt.Sprintf("hidden of DefaultCluster at 0=%s: r8 w8 perm 7", outside))
	mqadmin := admin{version: peers.V533, namesrv: n.addr}
	mqadmin.expect(t, []string{outside}, "clusterList")
	mqadmin.expect(t, []string{outside}, "updateTopic", "-c", "DefaultCluster", "-t", "through")

	consumer := startConsumer(t, peers.V497, n.addr, "through", "consumers")
	producer := client(t, peers.V533, "Producer", n.addr, "through", "m")
	awaitSends(t, producer, 3)
	awaitMessages(t, brokerTimeout, consumer, sent(producer))

	// The file is all that shows it so.
	write("[127.0.0.0/8]\n198.51.100.1 = 127.0.0.1\n")
	n.awaitRoute(t, soon, "through", fmt.Sprintf("hidden of DefaultCluster at 0=%s: r8 w8 perm 6", net.JoinHostPort(inside, port)))
}
