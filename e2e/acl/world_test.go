//go:build e2e

package acl

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signpost/e2e/peers"
	"signpost/internal/remoting"
)

const (
	// brokerTimeout is how long a broker may take to start, to register, and
	// to be gone.
	brokerTimeout = 2 * time.Minute
	// soon is for what has to happen without any timeout of the protocol.
	soon = 30 * time.Second
	// javaTimeout is how long a client or mqadmin may take.
	javaTimeout = 2 * time.Minute
)

// nameServer is bin/namesrv with access control.
type nameServer struct {
	t        *testing.T
	addr     string
	web      string
	accounts string // the file
	log      string // a file, too
}

var (
	bootLine = regexp.MustCompile(`The Name Server boot success\. serializeType=JSON, address (\S+)`)
	webLine  = regexp.MustCompile(`httpAddr=(\S+)`)
)

func startNameServer(t *testing.T, accounts string) *nameServer {
	t.Helper()
	dir := t.TempDir()
	n := &nameServer{t: t, accounts: filepath.Join(dir, "accounts.yml"), log: filepath.Join(dir, "log")}
	n.write(accounts)
	out, err := os.Create(n.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(binary, "--bindAddress", "127.0.0.1", "--listenPort", "0", "--httpAddr", "127.0.0.1:0", "--store", "memory",
		"--kvConfigPath", filepath.Join(dir, "kv.json"), "--aclEnable", "--aclFile", n.accounts)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		stuck := time.AfterFunc(soon, func() { _ = cmd.Process.Kill() })
		defer stuck.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the NameServer ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the NameServer said:\n%s", n.said())
		}
	})
	await(t, soon, "the NameServer to serve", func() string {
		said := n.said()
		boot, web := bootLine.FindStringSubmatch(said), webLine.FindStringSubmatch(said)
		if boot == nil || web == nil {
			return "it said " + said
		}
		n.addr, n.web = boot[1], "http://"+web[1]
		return ""
	})
	return n
}

