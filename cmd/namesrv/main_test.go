package main

import (
	"bytes"
	"context"
	_ "embed"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/daemon/daemontest"
	"signpost/internal/remoting"
)

const patience = daemontest.Patience

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type output = daemontest.Output

var (
	fields       = daemontest.Fields
	registration = daemontest.Registration
	routeOf      = daemontest.RouteOf
)

// program is a NameServer run in this process.
type program struct {
	*daemontest.Program
	t *testing.T
}

// launch starts the program with its state in dir, and waits until it serves.
func launch(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	p, err := start(t, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start is launch for goroutines other than the test's.
func start(t *testing.T, dir string, args ...string) (*program, error) {
	p, err := daemontest.Start(t, run, append([]string{
		"--store", filepath.Join(dir, "signpost.db"), "--kvConfigPath", filepath.Join(dir, "kvConfig.json"),
	}, args...)...)
	return &program{p, t}, err
}

func TestExitCodesAreJavas(t *testing.T) {
	dir := t.TempDir()
	corrupt := filepath.Join(dir, "kv.json")
	if err := os.WriteFile(corrupt, []byte(`{"configTable":`), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for name, c := range map[string]struct {
		args []string
		code int
		says string // on standard output or error
	}{
		"help":           {[]string{"-h"}, 0, "usage: namesrv"},
		"version":        {[]string{"--version"}, 0, "namesrv "},
		"print":          {[]string{"-p", "--listenPort", "1234"}, 0, "listenPort=1234\n"},
		"bad option":     {[]string{"--no-such-key", "1"}, 1, "no-such-key"},
		"no such file":   {[]string{"-c", filepath.Join(dir, "absent")}, 255, "absent"},
		"invalid values": {[]string{"--listenPort", "x", "--maxConnections", "-1"}, 255, "maxConnections"},
		"corrupt KV":     {[]string{"--store", "memory", "--listenPort", "0", "--kvConfigPath", corrupt}, 255, corrupt},
		"port in use":    {[]string{"--store", "memory", "--bindAddress", "127.0.0.1", "--listenPort", port, "--kvConfigPath", filepath.Join(dir, "k")}, 255, "listenPort"},
		"store no file":  {[]string{"--store", dir, "--listenPort", "0", "--kvConfigPath", filepath.Join(dir, "k")}, 255, "store"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr output
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			err := run(ctx, c.args, nil, &stdout, &stderr)
			if code := config.ExitCode(err); code != c.code {
				t.Errorf("exit code %d, want %d (%v)", code, c.code, err)
			}
			if all := stdout.String() + stderr.String(); !strings.Contains(all, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, all)
			}
		})
	}
	if b, err := os.ReadFile(corrupt); err != nil || string(b) != `{"configTable":` {
		t.Errorf("the corrupt file was touched: %q, %v", b, err)
	}
}

func TestARestartLosesNothing(t *testing.T) {
	dir := t.TempDir()
	first := launch(t, dir)
	broker := first.Dial()
	defer broker.Close()
	if got := first.Call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2")); got.Code != remoting.Success {
		t.Fatalf("register: %d %s", got.Code, got.Remark)
	}
	put := remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", "n", "key", "k", "value", "v")}
	if got := first.Call(nil, put); got.Code != remoting.Success {
		t.Fatalf("put: %d %s", got.Code, got.Remark)
	}
	want := first.Call(nil, routeOf("t1"))
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second := launch(t, dir)
	if got := second.Call(nil, routeOf("t1")); got.Code != remoting.Success || !bytes.Equal(got.Body, want.Body) {
		t.Errorf("the first answer after the restart: %d %s, before %s", got.Code, got.Body, want.Body)
	}
	get := remoting.Command{Code: remoting.GetKVConfig, ExtFields: fields("namespace", "n", "key", "k")}
	got := second.Call(nil, get)
	if v, _ := got.ExtFields.Get("value"); v != "v" {
		t.Errorf("KV after the restart: %d %q", got.Code, v)
	}
}

