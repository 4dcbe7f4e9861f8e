//go:build e2e

package brokers

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signpost/e2e/peers"
)

// TestAdministration has mqadmin do what an operator does, with a broker of
// the same release.
func TestAdministration(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			administrate(t, version)
		})
	}
}

func administrate(t *testing.T, version string) {
	n := startNameServer(t, "orderMessageEnable=true")
	// Without its timer, a broker of 5.x cannot delete a topic.
	b := startBroker(t, version, "broker-a", n.addr, "timerWheelEnable=true", "mappedFileSizeTimerLog=1048576")
	n.awaitRoute(t, brokerTimeout, "TBW102", "broker-a of DefaultCluster at 0="+b.Addr+": r8 w8 perm 7")
	mqadmin := admin{version: version, namesrv: n.addr}
	route := func(perm int, more string) string {
		return fmt.Sprintf("broker-a of DefaultCluster at 0=%s: r4 w4 perm %d%s", b.Addr, perm, more)
	}

	line := regexp.MustCompile(`(?m)^DefaultCluster +broker-a +0 +` + regexp.QuoteMeta(b.Addr) + ` +V` + strings.ReplaceAll(version, ".", "_") + ` `)
	await(t, brokerTimeout, "clusterList, which asks the broker for its version", func() string {
		if out, failure := mqadmin.run(t, "clusterList"); !line.MatchString(out) {
			return "no broker-a in\n" + out + failure
		}
		return ""
	})

	mqadmin.expect(t, []string{"create topic to " + b.Addr + " success."}, "updateTopic", "-c", "DefaultCluster", "-t", "orders", "-r", "4", "-w", "4")
	if got := n.routeTo("orders"); got != route(6, "") {
		t.Errorf("after updateTopic the route is %q", got)
	}
	mqadmin.expectRoute(t, "orders", route(6, ""))
	mqadmin.expect(t, []string{"orders\n", "TBW102\n"}, "topicList")
	mqadmin.expect(t, []string{"DefaultCluster\n"}, "topicClusterList", "-t", "orders")
	if out, failure := mqadmin.run(t, "topicList", "-c"); !regexp.MustCompile(`(?m)^DefaultCluster +orders `).MatchString(out) {
		t.Errorf("topicList -c: no orders of DefaultCluster in\n%s%s", out, failure)
	}

	mqadmin.expect(t, []string{"SEND_OK"}, "sendMessage", "-t", "orders", "-p", "first-order")
	mqadmin.expect(t, []string{"BODY: first-order"}, "consumeMessage", "-t", "orders")

	topics, err := n.topics()
	if err != nil {
		t.Fatal(err)
	}
	done := func(what string) (at []string) {
		for _, addr := range n.addrs() {
			at = append(at, fmt.Sprintf("%s write perm of broker[broker-a] in name server[%s] OK, %d", what, addr, len(topics)))
		}
		return at
	}
	mqadmin.expect(t, done("wipe"), "wipeWritePerm", "-b", "broker-a")
	mqadmin.expectRoute(t, "orders", route(4, ""))
	if out, failure := mqadmin.run(t, "sendMessage", "-t", "orders", "-p", "unwanted"); strings.Contains(out, "SEND_OK") {
		t.Errorf("sendMessage without write permission:\n%s%s", out, failure)
	}
	giver := mqadmin
	if version == peers.V480 { // its mqadmin has no addWritePerm; a newer one's works for its brokers
		mqadmin.expect(t, []string{"success."}, "updateTopic", "-c", "DefaultCluster", "-t", "orders", "-r", "4", "-w", "4")
		mqadmin.expectRoute(t, "orders", route(4, ""))
		giver.version = peers.V497
	}
	giver.expect(t, done("add"), "addWritePerm", "-b", "broker-a")
	mqadmin.expectRoute(t, "orders", route(6, ""))
	mqadmin.expect(t, []string{"SEND_OK"}, "sendMessage", "-t", "orders", "-p", "second-order")
	mqadmin.expect(t, []string{"BODY: first-order", "BODY: second-order"}, "consumeMessage", "-t", "orders")

	mqadmin.expect(t, []string{"create or update kv config to namespace success."}, "updateKvConfig", "-s", "site", "-k", "name", "-v", "Köln=1")
	if got := n.kv("site", "name"); got != "Köln=1" {
		t.Errorf("after updateKvConfig the value is %q", got)
	}
	mqadmin.expect(t, []string{"delete kv config from namespace success."}, "deleteKvConfig", "-s", "site", "-k", "name")
	if got := n.kv("site", "name"); got != "none" {
		t.Errorf("after deleteKvConfig the value is %q", got)
	}

	mqadmin.expect(t, []string{"orderConf=[broker-a:4]"}, "updateOrderConf", "-m", "put", "-t", "orders", "-v", "broker-a:4")
	mqadmin.expect(t, []string{"orderConf=[broker-a:4]"}, "updateOrderConf", "-m", "get", "-t", "orders")
	mqadmin.expectRoute(t, "orders", route(6, "; order broker-a:4"))
	// The answer to its next registration tells the broker.
	mqadmin.expect(t, []string{"success."}, "updateTopic", "-b", b.Addr, "-t", "other")
	await(t, soon, "the broker to learn that orders is ordered", func() string { return unordered(b, "orders") })
	mqadmin.expect(t, []string{"delete orderConf success."}, "updateOrderConf", "-m", "delete", "-t", "orders")
	if got := n.routeTo("orders"); got != route(6, "") {
		t.Errorf("after updateOrderConf -m delete the route is %q", got)
	}

	mqadmin.expect(t, []string{"from cluster [DefaultCluster] success.", "from NameServer success."}, "deleteTopic", "-c", "DefaultCluster", "-t", "orders")
	if got := n.routeTo("orders"); got != "no route" {
		t.Errorf("after deleteTopic the route is %q", got)
	}
	// The broker registers all it has: the deleted topic stays away.
	mqadmin.expect(t, []string{"success."}, "updateTopic", "-c", "DefaultCluster", "-t", "yet-another")
	if out, failure := mqadmin.run(t, "topicList"); strings.Contains(out, "orders\n") || !strings.Contains(out, "yet-another\n") {
		t.Errorf("topicList after deleteTopic:\n%s%s", out, failure)
	}

	config, failure := mqadmin.run(t, "getNamesrvConfig")
	for key, value := range n.configured() {
		if !regexp.MustCompile(`(?m)^` + key + ` += +` + regexp.QuoteMeta(value) + `$`).MatchString(config) {
			t.Errorf("getNamesrvConfig: no %s with %s in\n%s%s", key, value, config, failure)
		}
	}
}

// unordered says why the broker does not know yet that the topic is ordered.
func unordered(b *peers.Process, topic string) string {
	table := fetchText(filepath.Join(b.Dir, "store", "config", "topics.json"))
	entry := regexp.MustCompile(`"` + topic + `":\s*\{[^}]*\}?[^}]*\}`).FindString(table)
	if !regexp.MustCompile(`"order":\s*true`).MatchString(entry) {
		return fmt.Sprintf("topics.json has %s", entry)
	}
	return ""
}
