//go:build e2e

package acl

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"signpost/e2e/peers"
	"signpost/internal/remoting"
)

// The secrets of the accounts with these names.
const (
	brokers   = "secret of brokers"
	apps      = "secret-of-apps"
	operators = "secret-of-operators"
)

func accountText(key, secret, permissions string) string {
	return fmt.Sprintf("  - accessKey: %s\n    secretKey: %s\n    permissions: [%s]\n", key, secret, permissions)
}

var (
	standing = "accounts:\n" + accountText("operators", operators, "read, admin")
	// unsigned is for the broker that cannot sign.
	unsigned = "globalWhiteRemoteAddresses:\n  - address: 127.0.0.2\n    permissions: [read, register]\n"
	first    = standing + accountText("brokers", brokers, "read, register") + accountText("apps", apps, "read") + unsigned
)

// TestAccess has brokers, clients and mqadmin do what they may and what they
// may not, and changes the accounts meanwhile.
func TestAccess(t *testing.T) {
	n := startNameServer(t, first)
	signing := startBroker(t, peers.V533, "broker-a", "zone-1", n.addr, append(credentials("brokers", brokers),
		// It beats each second, by code 322, and is gone when it is not heard of for 10 s.
		"enableSlaveActingMaster=true", "brokerNotActiveTimeoutMillis=10000")...)
	// The clients' topics are made on the other broker.
	startBroker(t, peers.V497, "broker-b", "", relay(t, n.addr, "127.0.0.2"), "autoCreateTopicEnable=false")
	n.awaitBroker("broker-a", true)
	n.awaitBroker("broker-b", true)

	t.Run("clients", func(t *testing.T) { testClients(t, n) })
	t.Run("mqadmin", func(t *testing.T) { testMQAdmin(t, n) })

	// A broker with an account that may only read, and then may more.
	startBroker(t, peers.V533, "broker-c", "", n.addr, credentials("apps", apps)...)
	n.awaitMetric("the registration of an account that may read to be refused", `signpost_request_seconds_count{code="REGISTER_BROKER",result="16"}`)
	if n.knows("broker-c") {
		t.Error("an account that may read has registered a broker")
	}
	n.write(standing + accountText("apps", apps, "read, register") + unsigned) // and without the other brokers' account
	n.awaitBroker("broker-c", true)
	n.awaitBroker("broker-a", false)
	if code, text := n.route("brokers", brokers, everywhere); code != remoting.NoPermission || text != "User:brokers is not found." {
		t.Errorf("who is not named any more is answered %v %q", code, text)
	}
	n.write("accounts: [") // broken: nothing changes
	await(t, soon, "a broken file to be seen", func() string {
		if n.metric(`signpost_acl_reloads_total{result="failed"}`) != "1" {
			return "not yet"
		}
		return ""
	})
	if !n.knows("broker-c") || !n.knows("broker-b") {
		t.Error("brokers are gone with a broken file")
	}
	n.write(first)
	n.awaitBroker("broker-a", true)

	for _, text := range []string{n.said(), signing.Output()} {
		for _, secret := range []string{brokers, apps, operators, "Signature"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the log:\n%s", secret, text)
			}
		}
	}
}

func testClients(t *testing.T, n *nameServer) {
	for _, c := range []struct {
		name, version string
		options       []string
		credentials   []string
		want          []string
		reason        string
	}{
		{name: "good", version: peers.V497, credentials: []string{"apps", apps}, want: []string{"sent\n", "got hello "}},
		{name: "good", version: peers.V533, credentials: []string{"apps", apps}, want: []string{"sent\n", "got hello "}},
		// What its zone adds to a request is not signed.
		{name: "zone", version: peers.V533, options: []string{"-Drocketmq.zone=zone-1", "-Drocketmq.zone.mode=true"},
			credentials: []string{"apps", apps}, want: []string{"sent\n", "got hello "}},
		{name: "binary", version: peers.V533, options: []string{"-Drocketmq.serialize.type=ROCKETMQ"},
			credentials: []string{"apps", apps}, want: []string{"sent\n", "got hello "}},
		{name: "secret", version: peers.V497, credentials: []string{"apps", "another-secret"}, want: []string{"failed ", "No route info of this topic"}, reason: "signature"},
		{name: "secret", version: peers.V533, credentials: []string{"apps", "another-secret"}, want: []string{"failed ", "No route info of this topic"}, reason: "signature"},
		{name: "unsigned", version: peers.V497, want: []string{"failed ", "No route info of this topic"}, reason: "no account"},
		{name: "unknown", version: peers.V533, credentials: []string{"nobody", apps}, want: []string{"failed ", "No route info of this topic"}, reason: "unknown account"},
	} {
		counted := `signpost_refused_total{reason="acl: ` + c.reason + `"}`
		before := n.metric(counted)
		ctx, cancel := context.WithTimeout(t.Context(), javaTimeout)
		topic := c.name + "-" + strings.ReplaceAll(c.version, ".", "-")
		out, err := java(ctx, c.version, t.TempDir(), c.options, "Client", append([]string{n.addr, topic}, c.credentials...)...)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in what it printed:\n%s", topic, want, out)
			}
		}
		if c.reason != "" && n.metric(counted) == before {
			t.Errorf("%s: no refusal is counted as %q", topic, c.reason)
		}
	}
}

func testMQAdmin(t *testing.T, n *nameServer) {
	for _, version := range []string{peers.V497, peers.V533} {
		for _, c := range []struct {
			account, secret string
			args            []string
			want            string
		}{
			{"operators", operators, []string{"wipeWritePerm", "-b", "broker-a"}, "wipe write perm of broker[broker-a] in name server[" + n.addr + "] OK"},
			{"operators", operators, []string{"addWritePerm", "-b", "broker-a"}, "add write perm of broker[broker-a] in name server[" + n.addr + "] OK"},
			{"operators", "another-secret", []string{"topicRoute", "-t", "TBW102"}, "check signature failed."},
			{"", "", []string{"topicRoute", "-t", "TBW102"}, "username cannot be null."},
			{"apps", apps, []string{"wipeWritePerm", "-b", "broker-a"}, "User:apps has no permission to access NameServer:admin from 127.0.0.1, no matched policies."},
		} {
			if out := n.mqadmin(version, c.account, c.secret, c.args...); !strings.Contains(out, c.want) {
				t.Errorf("mqadmin %s of %q %s: no %q in what it printed:\n%s", version, c.account, strings.Join(c.args, " "), c.want, out)
			}
		}
	}
	const given = `{"brokerName":"broker-a","perm":6,` // by the last that was done
	if code, text := n.route("operators", operators, everywhere); code != remoting.Success || !strings.Contains(text, given) {
		t.Errorf("after what was refused: %v %s", code, text)
	}
}
