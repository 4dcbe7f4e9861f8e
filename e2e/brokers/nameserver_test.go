//go:build e2e

package brokers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"signpost/core"
	"signpost/e2e/peers"
	"signpost/internal/remoting"
	"signpost/internal/wire"
)

const (
	// startTimeout is how long a NameServer may take until it accepts
	// connections; the Java one needs it.
	startTimeout = 60 * time.Second
	// askTimeout is how long an answer may take, as clients have it.
	askTimeout = 3 * time.Second
)

// nameServer is the NameServer under test. It can be ended and started again
// with the same port and files.
type nameServer struct {
	addr, httpAddr string

	dir   string
	props []string
	run   *process       // ours
	java  *peers.Process // or the Java one
}

// startNameServer starts a NameServer with the given key=value properties.
func startNameServer(t *testing.T, props ...string) *nameServer {
	t.Helper()
	return startNameServerIn(t, t.TempDir(), props...)
}

// startNameServerIn starts a NameServer whose files are in dir.
func startNameServerIn(t *testing.T, dir string, props ...string) *nameServer {
	t.Helper()
	port, web := strconv.Itoa(freePort(t)), strconv.Itoa(freePort(t))
	n := &nameServer{
		addr: net.JoinHostPort("127.0.0.1", port), httpAddr: net.JoinHostPort("127.0.0.1", web), dir: dir,
		props: append([]string{"listenPort=" + port, "kvConfigPath=" + filepath.Join(dir, "kvConfig.json")}, props...),
	}
	if *javaNameServer == "" {
		n.props = append(n.props, "store="+n.store(), "httpAddr="+n.httpAddr)
	}
	n.start(t)
	return n
}

func (n *nameServer) store() string { return filepath.Join(n.dir, "signpost.db") }

// start starts the NameServer, also one that has ended, and waits until it
// accepts connections.
func (n *nameServer) start(t *testing.T) {
	t.Helper()
	if *javaNameServer != "" {
		ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
		defer cancel()
		p, err := peers.StartNameServer(ctx, *javaNameServer, n.props...)
		if err != nil {
			t.Fatal(err)
		}
		n.java = p
		t.Cleanup(func() { remove(t, p) })
		return
	}
	var args []string
	for _, p := range n.props {
		key, value, _ := strings.Cut(p, "=")
		args = append(args, "--"+key, value)
	}
	n.run = start(t, "NameServer "+n.addr, binary, args...)
	await(t, startTimeout, "the NameServer to listen", func() string {
		if n.run.ended() {
			t.Fatal("the NameServer ended")
		}
		conn, err := net.Dial("tcp", n.addr)
		if err != nil {
			return err.Error()
		}
		conn.Close()
		return ""
	})
}

// kill9 ends it as a crash would.
func (n *nameServer) kill9(t *testing.T) {
	t.Helper()
	if n.java != nil {
		if err := n.java.Kill9(); err != nil {
			t.Fatal(err)
		}
		return
	}
	n.run.end(t, syscall.SIGKILL)
}

// stop ends it as an operator would.
func (n *nameServer) stop(t *testing.T) {
	t.Helper()
	if n.java != nil {
		if err := n.java.Stop(); err != nil {
			t.Fatal(err)
		}
		return
	}
	n.run.end(t, syscall.SIGTERM)
	if code := n.run.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the NameServer ended with %d after SIGTERM, want 0", code)
	}
}

// ask sends one request on a connection of its own and returns the answer.
func (n *nameServer) ask(code remoting.Code, body []byte, ext ...remoting.Field) (remoting.Command, error) {
	var answer remoting.Command
	conn, err := net.DialTimeout("tcp", n.addr, askTimeout)
	if err != nil {
		return answer, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(askTimeout)) // only fails on a closed connection
	request := remoting.Command{Code: code, Language: "JAVA", Version: remoting.V5_3_3, Opaque: 7, ExtFields: ext, Body: body}
	if _, err := conn.Write(remoting.AppendFrame(nil, &request)); err != nil {
		return answer, err
	}
	err = remoting.NewReader(conn, func(remoting.Code) int { return remoting.MaxFrame }).Next(&answer)
	return answer, err
}

