package main

import (
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is a buffer that one goroutine writes and another reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// program is a NameServer run in this process.
type program struct {
	t              *testing.T
	stdout, stderr output
	addr, web      string
	stop           func() error
}

var (
	bootLine = regexp.MustCompile(`The Name Server boot success\. serializeType=JSON, address (\S+)`)
	webLine  = regexp.MustCompile(`httpAddr=(\S+)`)
)

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
	p := &program{t: t}
	args = append([]string{"--listenPort", "0", "--bindAddress", "127.0.0.1", "--httpAddr", "127.0.0.1:0",
		"--store", filepath.Join(dir, "signpost.db"), "--kvConfigPath", filepath.Join(dir, "kvConfig.json")}, args...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, nil, &p.stdout, &p.stderr) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return fmt.Errorf("it does not stop; log:\n%s", p.stderr.String())
		}
	})
	t.Cleanup(func() { p.stop() })
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		boot, web := bootLine.FindStringSubmatch(p.stdout.String()), webLine.FindStringSubmatch(p.stderr.String())
		if boot != nil && web != nil {
			p.addr, p.web = boot[1], "http://"+web[1]
			return p, nil
		}
		select {
		case err := <-ended:
			ended <- err
			return nil, fmt.Errorf("it ended: %w\n%s", err, p.stderr.String())
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("it does not start; log:\n%s", p.stderr.String())
		}
	}
}

// call sends one request on a connection of its own unless c is given.
func (p *program) call(c net.Conn, cmd remoting.Command) remoting.Command {
	p.t.Helper()
	if c == nil {
		c = p.dial()
		defer c.Close()
	}
	c.SetDeadline(time.Now().Add(patience))
	cmd.Opaque = 7
	if _, err := c.Write(remoting.AppendFrame(nil, &cmd)); err != nil {
		p.t.Fatal(err)
	}
	var got remoting.Command
	if err := remoting.NewReader(c, nil).Next(&got); err != nil {
		p.t.Fatal(err)
	}
	return got
}

func (p *program) dial() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *program) get(path string) (int, string) {
	p.t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(p.web + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func fields(pairs ...string) remoting.Fields {
	var f remoting.Fields
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, remoting.Field{Key: pairs[i], Value: pairs[i+1]})
	}
	return f
}

func registration(broker, addr string, topics ...string) remoting.Command {
	var content core.Content
	for _, name := range topics {
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	return remoting.Command{
		Code: remoting.RegisterBroker, Version: remoting.V5_3_3,
		ExtFields: fields("brokerName", broker, "brokerAddr", addr, "clusterName", "c", "brokerId", "0", "haServerAddr", addr),
		Body:      wire.AppendRegistration(nil, content, wire.JSON5),
	}
}

func routeOf(topic string) remoting.Command {
	return remoting.Command{Code: remoting.GetRouteInfoByTopic, Version: remoting.V5_3_3, ExtFields: fields("topic", topic)}
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
	broker := first.dial()
	defer broker.Close()
	if got := first.call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2")); got.Code != remoting.Success {
		t.Fatalf("register: %d %s", got.Code, got.Remark)
	}
	put := remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", "n", "key", "k", "value", "v")}
	if got := first.call(nil, put); got.Code != remoting.Success {
		t.Fatalf("put: %d %s", got.Code, got.Remark)
	}
	want := first.call(nil, routeOf("t1"))
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	second := launch(t, dir)
	if got := second.call(nil, routeOf("t1")); got.Code != remoting.Success || !bytes.Equal(got.Body, want.Body) {
		t.Errorf("the first answer after the restart: %d %s, before %s", got.Code, got.Body, want.Body)
	}
	get := remoting.Command{Code: remoting.GetKVConfig, ExtFields: fields("namespace", "n", "key", "k")}
	got := second.call(nil, get)
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
	if code, body := p.get("/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	if code, body := p.get("/readyz"); code != 503 || !strings.Contains(body, "needWaitForService") {
		t.Errorf("/readyz while it waits: %d %s", code, body)
	}
	broker := p.dial()
	defer broker.Close()
	p.call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2"))
	p.call(nil, remoting.Command{Code: 4711})
	garbage := p.dial()
	garbage.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	io.ReadAll(garbage)
	garbage.Close()
	_, body := p.get("/metrics")
	for _, line := range []string{
		`signpost_brokers{cluster="c"} 1`, `signpost_topics 2`, `signpost_request_seconds_count{code="REGISTER_BROKER",result="0"} 1`,
		`signpost_request_seconds_count{code="unknown",result="3"} 1`, `signpost_refused_total{reason="broken frame"} 1`,
		`signpost_snapshot_age_seconds 0`, `signpost_events_total{kind="BrokerRegistered"} 1`, `signpost_build_info{`, `signpost_ready 0`,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("/metrics has no %s", line)
		}
	}
	if code, _ := p.get("/debug/pprof/"); code != 404 {
		t.Errorf("pprof is served without being asked for: %d", code)
	}
	if code, body := launch(t, t.TempDir(), "--pprof", "true").get("/readyz"); code != 200 {
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
		return p.call(nil, remoting.Command{Code: remoting.UpdateNameServerConfig, Body: []byte(text)})
	}
	for _, text := range []string{"kvConfigPath=/tmp/x\n", "configStorePath=/tmp/x\n", "listenPort=1\n"} {
		if got := update(text); got.Code != remoting.NoPermission {
			t.Errorf("%q: %d %s", text, got.Code, got.Remark)
		}
	}
	broker := p.dial()
	defer broker.Close()
	p.call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2"))
	p.call(nil, remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", core.OrderNamespace, "key", "t1", "value", "b1:4")})
	if got := p.call(nil, routeOf("t1")); strings.Contains(string(got.Body), "orderTopicConf") {
		t.Errorf("the order configuration is shown: %s", got.Body)
	}
	if got := update("orderMessageEnable=true\n"); got.Code != remoting.Success {
		t.Fatalf("allowed, but %d %s", got.Code, got.Remark)
	}
	if got := p.call(nil, routeOf("t1")); !strings.Contains(string(got.Body), `"orderTopicConf":"b1:4"`) {
		t.Errorf("the change is not in force: %s", got.Body)
	}
	if got := p.call(nil, remoting.Command{Code: remoting.GetNameServerConfig}); !strings.Contains(string(got.Body), "orderMessageEnable=true\n") {
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