func TestTwoProcessesCannotShareAStore(t *testing.T) {
	dir := t.TempDir()
	launch(t, dir)
	var stdout, stderr output
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := run(ctx, []string{"--listenPort", "0", "--store", filepath.Join(dir, "signpost.db"), "--kvConfigPath", filepath.Join(dir, "other.json")}, nil, &stdout, &stderr)
	if config.ExitCode(err) != 255 || !strings.Contains(stderr.String(), "signpost.db") {
		t.Errorf("%v\n%s", err, stderr.String())
	}
}

func TestHealthAndMetrics(t *testing.T) {
	p := launch(t, t.TempDir(), "--needWaitForService", "true")
	if code, body := p.Get("/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, body := p.Get("/readyz"); code != 503 || !strings.Contains(body, "needWaitForService") {
		t.Errorf("/readyz while it waits: %d %s", code, body)
	}
	broker := p.Dial()
	defer broker.Close()
	p.Call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2"))
	p.Call(nil, remoting.Command{Code: 4711})
	garbage := p.Dial()
	garbage.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	io.ReadAll(garbage)
	garbage.Close()
	_, body := p.Get("/metrics")
	for _, line := range []string{
		`signpost_brokers{cluster="c"} 1`, `signpost_topics 2`, `signpost_request_seconds_count{code="REGISTER_BROKER",result="0"} 1`,
		`signpost_request_seconds_count{code="unknown",result="3"} 1`, `signpost_refused_total{reason="broken frame"} 1`,
		`signpost_snapshot_age_seconds 0`, `signpost_events_total{kind="BrokerRegistered"} 1`, `signpost_build_info{`, `signpost_ready 0`,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("/metrics has no %s", line)
		}
	}
	if code, _ := p.Get("/debug/pprof/"); code != 404 {
		t.Errorf("pprof is served without being asked for: %d", code)
	}
	if code, body := launch(t, t.TempDir(), "--pprof", "true").Get("/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, body)
	}
}

func TestRemoteConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.properties")
	if err := os.WriteFile(file, []byte("# ours\norderMessageEnable=false\nallowRemoteConfig=orderMessageEnable\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, dir, "-c", file)
	update := func(text string) remoting.Command {
		return p.Call(nil, remoting.Command{Code: remoting.UpdateNameServerConfig, Body: []byte(text)})
	}
	for _, text := range []string{"kvConfigPath=/tmp/x\n", "configStorePath=/tmp/x\n", "listenPort=1\n"} {
		if got := update(text); got.Code != remoting.NoPermission {
			t.Errorf("%q: %d %s", text, got.Code, got.Remark)
		}
	}
	broker := p.Dial()
	defer broker.Close()
	p.Call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2"))
	p.Call(nil, remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", core.OrderNamespace, "key", "t1", "value", "b1:4")})
	if got := p.Call(nil, routeOf("t1")); strings.Contains(string(got.Body), "orderTopicConf") {
		t.Errorf("the order configuration is shown: %s", got.Body)
	}
	if got := update("orderMessageEnable=true\n"); got.Code != remoting.Success {
		t.Fatalf("allowed, but %d %s", got.Code, got.Remark)
	}
	if got := p.Call(nil, routeOf("t1")); !strings.Contains(string(got.Body), `"orderTopicConf":"b1:4"`) {
		t.Errorf("the change is not in force: %s", got.Body)
	}
	if got := p.Call(nil, remoting.Command{Code: remoting.GetNameServerConfig}); !strings.Contains(string(got.Body), "orderMessageEnable=true\n") {
		t.Errorf("319 does not show it")
	}
	if b, _ := os.ReadFile(file); !strings.Contains(string(b), "orderMessageEnable=true") || !strings.Contains(string(b), "# ours") {
		t.Errorf("the file is now %s", b)
	}
}

var update = flag.Bool("update", false, "write CONFIGURATION.md anew")

//go:embed testdata/configuration-head.md
var configurationHead string

func TestConfigurationTableIsUpToDate(t *testing.T) {
	const file = "../../CONFIGURATION.md"
	want := configurationHead + config.Markdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("CONFIGURATION.md is out of date: make config-table (%v)", err)
	}
}