// routeTo describes where the topic is, in one line. What it lacks, and what
// goes wrong, is said in words too.
func (n *nameServer) routeTo(topic string) string {
	answer, err := n.ask(remoting.GetRouteInfoByTopic, nil, remoting.Field{Key: "topic", Value: topic})
	switch {
	case err != nil:
		return "no answer: " + err.Error()
	case answer.Code == remoting.TopicNotExist:
		return "no route"
	case answer.Code != remoting.Success:
		return fmt.Sprintf("code %d: %s", answer.Code, answer.Remark)
	}
	return describe(topic, answer.Body)
}

// describe is routeTo for the JSON of a route.
func describe(topic string, body []byte) string {
	r, err := wire.DecodeRoute(topic, body)
	if err != nil {
		return fmt.Sprintf("unreadable route: %v: %.200s", err, body)
	}
	var parts []string
	for _, b := range r.Brokers {
		parts = append(parts, describeBroker(r, b))
	}
	for _, row := range r.Rows {
		if !slices.ContainsFunc(r.Brokers, func(b core.RouteBroker) bool { return b.Name == row.Broker }) {
			parts = append(parts, row.Broker+" without addresses")
		}
	}
	if r.HasOrderConf {
		parts = append(parts, "order "+r.OrderConf)
	}
	return strings.Join(parts, "; ")
}

func describeBroker(r *core.Route, b core.RouteBroker) string {
	var addrs []string
	for _, a := range b.Addrs {
		addrs = append(addrs, fmt.Sprintf("%d=%s", a.ID, a.Addr))
	}
	queues := "no queues"
	for _, row := range r.Rows {
		if row.Broker == b.Name {
			queues = fmt.Sprintf("r%d w%d perm %d", row.Queues.Read, row.Queues.Write, row.Queues.Perm)
		}
	}
	return fmt.Sprintf("%s of %s at %s: %s", b.Name, b.Cluster, strings.Join(addrs, " "), queues)
}

// awaitRoute waits until the route of the topic is as described.
func (n *nameServer) awaitRoute(t *testing.T, within time.Duration, topic, want string) {
	t.Helper()
	await(t, within, "the route of "+topic, func() string {
		if got := n.routeTo(topic); got != want {
			return fmt.Sprintf("got %q, want %q", got, want)
		}
		return ""
	})
}

// topics are all topics that have a route.
func (n *nameServer) topics() ([]string, error) {
	answer, err := n.ask(remoting.GetAllTopicListFromNameServer, nil)
	if err != nil {
		return nil, err
	}
	if answer.Code != remoting.Success {
		return nil, fmt.Errorf("code %d: %s", answer.Code, answer.Remark)
	}
	names, _, err := wire.DecodeTopicList(answer.Body)
	return names, err
}

// kv is one value of the KV configuration.
func (n *nameServer) kv(namespace, key string) string {
	answer, err := n.ask(remoting.GetKVConfig, nil, remoting.Field{Key: "namespace", Value: namespace}, remoting.Field{Key: "key", Value: key})
	if err != nil {
		return "no answer: " + err.Error()
	}
	if answer.Code == remoting.QueryNotFound {
		return "none"
	}
	value, _ := answer.ExtFields.Get("value")
	return value
}

// metric is the value of a line of /metrics that starts with the given text,
// and "" if there is none.
func (n *nameServer) metric(t *testing.T, name string) string {
	t.Helper()
	client := http.Client{Timeout: askTimeout}
	answer, err := client.Get("http://" + n.httpAddr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (n *nameServer) port() string {
	_, port, _ := net.SplitHostPort(n.addr)
	return port
}
