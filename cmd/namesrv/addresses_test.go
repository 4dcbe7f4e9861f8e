package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signpost/internal/remoting"
)

var discoveryLine = regexp.MustCompile(`discoveryAddr=(\S+:[1-9]\d*)`)

func TestDiscovery(t *testing.T) {
	p := launch(t, t.TempDir(), "--discoveryAddr", "127.0.0.1:0", "--discoveryServers", "10.0.0.2:9876;10.0.0.1:9876")
	at := discoveryLine.FindStringSubmatch(p.Stderr.String())
	if at == nil {
		t.Fatalf("it does not say where:\n%s", p.Stderr.String())
	}
	answer, err := http.Get("http://" + at[1] + "/rocketmq/nsaddr-unit1?nofix=1")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "10.0.0.1:9876;10.0.0.2:9876" {
		t.Errorf("answered %s %q, %v", answer.Status, body, err)
	}
	if _, body := p.Get("/metrics"); !strings.Contains(body, "signpost_discovery_addresses 2\n") {
		t.Errorf("/metrics:\n%s", body)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + at[1] + "/rocketmq/nsaddr"); err == nil {
		t.Error("it answers after the end")
	}
}

func TestAddressMap(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "map")
	write := func(shown string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("[127.0.0.0/8]\n10.0.0.1 = "+shown+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	p := launch(t, dir, "--addressMapFile", file)
	broker := p.Dial()
	defer broker.Close()
	if got := p.Call(broker, registration("b1", "10.0.0.1:10911", "t", "u")); got.Code != remoting.Success {
		t.Fatalf("registration: %v %q", got.Code, got.Remark)
	}
	route := func() string { return string(p.Call(nil, routeOf("t")).Body) }
	if got := route(); !strings.Contains(got, `"first:10911"`) {
		t.Errorf("shown %s", got)
	}
	write("second")
	for deadline := time.Now().Add(patience); !strings.Contains(route(), `"second:10911"`); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the changed file is not in use:\n%s", p.Stderr.String())
		}
	}
	if _, body := p.Get("/metrics"); !strings.Contains(body, `signpost_address_map_reloads_total{result="ok"} 1`) {
		t.Errorf("/metrics:\n%s", body)
	}
	// What is kept is what the broker said.
	if _, body := p.Get("/v1/read/route?topic=t"); !strings.Contains(body, "10.0.0.1:10911") {
		t.Errorf("the API shows %s", body)
	}
}

func TestNoStartWithABrokenAddressMap(t *testing.T) {
	file := filepath.Join(t.TempDir(), "map")
	if err := os.WriteFile(file, []byte("[10.0.0.1/8]\na = /"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := start(t, t.TempDir(), "--addressMapFile", file)
	if err == nil || !strings.Contains(err.Error(), "addressMapFile: address map "+file+": line 1: 10.0.0.1/8 has bits beyond its prefix") ||
		!strings.Contains(err.Error(), "; line 2: / is no host name and no IP address") {
		t.Errorf("%v", err)
	}
}
