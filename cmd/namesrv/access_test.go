package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signpost/internal/remoting"
)

// signed is a route request with the fields that RocketMQ's hook adds.
func signed(key, secret, topic string) remoting.Command {
	cmd := routeOf(topic)
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(key + topic)) // AccessKey comes before topic
	cmd.ExtFields = append(cmd.ExtFields, fields("AccessKey", key, "Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))...)
	return cmd
}

func TestAccessControl(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "accounts.yml")
	write := func(key string) {
		t.Helper()
		text := "accounts:\n  - {accessKey: " + key + ", secretKey: the-secret, permissions: [read]}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	p := launch(t, dir, "--aclEnable", "--aclFile", file)
	for _, c := range []struct {
		cmd  remoting.Command
		want remoting.Code
	}{
		{routeOf("t"), remoting.NoPermission},
		{signed("first", "the-secret", "t"), remoting.TopicNotExist},
		{signed("first", "another-secret", "t"), remoting.NoPermission},
		{registration("b1", "10.0.0.1:10911", "t"), remoting.NoPermission},
		{remoting.Command{Code: remoting.GetNameServerConfig}, remoting.NoPermission},
	} {
		if got := p.Call(nil, c.cmd); got.Code != c.want {
			t.Errorf("%v of %v is answered %v %q", c.cmd.Code, c.cmd.ExtFields, got.Code, got.Remark)
		}
	}
	write("second")
	for deadline := time.Now().Add(patience); p.Call(nil, signed("second", "the-secret", "t")).Code != remoting.TopicNotExist; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the changed file is not in use:\n%s", p.Stderr.String())
		}
	}
	if got := p.Call(nil, signed("first", "the-secret", "t")); got.Code != remoting.NoPermission {
		t.Errorf("who is not named any more is answered %v", got.Code)
	}
	_, body := p.Get("/metrics")
	for _, line := range []string{
		`signpost_refused_total{reason="acl: no account"} 3`, `signpost_refused_total{reason="acl: signature"} 1`,
		`signpost_request_seconds_count{code="REGISTER_BROKER",result="16"} 1`, `signpost_acl_accounts 1`,
		`signpost_acl_reloads_total{result="ok"} 1`, `signpost_acl_reloads_total{result="failed"} 0`,
	} {
		if !strings.Contains(body, line) {
			t.Errorf("/metrics has no %s", line)
		}
	}
	if said := p.Stderr.String() + p.Stdout.String(); strings.Contains(said, "-secret") || strings.Contains(said, "Signature") {
		t.Errorf("a secret is in what it says:\n%s", said)
	}
}

// TestNoStartWithoutAccounts: neither without the file, nor with a broken one.
func TestNoStartWithoutAccounts(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yml")
	if err := os.WriteFile(broken, []byte("accounts:\n  - {accessKey: a, permissions: [write]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "absent.yml"): "no such file",
		broken:                           "line 2: permissions must be a list of read, register and admin; line 2: secretKey is missing",
	} {
		var out output
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := run(ctx, []string{"--store", "memory", "--bindAddress", "127.0.0.1", "--listenPort", "0",
			"--kvConfigPath", filepath.Join(dir, "kv.json"), "--aclEnable", "--aclFile", file}, nil, &out, &out)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "aclFile: accounts "+file+": "+want) || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v; it says:\n%s", file, err, out.String())
		}
	}
}
