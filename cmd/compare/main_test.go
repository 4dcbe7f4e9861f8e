package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signpost/internal/compare"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a NameServer with topics, and no broker.
type fake struct {
	addr   string
	topics atomic.Pointer[[]string]
	asked  atomic.Int64 // for its topics
}

func (f *fake) set(topics ...string) { f.topics.Store(&topics) }

func start(t *testing.T, topics ...string) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, l, topics...)
}

func startOn(t *testing.T, l net.Listener, topics ...string) *fake {
	t.Helper()
	f := &fake{addr: l.Addr().String()}
	f.set(topics...)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	r := remoting.NewReader(c, nil)
	for {
		var cmd remoting.Command
		if r.Next(&cmd) != nil {
			return
		}
		answer := cmd.Reply(remoting.Success)
		switch cmd.Code {
		case remoting.GetBrokerClusterInfo:
			answer.Body = wire.AppendClusterInfo(nil, nil)
		case remoting.GetAllTopicListFromNameServer:
			f.asked.Add(1)
			answer.Body = wire.AppendTopicList(nil, *f.topics.Load(), "")
		case remoting.GetKVListByNamespace:
			answer.Code = remoting.QueryNotFound
		case remoting.GetRouteInfoByTopic:
			answer.Code = remoting.TopicNotExist
		default:
			answer.Body = wire.AppendTopicList(nil, nil, "")
		}
		if _, err := c.Write(remoting.AppendFrame(nil, &answer)); err != nil {
			return
		}
	}
}

func TestExitCodes(t *testing.T) {
	a, b, c := start(t, "t"), start(t, "t"), start(t, "u")
	for _, x := range []struct {
		args string
		code int
		out  string
		err  string
	}{
		{a.addr + " " + b.addr, same, "say the same of 0 brokers and 1 topics", ""},
		{a.addr + " " + c.addr, differ, "topic u  A -      B there\n", ""},
		{"--ignore topic/t --ignore */u " + a.addr + " " + c.addr, same, "(2 differences are ignored)", ""},
		{"127.0.0.1:1 " + a.addr, trouble, "", "127.0.0.1:1: clusters: dial tcp"},
		{"-h", same, "", "--wait"},
		{"", trouble, "", "want two NameServers"},
		{a.addr, trouble, "", "want two NameServers"},
		{"--account absent.yml " + a.addr + " " + b.addr, trouble, "", "account: open absent.yml"},
		{"--account main.go " + a.addr + " " + b.addr, trouble, "", "account: main.go is not YAML with accessKey and secretKey"},
		{"--trust absent.pem " + a.addr + " " + b.addr, trouble, "", "trust: open absent.pem"},
		{"--trust main.go " + a.addr + " " + b.addr, trouble, "", "trust: main.go has no certificate"},
		{a.addr + " b", trouble, "", "b is not HOST:PORT"},
		{a.addr + " b:", trouble, "", "b: is not HOST:PORT"},
		{"--nope", trouble, "", "unknown flag"},
		{"--connections 0 " + a.addr + " " + b.addr, trouble, "", "must be positive"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(x.args), &stdout, &stderr); code != x.code || !strings.Contains(stdout.String(), x.out) ||
			!strings.Contains(stderr.String(), x.err) || (x.err == "") != (stderr.Len() == 0) {
			t.Errorf("compare %s: %d\n%s%s", x.args, code, &stdout, &stderr)
		}
	}
}

func TestJSON(t *testing.T) {
	a, b := start(t, "a&b"), start(t)
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--json", a.addr, b.addr}, &stdout, &stderr); code != differ {
		t.Errorf("code %d: %s", code, &stderr)
	}
	var r compare.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || r.Equal || len(r.Differences) != 1 || !strings.Contains(stdout.String(), `"a&b"`) {
		t.Errorf("%v: %s", err, &stdout)
	}
}

func TestWaitingUntilTheyAreEqual(t *testing.T) {
	a, b := start(t, "t"), start(t)
	done := make(chan int)
	var stdout, stderr bytes.Buffer
	go func() { done <- run(t.Context(), []string{"--wait", "1m", a.addr, b.addr}, &stdout, &stderr) }()
	for deadline := time.Now().Add(30 * time.Second); b.asked.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not compared again")
		}
	}
	b.set("t")
	if code := <-done; code != same || strings.Count(stdout.String(), "\n") != 1 {
		t.Errorf("code %d\n%s%s", code, &stdout, &stderr)
	}
}

func TestWithTLSOrWithout(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	web.Close() // only its certificate is needed
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := startOn(t, tls.NewListener(l, &tls.Config{Certificates: web.TLS.Certificates}), "t")
	plain := start(t, "t")
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(trusted, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args []string
		code int
	}{
		{[]string{"--trust", trusted}, same}, {[]string{"--insecure"}, same}, {nil, trouble},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append(x.args, plain.addr, "tls://"+secure.addr), &stdout, &stderr); code != x.code {
			t.Errorf("%v: %d\n%s%s", x.args, code, &stdout, &stderr)
		}
	}
}