// write replaces the file of accounts, at once as people should.
func (n *nameServer) write(accounts string) {
	n.t.Helper()
	next := n.accounts + ".new"
	if err := os.WriteFile(next, []byte(accounts), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(next, n.accounts); err != nil {
		n.t.Fatal(err)
	}
}

func (n *nameServer) said() string {
	b, err := os.ReadFile(n.log)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

// metric returns the value of a line of /metrics, "" if there is none.
func (n *nameServer) metric(name string) string {
	n.t.Helper()
	client := http.Client{Timeout: soon}
	res, err := client.Get(n.web + "/metrics")
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}

func (n *nameServer) awaitMetric(what, name string) {
	n.t.Helper()
	await(n.t, brokerTimeout, what, func() string {
		if n.metric(name) == "" {
			return "no " + name
		}
		return ""
	})
}

// route asks for a topic as an account does and returns the answer's code and
// text.
func (n *nameServer) route(account, secret, topic string) (remoting.Code, string) {
	n.t.Helper()
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(account + topic)) // by the order of the fields' names
	cmd := remoting.Command{Code: remoting.GetRouteInfoByTopic, Version: remoting.V5_3_3, Opaque: 7, ExtFields: remoting.Fields{
		{Key: "AccessKey", Value: account}, {Key: "topic", Value: topic},
		{Key: "Signature", Value: base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}}
	c, err := net.DialTimeout("tcp", n.addr, soon)
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(soon)); err != nil {
		n.t.Fatal(err)
	}
	if _, err := c.Write(remoting.AppendFrame(nil, &cmd)); err != nil {
		n.t.Fatal(err)
	}
	var got remoting.Command
	if err := remoting.NewReader(c, nil).Next(&got); err != nil {
		n.t.Fatal(err)
	}
	return got.Code, got.Remark + string(got.Body)
}

// everywhere is a topic that every broker has.
const everywhere = "BenchmarkTest"

// knows says whether a broker is here.
func (n *nameServer) knows(broker string) bool {
	n.t.Helper()
	_, text := n.route("operators", operators, everywhere)
	return strings.Contains(text, `"brokerName":"`+broker+`"`)
}

func (n *nameServer) awaitBroker(broker string, here bool) {
	n.t.Helper()
	await(n.t, brokerTimeout, fmt.Sprintf("%s to be here: %v", broker, here), func() string {
		if n.knows(broker) != here {
			return "it is otherwise"
		}
		return ""
	})
}

// startBroker starts a broker in a zone that is killed at the end of the test.
func startBroker(t *testing.T, version, name, zone, namesrv string, props ...string) *peers.Process {
	t.Helper()
	t.Setenv("_JAVA_OPTIONS", "-Drmq.logback.configurationFile="+logback+" -Drocketmq.zone="+zone)
	defer os.Unsetenv("_JAVA_OPTIONS") // or all Java programs after it had its zone
	ctx, cancel := context.WithTimeout(t.Context(), brokerTimeout)
	defer cancel()
	b, err := peers.StartBroker(ctx, version, name, namesrv, append([]string{"registerNameServerPeriod=10000"}, props...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if said := b.Output(); t.Failed() {
			t.Logf("broker %s said:\n%s", name, said[max(0, len(said)-4096):])
		}
		if err := b.Kill9(); err != nil {
			t.Error(err)
		}
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// credentials are the properties that have a broker sign what it says. It
// keeps the account as one of its own, too, and does not start without a place
// for that; whether it asks others for signatures is another matter.
func credentials(account, secret string) []string {
	return []string{
		fmt.Sprintf(`innerClientAuthenticationCredentials={"accessKey":"%s","secretKey":"%s"}`, account, secret),
		"authenticationMetadataProvider=org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider",
	}
}

// mqadmin runs a command with the credentials in a tools.yml, or without one,
// and returns all that it printed. The tool ends with 0 also when the command
// failed.
func (n *nameServer) mqadmin(version, account, secret string, args ...string) string {
	n.t.Helper()
	home := n.t.TempDir()
	conf := filepath.Join(home, "conf")
	if err := os.Mkdir(conf, 0o700); err != nil {
		n.t.Fatal(err)
	}
	files := map[string]string{"logback_tools.xml": `<configuration><root level="OFF"/></configuration>`}
	if account != "" {
		files["tools.yml"] = "accessKey: " + account + "\nsecretKey: " + secret + "\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o600); err != nil {
			n.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(n.t.Context(), javaTimeout)
	defer cancel()
	args = append([]string{"../peers/peer.sh", "mqadmin", version, args[0], "-n", n.addr}, args[1:]...)
	cmd := exec.CommandContext(ctx, "bash", args...)
	// Of all Java options these come last, so they win.
	cmd.Env = append(os.Environ(), "PEER_RUN="+n.t.TempDir(), "PEER_GUARD=1",
		"_JAVA_OPTIONS=-Drocketmq.home.dir="+home+" -Drmq.logback.configurationFile="+logback)
	cmd.WaitDelay = time.Second
	if _, err := cmd.StdinPipe(); err != nil { // open as long as this process lives
		n.t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.t.Fatalf("mqadmin %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// relay is a way to the NameServer on which requests come from another address.
func relay(t *testing.T, to, from string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: soon}
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := d.DialContext(ctx, "tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			stop := context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			carry := func(a, b net.Conn) {
				_, _ = io.Copy(a, b) // until either end closes
				a.Close()
				b.Close()
				stop()
			}
			wg.Go(func() { carry(in, out) })
			wg.Go(func() { carry(out, in) })
		}
	})
	return l.Addr().String()
}

// await polls look until nothing is missing any more, which it says with "".
func await(t *testing.T, within time.Duration, what string, look func() (missing string)) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		missing := look()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %s", within, what, missing)
		}
	}
}
