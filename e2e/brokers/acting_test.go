//go:build e2e

package brokers

import (
	"fmt"
	"regexp"
	"syscall"
	"testing"

	"signpost/e2e/peers"
)

// TestActingMaster: with brokers that agree to it, a slave stands in for a
// master that is gone, and is told so.
func TestActingMaster(t *testing.T) {
	t.Parallel()
	n := startNameServer(t, "supportActingMaster=true", "notifyMinBrokerIdChanged=true")
	// The slave asks for its group once an hour: what it learns, it is told.
	// One broker heartbeats by code 322, the other by 904.
	common := []string{"enableSlaveActingMaster=true", "brokerNotActiveTimeoutMillis=4000", "registerNameServerPeriod=10000"}
	master := startBroker(t, peers.V533, "broker-a", n.addr, common...)
	n.awaitRoute(t, brokerTimeout, "TBW102", "broker-a of DefaultCluster at 0="+master.Addr+": r8 w8 perm 7")
	mqadmin := admin{version: peers.V533, namesrv: n.addr}
	mqadmin.expect(t, []string{master.Addr + " success."}, "updateTopic", "-c", "DefaultCluster", "-t", "events")

	slave := startBroker(t, peers.V533, "broker-a", n.addr, append(common, "brokerId=1", "brokerRole=SLAVE", "slaveReadEnable=true",
		"compatibleWithOldNameSrv=false", "syncBrokerMemberGroupPeriod=3600000")...)
	both := "broker-a of DefaultCluster at 0=" + master.Addr + " 1=" + slave.Addr + ": r8 w8 perm "
	acting := "broker-a of DefaultCluster at 0=" + slave.Addr + ": r8 w8 perm "
	n.awaitRoute(t, brokerTimeout, "events", both+"6")
	producer := client(t, peers.V533, "Producer", n.addr, "events", "before-")
	awaitSends(t, producer, 20)
	producer.end(t, syscall.SIGKILL)
	bodies := sent(producer)
	awaitCopies(t, slave, "events", bodies[len(bodies)-1])

	if err := master.Kill9(); err != nil {
		t.Fatal(err)
	}
	n.awaitRoute(t, soon, "events", acting+"4")
	mqadmin.expectRoute(t, "events", acting+"4")
	awaitNotice(t, slave, 1, 1)
	consumer := startConsumer(t, peers.V533, n.addr, "events", "consumers")
	awaitMessages(t, brokerTimeout, consumer, bodies)
	consumer.end(t, syscall.SIGKILL)

	master = startBroker(t, peers.V533, "broker-a", n.addr, append(common, again(master)...)...)
	n.awaitRoute(t, brokerTimeout, "events", both+"6")
	awaitNotice(t, slave, 0, 1)

	// Between their registrations heartbeats keep them alive. A master that
	// hangs goes by its own timeout.
	freeze(t, master)
	n.awaitRoute(t, soon, "events", acting+"4")
	awaitNotice(t, slave, 1, 2)
	thaw(t, master)
	n.awaitRoute(t, 3*period, "events", both+"6")
	awaitNotice(t, slave, 0, 2)
}

// awaitNotice waits until the broker has been told for the given number of
// times that this is now the smallest id in its group, which it logs (Java:
// AdminBrokerProcessor.notifyMinBrokerIdChange).
func awaitNotice(t *testing.T, b *peers.Process, id, times int) {
	t.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^min broker id changed, prev \d+, new %d$`, id))
	await(t, soon, fmt.Sprintf("the notice that %d is the smallest id", id), func() string {
		if got := len(line.FindAllString(b.Output(), -1)); got < times {
			return fmt.Sprintf("%d of %d came", got, times)
		}
		return ""
	})
}
