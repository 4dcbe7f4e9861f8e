//go:build e2e

package brokers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signpost/e2e/peers"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// TestBrokersThatAskFirst: brokers with forceRegister=false register only when
// the NameServer says that it does not know what they have, and live by asking.
// They deflate what they send, 5.3.3 without saying so.
func TestBrokersThatAskFirst(t *testing.T) {
	t.Parallel()
	const lease = 2 * period
	n := startNameServer(t, fmt.Sprint("brokerTimeoutMillis=", lease.Milliseconds()))
	lines := map[string]*tap{}
	var route []string
	for _, version := range versions {
		lines[version] = startTap(t, n)
		b := startBroker(t, version, "broker-"+version, lines[version].addr,
			"forceRegister=false", "compressedRegister=true", "registerNameServerPeriod=10000")
		route = append(route, fmt.Sprintf("broker-%s of DefaultCluster at 0=%s: r8 w8 perm ", version, b.Addr))
	}
	all := func(perm string) string { return strings.Join(route, perm+"; ") + perm }
	n.awaitRoute(t, brokerTimeout, "TBW102", all("7"))
	for version, line := range lines {
		for _, r := range line.all(remoting.RegisterBroker) {
			if len(r.body) == 0 || r.body[0] != 0x78 {
				t.Errorf("%s sent a body that is not deflated: %.100q", version, r.body)
			}
			said, _ := r.ext.Get("compressed")
			if want := fmt.Sprint(version != peers.V533); said != want {
				t.Errorf("%s said compressed=%s, want %s: has it changed?", version, said, want)
			}
		}
	}

	registered, asked := map[string]int{}, map[string]int{}
	for version, line := range lines {
		registered[version], asked[version] = line.count(remoting.RegisterBroker), line.count(remoting.QueryDataVersion)
	}
	await(t, 3*lease, "three questions of each broker", func() string {
		for version, line := range lines {
			if more := line.count(remoting.QueryDataVersion) - asked[version]; more < 3 {
				return fmt.Sprintf("%d of %s", more, version)
			}
		}
		return ""
	})
	for version, line := range lines {
		// A broker takes an answer that comes late for a change.
		more, questions := line.count(remoting.RegisterBroker)-registered[version], line.count(remoting.QueryDataVersion)-asked[version]
		if more > questions/2 {
			t.Errorf("%s asked %d times and registered %d times though nothing had changed", version, questions, more)
		}
	}
	if got := n.routeTo("TBW102"); got != all("7") {
		t.Errorf("of brokers that only ask, the route is %q, want %q", got, all("7"))
	}

	admin{version: peers.V533, namesrv: n.addr}.expect(t, []string{"success."}, "updateTopic", "-c", "DefaultCluster", "-t", "new")
	n.awaitRoute(t, soon, "new", all("6"))

	// A NameServer that has lost its files asks for everything again.
	n.kill9(t)
	n.forget(t)
	n.start(t)
	n.awaitRoute(t, 3*period, "new", all("6"))
}

// TestRegistrationInParts: brokers of 5.3.3 with enableSplitRegistration send
// a few topics at a time, those with enableSingleTopicRegister send a new
// topic by request code 217.
func TestRegistrationInParts(t *testing.T) {
	t.Parallel()
	n := startNameServer(t)
	parts, single := startTap(t, n), startTap(t, n)
	a := startBroker(t, peers.V533, "broker-a", parts.addr, "enableSplitRegistration=true", "splitRegistrationSize=3", "registerNameServerPeriod=10000")
	b := startBroker(t, peers.V533, "broker-b", single.addr, "enableSingleTopicRegister=true")
	route := func(perm int) string {
		return fmt.Sprintf("broker-a of DefaultCluster at 0=%s: r8 w8 perm %d; broker-b of DefaultCluster at 0=%s: r8 w8 perm %d", a.Addr, perm, b.Addr, perm)
	}
	n.awaitRoute(t, brokerTimeout, "TBW102", route(7))
	admin{version: peers.V533, namesrv: n.addr}.expect(t, []string{a.Addr, b.Addr}, "updateTopic", "-c", "DefaultCluster", "-t", "new")
	n.awaitRoute(t, soon, "new", route(6))
	if single.count(remoting.RegisterTopicInNameServer) == 0 {
		t.Error("broker-b has not registered its new topic by itself")
	}

	// After a round of parts, all parts are routed.
	before := parts.count(remoting.RegisterBroker)
	var seen []string
	await(t, 3*period, "broker-a to send all of its topics again", func() string {
		seen = topicsIn(t, parts.all(remoting.RegisterBroker)[before:])
		for _, name := range []string{"new", "TBW102", "SELF_TEST_TOPIC"} {
			if !slices.Contains(seen, name) {
				return fmt.Sprintf("%s is not among %v", name, seen)
			}
		}
		return ""
	})
	routed, err := n.topics()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range seen {
		if !slices.Contains(routed, name) {
			t.Errorf("%s has been registered and is not among %v", name, routed)
		}
	}
	if got := n.routeTo("new"); got != route(6) {
		t.Errorf("after a registration in parts the route is %q, want %q", got, route(6))
	}
}

// topicsIn are the topics in registrations of 5.3.3, each of which has to be small.
func topicsIn(t *testing.T, registrations []tapped) []string {
	t.Helper()
	var names []string
	for _, r := range registrations {
		content, err := wire.DecodeRegistration(r.body, wire.Options{Version: remoting.V5_3_3})
		if err != nil {
			t.Fatal(err)
		}
		if len(content.Topics) > 3 {
			t.Errorf("a part has %d topics", len(content.Topics))
		}
		for _, topic := range content.Topics {
			names = append(names, topic.Name)
		}
	}
	return names
}
