package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/daemon/daemontest"
	"signpost/internal/remoting"
)

// noAWS is an environment in which the SDK finds neither credentials nor region.
func noAWS(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
}

func TestExitCodes(t *testing.T) {
	noAWS(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "shim.db")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	const api = "https://abcdefghij.execute-api.eu-central-1.amazonaws.com"
	for name, c := range map[string]struct {
		args []string
		code int
		says string // on standard output or error
	}{
		"help":                 {[]string{"-h"}, 0, "usage: shim"},
		"version":              {[]string{"--version"}, 0, "shim "},
		"print":                {[]string{"-p"}, 0, "beatMillis=5000\n"},
		"bad option":           {[]string{"--no-such-key", "1"}, 1, "no-such-key"},
		"no endpoint":          {nil, 255, "endpoint \"\" (default) is missing"},
		"no URL":               {[]string{"--endpoint", "localhost:3000", "--signing", "none"}, 255, "endpoint: does not begin with https://"},
		"beats too slow":       {[]string{"--endpoint", api, "--beatMillis", "7001"}, 255, "beatMillis"},
		"token and signature":  {[]string{"--endpoint", api, "--signing", "iam", "--tokenFile", "t"}, 255, "tokenFile \"t\" (flag --tokenFile) does not go with signing=iam"},
		"no token":             {[]string{"--endpoint", api, "--signing", "token"}, 255, "needs tokenFile"},
		"no token file":        {[]string{"--endpoint", api, "--tokenFile", filepath.Join(dir, "absent")}, 255, "absent"},
		"no credentials":       {[]string{"--endpoint", api}, 255, "no AWS credentials"},
		"no region":            {[]string{"--endpoint", "https://api.example.com"}, 255, "region: is missing"},
		"state is a folder":    {[]string{"--endpoint", api, "--signing", "none", "--stateFile", dir}, 255, "stateFile: "},
		"port in use":          {[]string{"--endpoint", api, "--signing", "none", "--listenPort", port}, 255, "listenPort"},
		"damaged gateway":      {[]string{"--endpoint", api, "--signing", "none", "--gateway", "a\tb"}, 255, "error=\"gateway: is not 1 to 64"},
		"gateway with a space": {[]string{"--endpoint", api, "--signing", "none", "--gateway", "rack 7"}, 255, "gateway"},
		"token, not sent":      {[]string{"--endpoint", api, "--signing", "none", "--tokenFile", state}, 255, "tokenFile \"" + state + "\" (flag --tokenFile) does not go with signing=none"},
		"region with a space":  {[]string{"--endpoint", api, "--signing", "iam", "--region", "eu central"}, 255, "region: is no region's name"},
		"long gateway":         {[]string{"--endpoint", api, "--signing", "none", "--gateway", strings.Repeat("x", 65)}, 255, "gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr daemontest.Output
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			err := run(ctx, append([]string{"--bindAddress", "127.0.0.1", "--stateFile", state}, c.args...), nil, &stdout, &stderr)
			if code := config.ExitCode(err); code != c.code {
				t.Errorf("exit code %d, want %d (%v)", code, c.code, err)
			}
			if all := stdout.String() + stderr.String(); !strings.Contains(all, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, all)
			}
		})
	}
}

func TestTwoProcessesCannotShareAStateFile(t *testing.T) {
	c := newCloud(t, core.Rules{})
	dir := t.TempDir()
	c.launch(t, dir)
	_, err := daemontest.Start(t, run, c.flags(dir)...)
	if err == nil || !strings.Contains(err.Error(), "stateFile: ") || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("%v", err)
	}
}

var gatewayLabel = regexp.MustCompile(`signpost_upstream_session_info\{gateway="([^"]+)",session="[^"]+"\} 1`)

// gatewayOf waits until the shim has a session, and returns the id it goes by.
func gatewayOf(t *testing.T, p *daemontest.Program) string {
	t.Helper()
	var id string
	eventually(t, p, "a session", func() bool {
		_, body := p.Get("/metrics")
		if m := gatewayLabel.FindStringSubmatch(body); m != nil {
			id = m[1]
		}
		return id != ""
	})
	return id
}

func TestTheGatewayIsMadeOnce(t *testing.T) {
	c := newCloud(t, core.Rules{})
	dir := t.TempDir()
	first := c.launch(t, dir)
	made := gatewayOf(t, first)
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if again := gatewayOf(t, c.launch(t, dir)); again != made || !strings.HasPrefix(made, "shim-") {
		t.Errorf("%s at first, then %s", made, again)
	}
	if other := gatewayOf(t, c.launch(t, t.TempDir())); other == made {
		t.Errorf("two shims are %s", made)
	}
	for _, left := range []string{"", "\x00\x00\x00\x00", "\n"} { // by a machine that lost its power
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "shim.db"+gatewaySuffix), []byte(left), 0o644); err != nil {
			t.Fatal(err)
		}
		if anew := gatewayOf(t, c.launch(t, dir)); !strings.HasPrefix(anew, "shim-") {
			t.Errorf("with a file of %q it is %q", left, anew)
		}
	}
	if given := gatewayOf(t, c.launch(t, t.TempDir(), "--gateway", "rack-7")); given != "rack-7" {
		t.Errorf("the configured id became %s", given)
	}
}

