//go:build e2e

package brokers

import (
	"testing"

	"signpost/e2e/peers"
)

// TestTLS: brokers and mqadmin use TLS on the port that others use without,
// with the certificate that is made up when there is none.
func TestTLS(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			n := startNameServer(t)
			line := startTap(t, n)
			b := startBroker(t, version, "broker-a", line.addr, "useTLS=true")
			route := "broker-a of DefaultCluster at 0=" + b.Addr + ": r8 w8 perm 7"
			n.awaitRoute(t, brokerTimeout, "TBW102", route) // asked without TLS
			if line.tlsConns() == 0 {
				t.Fatal("the broker came without TLS")
			}

			mqadmin := admin{version: version, namesrv: line.addr, options: "-Dtls.enable=true"}
			before := line.tlsConns()
			mqadmin.expectRoute(t, "TBW102", route)
			if line.tlsConns() == before {
				t.Fatal("mqadmin came without TLS")
			}
			// What needs TLS to the broker, too. The certificate that a broker of
			// 4.8.0 makes up needs an older JDK than 17.
			if version != peers.V480 {
				mqadmin.expect(t, []string{b.Addr + " success."}, "updateTopic", "-c", "DefaultCluster", "-t", "secret")
				mqadmin.expect(t, []string{"SEND_OK"}, "sendMessage", "-t", "secret", "-p", "by-TLS")
				mqadmin.expect(t, []string{"BODY: by-TLS"}, "consumeMessage", "-t", "secret")
			}
			if got := line.String(); got != "" {
				t.Errorf("requests without TLS:\n%s", got)
			}
		})
	}
}
