//go:build e2e

package brokers

import (
	"fmt"
	"strings"
	"testing"

	"signpost/e2e/peers"
	"signpost/internal/remoting"
)

// TestRestart ends the NameServer again and again and starts it with the same
// port and files, while a producer sends and a consumer receives.
//
// The broker registers once a minute only, so what is routed right after a
// start is what the NameServer has kept.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			restart(t, version)
		})
	}
}

func restart(t *testing.T, version string) {
	n := startNameServer(t)
	b := startBroker(t, version, "broker-a", n.addr, "registerNameServerPeriod=60000")
	n.awaitRoute(t, brokerTimeout, "TBW102", "broker-a of DefaultCluster at 0="+b.Addr+": r8 w8 perm 7")
	mqadmin := admin{version: version, namesrv: n.addr}
	topic := func(name string) { mqadmin.expect(t, []string{"success."}, "updateTopic", "-b", b.Addr, "-t", name) }
	topic("events")
	route := "broker-a of DefaultCluster at 0=" + b.Addr + ": r8 w8 perm 6"
	n.awaitRoute(t, soon, "events", route)

	consumer := startConsumer(t, version, n.addr, "events", "consumers")
	producer := client(t, version, "Producer", n.addr, "events", "steady-")
	awaitSends(t, producer, 10)

	// Each restart comes right after a change was answered.
	ends := []struct {
		name   string
		end    func(*testing.T)
		change func(name string)
	}{
		{"kill-9", n.kill9, topic},
		{"kill-9-again", n.kill9, func(name string) {
			put := []remoting.Field{{Key: "namespace", Value: "restart"}, {Key: "key", Value: name}, {Key: "value", Value: "kept"}}
			if answer, err := n.ask(remoting.PutKVConfig, nil, put...); err != nil || answer.Code != remoting.Success {
				t.Fatalf("put KV: code %d %s, %v", answer.Code, answer.Remark, err)
			}
			topic(name)
		}},
		{"SIGTERM", n.stop, topic},
	}
	for _, e := range ends {
		e.change(e.name)
		n.settle(t)
		e.end(t)
		n.start(t)
		for _, name := range []string{"events", e.name} {
			if got := n.routeTo(name); got != route {
				t.Errorf("%s: the first answer about %s is %q, want %q", e.name, name, got, route)
			}
		}
		body := "first-after-" + e.name
		if got := sendFresh(t, producer, body); !strings.HasPrefix(got, "ok ") {
			t.Errorf("%s: a new producer: %s", e.name, got)
		}
		awaitSends(t, producer, 25)
	}
	if got := n.kv("restart", "kill-9-again"); got != "kept" {
		t.Errorf("the KV value set before kill -9 is %q", got)
	}
	if failed := producer.lines("failed"); len(failed) > 0 {
		t.Errorf("%d sends failed, the first: %s", len(failed), failed[0])
	}
	awaitMessages(t, soon+brokerTimeout, consumer, sent(producer))

	// The broker's own registration finds everything as it is.
	topic("last")
	for _, name := range []string{"events", "SIGTERM", "last"} {
		if got := n.routeTo(name); got != route {
			t.Errorf("after the broker registered again the route of %s is %q, want %q", name, got, route)
		}
	}
}

// TestWipedPermissionSurvivesRestart: what an administrator has said of a
// broker is kept as its routes are, until the broker says otherwise.
func TestWipedPermissionSurvivesRestart(t *testing.T) {
	t.Parallel()
	n := startNameServer(t)
	b := startBroker(t, peers.V497, "broker-a", n.addr, "registerNameServerPeriod=10000")
	route := func(perm int) string {
		return fmt.Sprintf("broker-a of DefaultCluster at 0=%s: r8 w8 perm %d", b.Addr, perm)
	}
	n.awaitRoute(t, brokerTimeout, "TBW102", route(7))
	admin{version: peers.V497, namesrv: n.addr}.expect(t, []string{"OK"}, "wipeWritePerm", "-b", "broker-a")
	n.kill9(t)
	n.start(t)
	if got := n.routeTo("TBW102"); got != route(5) {
		t.Errorf("after wipeWritePerm and kill -9 the route is %q", got)
	}
	// An unchanged registration, at the NameServer that was started anew,
	// does not undo it.
	const registrations = `signpost_request_seconds_count{code="REGISTER_BROKER",result="0"}`
	await(t, 4*period, "a registration", func() string {
		if len(n.metrics(t, registrations)) < len(n.fronts) {
			return "none since the restart"
		}
		return ""
	})
	if got := n.routeTo("TBW102"); got != route(5) {
		t.Errorf("after an unchanged registration the route is %q", got)
	}
}
