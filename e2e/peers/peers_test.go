//go:build e2e

package peers_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signpost/e2e/peers"
)

func TestNameServerAndBrokerRunUntilStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ns, err := peers.StartNameServer(ctx, peers.V497)
	if err != nil {
		t.Fatal(err)
	}
	broker, err := peers.StartBroker(ctx, peers.V497, "broker-a", ns.Addr, "brokerClusterName=Test")
	if err != nil {
		t.Fatal(err)
	}
	for {
		out, err := peers.MQAdmin(ctx, peers.V497, "clusterList", "-n", ns.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, "broker-a") && strings.Contains(out, broker.Addr) {
			break
		}
	}
	if err := broker.Stop(); err != nil {
		t.Error(err)
	}
	if err := ns.Kill9(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", ns.Addr); err == nil {
		conn.Close()
		t.Errorf("%s still accepts connections after Kill9", ns.Addr)
	}
	if err := ns.Stop(); err != nil {
		t.Errorf("Stop after Kill9: %v", err)
	}
}

func TestStartTellsWhyAPeerEnded(t *testing.T) {
	_, err := peers.StartNameServer(t.Context(), peers.V480, "listenPort=1", "serverWorkerThreads=-1")
	if err == nil || !strings.Contains(err.Error(), "it ended") || !strings.Contains(err.Error(), "IllegalArgument") {
		t.Errorf("StartNameServer with a bad property: %v, want an error with the peer's own words", err)
	}
}

func TestMissingProgramsAreErrorsThatSaySo(t *testing.T) {
	if err := peers.Fetch(t.Context(), peers.V497); err != nil {
		t.Fatal(err)
	}
	path := t.TempDir()
	for _, name := range []string{"bash", "mkdir", "mktemp", "ln"} {
		full, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(full, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", path)
	if _, err := peers.MQAdmin(t.Context(), peers.V497, "clusterList"); err == nil || !strings.Contains(err.Error(), "java is needed") {
		t.Errorf("without java: %v", err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := peers.Fetch(t.Context(), peers.V497); err == nil || !strings.Contains(err.Error(), "mvn (Maven 3) is needed") {
		t.Errorf("without mvn: %v", err)
	}
}
