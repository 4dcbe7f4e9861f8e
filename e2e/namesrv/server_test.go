//go:build e2e

package namesrv

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/daemon/daemontest"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

// patience bounds every wait for something that is to happen soon.
const patience = time.Minute

// server is a NameServer in a process of its own.
type server struct {
	t         *testing.T
	out       *daemontest.Output
	cmd       *exec.Cmd
	ended     chan struct{} // closed when it has, with err
	err       error
	addr, web string
}

var (
	bootLine = regexp.MustCompile(`boot success\. serializeType=JSON, address (\S+)`)
	webLine  = regexp.MustCompile(`httpAddr=(127\S+)`)
)

// launch starts a NameServer over the table, and waits until it serves.
func launch(t *testing.T, table string, args ...string) *server {
	t.Helper()
	s := begin(t, table, args...)
	wait(t, "it does not serve", func() bool {
		if s.hasEnded() {
			t.Fatalf("it ended: %v\n%s", s.err, s.out)
		}
		boot, web := bootLine.FindStringSubmatch(s.out.String()), webLine.FindStringSubmatch(s.out.String())
		if boot == nil || web == nil {
			return false
		}
		s.addr, s.web = boot[1], "http://"+web[1]
		return true
	})
	return s
}

func begin(t *testing.T, table string, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, out: &daemontest.Output{}, ended: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{
		"--listenPort", "0", "--bindAddress", "127.0.0.1", "--httpAddr", "127.0.0.1:0",
		"--store", "dynamodb:" + table, "--kvConfigPath", filepath.Join(dir, "kvConfig.json"),
	}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.Env = append(os.Environ(), "AWS_REGION="+region, "AWS_ENDPOINT_URL_DYNAMODB="+endpoint, "AWS_ACCESS_KEY_ID=local",
		"AWS_SECRET_ACCESS_KEY=local", "AWS_PROFILE=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
		if t.Failed() {
			t.Logf("%s:\n%s", s.addr, s.out)
		}
	})
	return s
}

func (s *server) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// end sends a signal and waits for the end.
func (s *server) end(signal os.Signal) error {
	s.t.Helper()
	s.cmd.Process.Signal(signal)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("it runs on after %v", signal)
	}
	return s.err
}

// wait polls until the condition holds.
func wait(t *testing.T, complaint string, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !until(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
	}
}

func (s *server) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// call sends one request on a connection, its own if c is nil.
func (s *server) call(c net.Conn, cmd remoting.Command) remoting.Command {
	s.t.Helper()
	if c == nil {
		c = s.dial()
		defer c.Close()
	}
	c.SetDeadline(time.Now().Add(patience))
	cmd.Opaque, cmd.Version = 7, remoting.V5_3_3
	if _, err := c.Write(remoting.AppendFrame(nil, &cmd)); err != nil {
		s.t.Fatal(err)
	}
	var got remoting.Command
	if err := remoting.NewReader(c, nil).Next(&got); err != nil {
		s.t.Fatal(err)
	}
	return got
}

// http makes one call of the HTTP API.
func (s *server) http(method, path, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.web+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func fields(pairs ...string) remoting.Fields {
	var f remoting.Fields
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, remoting.Field{Key: pairs[i], Value: pairs[i+1]})
	}
	return f
}

// register registers a broker on a connection, with the topic that all have
// and one of its own.
func (s *server) register(c net.Conn, broker, addr string, more ...string) {
	s.t.Helper()
	var content core.Content
	for _, name := range []string{topic, broker + "-own"} {
		content.Topics = append(content.Topics, core.Topic{Name: name, Queues: core.Queues{Read: 4, Write: 4, Perm: 6}})
	}
	got := s.call(c, remoting.Command{
		Code:      remoting.RegisterBroker,
		ExtFields: append(fields("brokerName", broker, "brokerAddr", addr, "clusterName", "c", "brokerId", "0", "haServerAddr", addr), fields(more...)...),
		Body:      wire.AppendRegistration(nil, content, wire.JSON5),
	})
	if got.Code != remoting.Success {
		s.t.Fatalf("register %s: %d %s", broker, got.Code, got.Remark)
	}
}

// topic is what all brokers have.
const topic = "%RETRY%billing"

// brokers are those of the names that the topic's route has, over TCP.
func (s *server) brokers(names ...string) string {
	s.t.Helper()
	got := s.call(nil, remoting.Command{Code: remoting.GetRouteInfoByTopic, ExtFields: fields("topic", topic)})
	var found []string
	for _, name := range names {
		if strings.Contains(string(got.Body), fmt.Sprintf(`"brokerName":%q`, name)) {
			found = append(found, name)
		}
	}
	return strings.Join(found, " ")
}

// hungUp waits until the server has so many connections, and has drawn its
// conclusions from the end of the others.
func (s *server) hungUp(left int) {
	s.t.Helper()
	wait(s.t, "connections do not end", func() bool {
		_, text := s.http(http.MethodGet, "/metrics", "")
		return strings.Contains(text, fmt.Sprintf("signpost_connections %d\n", left))
	})
}

var sigterm, sigkill os.Signal = syscall.SIGTERM, syscall.SIGKILL
