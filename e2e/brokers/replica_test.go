//go:build e2e

package brokers

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signpost/e2e/peers"
)

// TestMasterAndSlave: the NameServer's answers bring a slave to its master,
// and clients to the slave when the master is gone.
func TestMasterAndSlave(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			masterAndSlave(t, version)
		})
	}
}

func masterAndSlave(t *testing.T, version string) {
	n := startNameServer(t)
	master := startBroker(t, version, "broker-a", n.addr)
	const queues = ": r8 w8 perm "
	n.awaitRoute(t, brokerTimeout, "TBW102", "broker-a of DefaultCluster at 0="+master.Addr+queues+"7")
	admin{version: version, namesrv: n.addr}.expect(t, []string{"create topic to " + master.Addr + " success."}, "updateTopic", "-c", "DefaultCluster", "-t", "events")
	slave := startBroker(t, version, "broker-a", n.addr, "brokerId=1", "brokerRole=SLAVE", "slaveReadEnable=true")
	both := "broker-a of DefaultCluster at 0=" + master.Addr + " 1=" + slave.Addr + queues + "6"
	n.awaitRoute(t, brokerTimeout, "events", both)

	producer := client(t, version, "Producer", n.addr, "events", "before-")
	awaitSends(t, producer, 20)
	producer.end(t, syscall.SIGKILL)
	bodies := sent(producer)
	awaitCopies(t, slave, "events", bodies[len(bodies)-1])

	if err := master.Kill9(); err != nil {
		t.Fatal(err)
	}
	n.awaitRoute(t, soon, "events", "broker-a of DefaultCluster at 1="+slave.Addr+queues+"6")
	consumer := startConsumer(t, version, n.addr, "events", "consumers")
	awaitMessages(t, brokerTimeout, consumer, bodies) // from the slave
	consumer.end(t, syscall.SIGKILL)

	startBroker(t, version, "broker-a", n.addr, again(master)...)
	n.awaitRoute(t, brokerTimeout, "events", both)
	producer = client(t, version, "Producer", n.addr, "events", "after-")
	awaitSends(t, producer, 5)
	if failed := producer.lines("failed"); len(failed) > 0 {
		t.Errorf("sending to the master that came back: %s", failed[0])
	}
	if err := slave.Stop(); err != nil { // it unregisters
		t.Error(err)
	}
	n.awaitRoute(t, soon, "events", "broker-a of DefaultCluster at 0="+master.Addr+queues+"6")
}

// awaitCopies waits until a slave has copied what its master has: topics from
// the address in the answer to its registration, messages from the HA address.
func awaitCopies(t *testing.T, slave *peers.Process, topic, body string) {
	t.Helper()
	await(t, brokerTimeout, "the slave to learn its master's addresses and copy what it has", func() string {
		if table := fetchText(filepath.Join(slave.Dir, "store", "config", "topics.json")); !strings.Contains(table, `"`+topic+`"`) {
			return "no topic " + topic + " in " + table
		}
		files, err := filepath.Glob(filepath.Join(slave.Dir, "store", "commitlog", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.Contains(fetchText(f), body) {
				return ""
			}
		}
		return "no message " + body + " in its commit log"
	})
}
