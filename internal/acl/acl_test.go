package acl

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signpost/internal/quiet"
	"signpost/internal/remoting"
)

// counted is a Guard over a file, what it logs and what it counts.
type counted struct {
	*Guard
	path    string
	log     lines
	refused map[string]int
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// take returns the lines since the last call.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := slices.Collect(strings.Lines(l.text.String()))
	l.text.Reset()
	return got
}

func open(t *testing.T, text string) *counted {
	t.Helper()
	c := &counted{path: filepath.Join(t.TempDir(), "accounts.yml"), refused: map[string]int{}}
	c.write(t, text)
	var err error
	c.Guard, err = Open(Options{Path: c.path, Log: slog.New(slog.NewTextHandler(&c.log, nil)), Refused: func(reason string) { c.refused[reason]++ }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *counted) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func accountText(key, secret, permissions string) string {
	return fmt.Sprintf("  - accessKey: %s\n    secretKey: %s\n    permissions: [%s]\n", key, secret, permissions)
}

// sign returns a request with the fields that AclClientRPCHook adds.
func sign(key, secret string, code remoting.Code, fields ...string) *remoting.Command {
	cmd := &remoting.Command{Code: code, ExtFields: remoting.Fields{{Key: fieldAccessKey, Value: key}}}
	for i := 0; i < len(fields); i += 2 {
		cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: fields[i], Value: fields[i+1]})
	}
	cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: fieldSignature, Value: javaSignature(secret, javaContent(cmd.ExtFields))})
	return cmd
}

func TestAuthorize(t *testing.T) {
	g := open(t, "accounts:\n"+accountText("reader", "reader-secret", "read")+accountText("broker", "broker-secret", "read, register")+
		accountText("operator", "operator-secret", "admin")+
		"  - {accessKey: near, secretKey: near-secret, permissions: [read], whiteRemoteAddress: 10.1.2.*}\n"+
		"globalWhiteRemoteAddresses:\n  - {address: 10.7.0.0/16, permissions: [register]}\n")
	const away = "192.0.2.1"
	unsigned := &remoting.Command{Code: remoting.GetRouteInfoByTopic, ExtFields: remoting.Fields{{Key: "topic", Value: "t"}}}
	half := sign("reader", "reader-secret", remoting.GetRouteInfoByTopic, "topic", "t")
	half.ExtFields = half.ExtFields[:2] // without its signature
	for name, c := range map[string]struct {
		cmd          *remoting.Command
		from         string
		text, reason string
	}{
		"reader reads":                  {sign("reader", "reader-secret", remoting.GetRouteInfoByTopic, "topic", "t"), away, "", ""},
		"reader registers":              {sign("reader", "reader-secret", remoting.RegisterBroker), away, "User:reader has no permission to access NameServer:register from 192.0.2.1, no matched policies.", "acl: permission"},
		"reader wipes":                  {sign("reader", "reader-secret", remoting.WipeWritePermOfBroker), away, "User:reader has no permission to access NameServer:admin from 192.0.2.1, no matched policies.", "acl: permission"},
		"broker registers":              {sign("broker", "broker-secret", remoting.RegisterBroker), away, "", ""},
		"operator wipes":                {sign("operator", "operator-secret", remoting.WipeWritePermOfBroker), away, "", ""},
		"operator reads":                {sign("operator", "operator-secret", remoting.GetRouteInfoByTopic), away, "User:operator has no permission to access NameServer:read from 192.0.2.1, no matched policies.", "acl: permission"},
		"operator asks for what nobody": {sign("operator", "operator-secret", 4711), away, "User:operator has no permission to access RequestCode:4711 from 192.0.2.1, no matched policies.", "acl: unknown code"},
		"wrong secret":                  {sign("reader", "another-secret", remoting.GetRouteInfoByTopic, "topic", "t"), away, "check signature failed.", "acl: signature"},
		"no signature":                  {half, away, "check signature failed.", "acl: signature"},
		"unknown account":               {sign("nobody", "reader-secret", remoting.GetRouteInfoByTopic), away, "User:nobody is not found.", "acl: unknown account"},
		"an account with a long name":   {sign(strings.Repeat("ä", 100), "reader-secret", remoting.GetRouteInfoByTopic), away, "User:" + strings.Repeat("ä", 32) + "... is not found.", "acl: unknown account"},
		"no account":                    {unsigned, away, "username cannot be null.", "acl: no account"},
		"an account without a name":     {sign("", "reader-secret", remoting.GetRouteInfoByTopic), away, "username cannot be null.", "acl: no account"},
		"nothing at all":                {&remoting.Command{Code: remoting.GetBrokerClusterInfo}, away, "username cannot be null.", "acl: no account"},
		"near, without its secret":      {sign("near", "another-secret", remoting.GetRouteInfoByTopic), "10.1.2.77", "", ""},
		"near, with more than its own":  {sign("near", "another-secret", remoting.RegisterBroker), "10.1.2.77", "User:near has no permission to access NameServer:register from 10.1.2.77, no matched policies.", "acl: permission"},
		"near, from afar":               {sign("near", "another-secret", remoting.GetRouteInfoByTopic), "10.1.3.77", "check signature failed.", "acl: signature"},
		"another from near":             {sign("reader", "another-secret", remoting.GetRouteInfoByTopic), "10.1.2.77", "check signature failed.", "acl: signature"},
		"a trusted address":             {&remoting.Command{Code: remoting.RegisterBroker}, "10.7.1.1", "", ""},
		"and what it may not":           {unsigned, "10.7.1.1", "username cannot be null.", "acl: no account"},
		"and with an account":           {sign("reader", "reader-secret", remoting.GetRouteInfoByTopic), "10.7.1.1", "", ""},
		"an unknown code from there":    {&remoting.Command{Code: 4711}, "10.7.1.1", "username cannot be null.", "acl: no account"},
	} {
		before := g.refused[c.reason]
		err := g.Authorize(c.cmd, netip.MustParseAddr(c.from))
		if c.text == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var r *Refusal
		if !errors.As(err, &r) || r.Error() != c.text || r.Code() != remoting.NoPermission || r.reason != c.reason {
			t.Errorf("%s: %v, want %q", name, err, c.text)
		}
		if g.refused[c.reason] != before+1 {
			t.Errorf("%s: %q is not counted", name, c.reason)
		}
	}
	said := strings.Join(g.log.take(), "")
	for _, secret := range []string{"secret", "Signature", javaSignature("another-secret", "")} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in the log:\n%s", secret, said)
		}
	}
}

