//go:build e2e

package namesrv

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signpost/internal/remoting"
)

func TestProcessesShareATable(t *testing.T) {
	table := newTable(t)
	a, b := launch(t, table), launch(t, table)
	names := []string{"b1", "b2", "b3", "b4"}
	both := func(want string) {
		t.Helper()
		for _, s := range []*server{a, b} {
			got := ""
			wait(t, "the route does not become "+want, func() bool { got = s.brokers(names...); return got == want })
		}
	}
	atA, atB := a.dial(), b.dial()
	a.register(atA, "b1", "10.0.0.1:10911")
	b.register(atB, "b1", "10.0.0.1:10911")
	b2 := a.dial()
	a.register(b2, "b2", "10.0.0.2:10911")
	if code, text := b.http(http.MethodPut, "/v1/register/broker", `{"clusterName":"c","brokerName":"b3","brokerId":0,"brokerAddr":"10.0.0.3:10911",
		"topicConfigTable":{"`+topic+`":{"topicName":"`+topic+`"}}}`); code != http.StatusOK {
		t.Fatalf("register b3: %d %s", code, text)
	}
	both("b1 b2 b3")

	// The end of a connection to one takes no lease of the other's.
	atA.Close()
	b2.Close()
	a.hungUp(0)
	both("b1 b3")

	// Who is killed drops nothing; what only he held runs out by itself.
	a.register(a.dial(), "b4", "10.0.0.4:10911", "heartbeatTimeoutMillis", "10000")
	both("b1 b3 b4")
	if err := a.end(sigkill); err == nil {
		t.Error("killed, and it ended well")
	}
	wait(t, "b4 stays", func() bool { return b.brokers(names...) == "b1 b3" })
	if code, text := b.http(http.MethodPut, "/v1/admin/kv?namespace=n&key=k", `{"value":"v"}`); code != http.StatusNoContent {
		t.Fatalf("put: %d %s", code, text)
	}

	// The first answer of the one started again is complete.
	a = launch(t, table)
	if got := a.brokers(names...); got != "b1 b3" {
		t.Errorf("after the restart the route has %q", got)
	}
	got := a.call(nil, remoting.Command{Code: remoting.GetKVConfig, ExtFields: fields("namespace", "n", "key", "k")})
	if v, _ := got.ExtFields.Get("value"); v != "v" {
		t.Errorf("KV after the restart: %d %q", got.Code, v)
	}
	a.register(a.dial(), "b1", "10.0.0.1:10911")
	atB.Close()
	b.hungUp(0)
	both("b1 b3")

	// Who stops in order drops nothing either: the brokers go to another one.
	if err := a.end(sigterm); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if got := b.brokers(names...); got != "b1 b3" {
		t.Errorf("after the stop the route has %q", got)
	}
}

func TestKVLivesInTheTable(t *testing.T) {
	const before = `{"configTable":{"n":{"k":"of the file"}}}`
	path := filepath.Join(t.TempDir(), "kvConfig.json")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	s := launch(t, newTable(t), "--kvConfigPath", path)
	if code, text := s.http(http.MethodGet, "/v1/read/kv?namespace=n", ""); code != http.StatusNotFound {
		t.Errorf("the file was taken over: %d %s", code, text)
	}
	put := remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", "n", "key", "k", "value", "of the table")}
	if got := s.call(nil, put); got.Code != remoting.Success {
		t.Fatalf("put: %d %s", got.Code, got.Remark)
	}
	if code, text := s.http(http.MethodGet, "/v1/read/kv?namespace=n", ""); code != http.StatusOK || !strings.Contains(text, "of the table") {
		t.Errorf("%d %s", code, text)
	}
	if err := s.end(sigterm); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != before {
		t.Errorf("the file is %s, %v", text, err)
	}
	if !strings.Contains(s.out.String(), "neither read nor written") {
		t.Error("nobody is told that the file is not used")
	}
}

func TestWithoutItsTableItDoesNotStart(t *testing.T) {
	s := begin(t, "no-such-table")
	wait(t, "it goes on", s.hasEnded)
	if says := fmt.Sprintf("store: there is no table no-such-table in %s", region); s.err == nil || !strings.Contains(s.out.String(), says) {
		t.Errorf("%v\n%s", s.err, s.out)
	}
}
