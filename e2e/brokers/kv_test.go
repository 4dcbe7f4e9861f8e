//go:build e2e

package brokers

import (
	"path/filepath"
	"testing"

	"signpost/e2e/peers"
	"signpost/internal/remoting"
)

// TestOperatorsKVFile moves the KV configuration from a Java NameServer to
// ours and back, by its file. A shim has none: KV is behind the API.
func TestOperatorsKVFile(t *testing.T) {
	t.Parallel()
	if *shims > 0 {
		return
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "kvConfig.json")
			java := startJava(t, version, file)
			java.putKV(t, "ORDER_TOPIC_CONFIG", "orders", "broker-a:4;broker-b:4")
			java.putKV(t, "site", "name", `Köln "1" \ 日本`)
			java.stop(t)

			ours := startNameServerIn(t, dir)
			ours.expectKV(t, "ORDER_TOPIC_CONFIG", "orders", "broker-a:4;broker-b:4")
			ours.expectKV(t, "site", "name", `Köln "1" \ 日本`)
			admin{version: version, namesrv: ours.addr}.expect(t, []string{"orderConf=[broker-a:4;broker-b:4]"}, "updateOrderConf", "-m", "get", "-t", "orders")
			ours.putKV(t, "site", "next", "ß/é")
			ours.stop(t)

			java = startJava(t, version, file)
			java.expectKV(t, "ORDER_TOPIC_CONFIG", "orders", "broker-a:4;broker-b:4")
			java.expectKV(t, "site", "name", `Köln "1" \ 日本`)
			java.expectKV(t, "site", "next", "ß/é")
		})
	}
}

// startJava starts a Java NameServer with that KV file.
func startJava(t *testing.T, version, file string) *nameServer {
	t.Helper()
	p, err := peers.StartNameServer(t.Context(), version, "kvConfigPath="+file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, p) })
	return &nameServer{addr: p.Addr, java: p}
}

func (n *nameServer) putKV(t *testing.T, namespace, key, value string) {
	t.Helper()
	answer, err := n.ask(remoting.PutKVConfig, nil, remoting.Field{Key: "namespace", Value: namespace},
		remoting.Field{Key: "key", Value: key}, remoting.Field{Key: "value", Value: value})
	if err != nil || answer.Code != remoting.Success {
		t.Fatalf("put KV %s %s: code %d %s, %v", namespace, key, answer.Code, answer.Remark, err)
	}
}

func (n *nameServer) expectKV(t *testing.T, namespace, key, want string) {
	t.Helper()
	if got := n.kv(namespace, key); got != want {
		t.Errorf("KV %s %s is %q, want %q", namespace, key, got, want)
	}
}