// TestKeysOfTheOtherProgram: a shim can be given a NameServer's file.
func TestKeysOfTheOtherProgram(t *testing.T) {
	c := newCloud(t, core.Rules{})
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.properties")
	if err := os.WriteFile(file, []byte("kvConfigPath=/opt/kv.json\nscanNotActiveBrokerInterval=5000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := c.launch(t, dir, "-c", file, "--store", "memory")
	for _, line := range []string{"kvConfigPath has no meaning here: it is for bin/namesrv", "store has no meaning here: it is for bin/namesrv"} {
		if !strings.Contains(p.Stderr.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, p.Stderr.String())
		}
	}
	if strings.Contains(p.Stderr.String(), "scanNotActiveBrokerInterval") {
		t.Errorf("it speaks of a default:\n%s", p.Stderr.String())
	}
}

func TestAChangeIsSeenThroughEveryShim(t *testing.T) {
	c := newCloud(t, core.Rules{})
	one, other := c.launch(t, t.TempDir()), c.launch(t, t.TempDir())
	broker := one.Dial()
	defer broker.Close()
	if got := one.Call(broker, registration("b1", "10.0.0.1:10911", "t1", "t2")); got.Code != remoting.Success {
		t.Fatalf("register: %d %s", got.Code, got.Remark)
	}
	if got := answer(one, "t1"); got != remoting.Success {
		t.Errorf("at the shim that it was made through, the first answer is %v", got)
	}
	eventually(t, other, "a route through the other shim", func() bool { return answer(other, "t1") == remoting.Success })
	want, got := one.Call(nil, routeOf("t1")), other.Call(nil, routeOf("t1"))
	if !bytes.Equal(want.Body, got.Body) {
		t.Errorf("one shim answers %s, the other %s", want.Body, got.Body)
	}

	put := remoting.Command{Code: remoting.PutKVConfig, ExtFields: fields("namespace", "n", "key", "k", "value", "v")}
	if got := other.Call(nil, put); got.Code != remoting.Success {
		t.Errorf("put: %d %s", got.Code, got.Remark)
	}
	if got := one.Call(nil, remoting.Command{Code: remoting.GetKVConfig, ExtFields: fields("namespace", "n", "key", "k")}); got.Code != remoting.Success {
		t.Errorf("get: %d %s", got.Code, got.Remark)
	}

	second := other.Dial()
	other.Call(second, registration("b1", "10.0.0.1:10911", "t1", "t2"))
	broker.Close()
	eventually(t, one, "one connection closed", func() bool {
		_, body := one.Get("/metrics")
		return strings.Contains(body, "signpost_upstream_held 0\n")
	})
	if got := answer(one, "t1"); got != remoting.Success {
		t.Errorf("the broker is still connected to the other shim, and here it is answered %v", got)
	}
	second.Close()
	eventually(t, one, "the broker gone everywhere", func() bool { return answer(one, "t1") == remoting.TopicNotExist })
}

// TestCompression: `sam local` damages what is compressed, all else wants it so.
func TestCompression(t *testing.T) {
	for _, plain := range []bool{false, true} {
		c := newCloud(t, core.Rules{})
		var compressed atomic.Bool
		c.server.Config.Handler = watching(c.server.Config.Handler, func(r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/register/broker") && strings.Contains(r.Header.Get("Content-Type"), "gzip") {
				compressed.Store(true)
			}
		})
		p := c.launch(t, t.TempDir(), "--compress", strconv.FormatBool(!plain))
		var topics []string
		for i := range 200 {
			topics = append(topics, fmt.Sprint("topic-", i))
		}
		if got := p.Call(nil, registration("b1", "10.0.0.1:10911", topics...)); got.Code != remoting.Success {
			t.Fatalf("register: %d %s", got.Code, got.Remark)
		}
		if compressed.Load() == plain {
			t.Errorf("compressed: %v, with --compress %v", compressed.Load(), !plain)
		}
	}
}

func watching(h http.Handler, look func(*http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		look(r)
		h.ServeHTTP(w, r)
	})
}

// TestARefusedRegistrationIsOneLine: not one of each package that it goes through.
func TestARefusedRegistrationIsOneLine(t *testing.T) {
	c := newCloud(t, core.Rules{})
	_, err := c.registry.Register(t.Context(), time.Now(), core.Registration{
		Cluster: "another", Broker: "b1", Addr: "10.0.0.9:10911",
		Content: func() (core.Content, error) {
			return core.Content{Topics: []core.Topic{{Name: "t1"}, {Name: "t2"}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := c.launch(t, t.TempDir())
	for range 3 {
		if got := p.Call(nil, registration("b1", "10.0.0.1:10911", "t1", "t2")); got.Code == remoting.Success {
			t.Fatal("it is accepted")
		}
	}
	lines := 0
	for line := range strings.Lines(p.Stderr.String()) {
		if strings.Contains(line, "refused") {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("%d lines:\n%s", lines, p.Stderr.String())
	}
}

func TestUnchangedRegistrationsEndHere(t *testing.T) {
	c := newCloud(t, core.Rules{})
	p := c.launch(t, t.TempDir(), "--beatMillis", "7000")
	broker := p.Dial()
	defer broker.Close()
	reg := registration("b1", "10.0.0.1:10911", "t1", "t2")
	p.Call(broker, reg)
	p.Call(nil, routeOf("t1"))
	before := c.calls.Load()
	for range 100 {
		if got := p.Call(broker, reg); got.Code != remoting.Success {
			t.Fatalf("again: %d %s", got.Code, got.Remark)
		}
		if got := p.Call(nil, routeOf("t1")); got.Code != remoting.Success {
			t.Fatalf("route: %d %s", got.Code, got.Remark)
		}
	}
	if n := c.calls.Load() - before; n > 5 { // beats, if it is a slow machine
		t.Errorf("100 registrations and lookups took %d calls", n)
	}
}