func TestRefusalsAreLoggedOncePerPeerAndMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, "accounts:\n"+accountText("reader", "reader-secret", "read"))
		g.log.take()
		wrong := sign("reader", "another-secret", remoting.GetRouteInfoByTopic)
		ask := func(peer string) {
			if g.Authorize(wrong, netip.MustParseAddr(peer)) == nil {
				t.Error("it passes")
			}
		}
		for range 5 {
			ask("192.0.2.1")
		}
		ask("192.0.2.2")
		got := g.log.take()
		if len(got) != 2 || !strings.Contains(got[0], `msg="request refused" peer=192.0.2.1 code=GET_ROUTEINFO_BY_TOPIC accessKey=reader reason="acl: signature" refusedBefore=0`) ||
			!strings.Contains(got[1], "peer=192.0.2.2") {
			t.Errorf("logged %q", got)
		}
		time.Sleep(quiet.For)
		ask("192.0.2.1")
		if got := g.log.take(); len(got) != 1 || !strings.Contains(got[0], "refusedBefore=4") {
			t.Errorf("a minute later: %q", got)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, "accounts:\n"+accountText("first", "first-secret", "read"))
		if got := g.log.take(); len(got) != 1 || !strings.Contains(got[0], "accounts=1") {
			t.Errorf("at start: %q", got)
		}
		go g.Run(t.Context())
		look := func(times int) {
			time.Sleep(time.Duration(times) * g.o.PollInterval)
			synctest.Wait()
		}
		passes := func(key, secret string) bool {
			return g.Authorize(sign(key, secret, remoting.GetRouteInfoByTopic), netip.MustParseAddr("192.0.2.1")) == nil
		}
		look(3)
		if got := g.log.take(); got != nil || !passes("first", "first-secret") {
			t.Errorf("nothing has changed: %q", got)
		}

		time.Sleep(g.o.PollInterval / 2)                                         // between two looks
		g.write(t, "accounts:\n"+accountText("second", "second-secret", "read")) // being written
		look(1)
		if passes("second", "second-secret") || !passes("first", "first-secret") {
			t.Error("what is being written is in use")
		}
		g.log.take()
		g.write(t, "accounts:\n"+accountText("second", "second-secret", "read")+accountText("third", "third-secret", "read"))
		look(2)
		if got := g.log.take(); len(got) != 1 || !strings.Contains(got[0], "accounts=2") {
			t.Errorf("a new file: %q", got)
		}
		if passes("first", "first-secret") || !passes("second", "second-secret") || !passes("third", "third-secret") {
			t.Error("the new accounts are not in use")
		}
		g.log.take()

		for name, breakIt := range map[string]func(){
			"a fault":  func() { g.write(t, "accounts:\n"+accountText("fourth", "x", "read")) },
			"no file":  func() { os.Remove(g.path) },
			"no YAML":  func() { g.write(t, "accounts: [") },
			"too long": func() { g.write(t, strings.Repeat("#", maxFile+1)) },
		} {
			breakIt()
			look(5)
			if got := g.log.take(); len(got) != 1 || !strings.Contains(got[0], "those before stay in use") {
				t.Errorf("%s: %q", name, got)
			}
			if !passes("third", "third-secret") {
				t.Errorf("%s: the old accounts are not in use", name)
			}
		}
		g.write(t, "accounts:\n"+accountText("first", "first-secret", "read"))
		look(2)
		if got := g.log.take(); len(got) != 1 || !passes("first", "first-secret") || passes("third", "third-secret") {
			t.Errorf("mended: %q", got)
		}
		if s := g.Stats(); s != (Stats{Accounts: 1, Reloads: 2, Failures: 4}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yml")
	if err := os.WriteFile(broken, []byte("accounts:\n  - accessKey: a\n    secretKey: hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "absent.yml"): "no such file",
		dir:                              "is a directory",
		broken:                           "line 2: permissions are missing",
	} {
		g, err := Open(Options{Path: path, Log: slog.New(slog.DiscardHandler)})
		if g != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "accounts "+path+": ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
