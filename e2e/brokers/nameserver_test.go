//go:build e2e

package brokers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"signpost/core"
	"signpost/e2e/peers"
	"signpost/e2e/shim/link"
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

// nameServer is the NameServer under test: ours, a Java one, or some shims that
// stand for one. It can be ended and started again with the same ports and
// files.
type nameServer struct {
	addr string // what brokers and clients are given

	fronts []*front
	next   int            // of the fronts, which is asked next
	java   *peers.Process // instead of a front
}

// front is one process of ours, NameServer or shim.
type front struct {
	name, program  string
	addr, httpAddr string
	dir, kept      string // its files, and where it keeps what it knows
	props          []string
	args, env      []string   // beside props
	link           *link.Link // to the API, of a shim
	run            *process
}

// startNameServer starts a NameServer with the given key=value properties.
func startNameServer(t *testing.T, props ...string) *nameServer {
	t.Helper()
	return startNameServerIn(t, t.TempDir(), props...)
}

// startNameServerIn starts a NameServer whose files are in dir.
func startNameServerIn(t *testing.T, dir string, props ...string) *nameServer {
	t.Helper()
	switch {
	case *javaNameServer != "":
		n := &nameServer{}
		port := strconv.Itoa(freePort(t))
		n.addr = net.JoinHostPort("127.0.0.1", port)
		n.startJava(t, append([]string{"listenPort=" + port, "kvConfigPath=" + filepath.Join(dir, "kvConfig.json")}, props...)...)
		return n
	case *shims > 0:
		return startShims(t, *shims, props...)
	}
	f := newFront(t, "NameServer", binary, dir, props...)
	f.props = append(f.props, "store="+f.kept, "kvConfigPath="+filepath.Join(dir, "kvConfig.json"))
	f.start(t)
	return together(f)
}

// together are processes that are one NameServer to brokers and clients.
func together(fronts ...*front) *nameServer {
	n := &nameServer{fronts: fronts}
	var addrs []string
	for _, f := range fronts {
		addrs = append(addrs, f.addr)
	}
	n.addr = strings.Join(addrs, ";")
	return n
}

// newFront returns a process that is not started yet.
func newFront(t *testing.T, name, program, dir string, props ...string) *front {
	t.Helper()
	port, web := strconv.Itoa(freePort(t)), strconv.Itoa(freePort(t))
	f := &front{program: program, dir: dir, kept: filepath.Join(dir, "signpost.db"), addr: net.JoinHostPort("127.0.0.1", port), httpAddr: net.JoinHostPort("127.0.0.1", web)}
	f.name = name + " " + f.addr
	f.props = append([]string{"listenPort=" + port, "httpAddr=" + f.httpAddr}, props...)
	return f
}

// start starts the process, also one that has ended, and waits until it
// accepts connections.
func (f *front) start(t *testing.T) {
	t.Helper()
	args := slices.Clone(f.args)
	for _, p := range f.props {
		key, value, _ := strings.Cut(p, "=")
		args = append(args, "--"+key, value)
	}
	f.run = start(t, f.name, f.program, f.env, args...)
	await(t, startTimeout, f.name+" to listen", func() string {
		if f.run.ended() {
			t.Fatalf("%s ended", f.name)
		}
		conn, err := net.Dial("tcp", f.addr)
		if err != nil {
			return err.Error()
		}
		conn.Close()
		return ""
	})
}

// kill9 ends it as a crash would.
func (f *front) kill9(t *testing.T) {
	t.Helper()
	f.run.end(t, syscall.SIGKILL)
}

// stop ends it as an operator would.
func (f *front) stop(t *testing.T) {
	t.Helper()
	f.run.end(t, syscall.SIGTERM)
	if code := f.run.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s ended with %d after SIGTERM, want 0", f.name, code)
	}
}

// startJava starts a Java NameServer.
func (n *nameServer) startJava(t *testing.T, props ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	p, err := peers.StartNameServer(ctx, *javaNameServer, props...)
	if err != nil {
		t.Fatal(err)
	}
	n.java = p
	t.Cleanup(func() { remove(t, p) })
}

// start starts what has ended again.
func (n *nameServer) start(t *testing.T) {
	t.Helper()
	for _, f := range n.fronts {
		f.start(t)
	}
}

// kill9 ends it as a crash would.
func (n *nameServer) kill9(t *testing.T) {
	t.Helper()
	for _, f := range n.fronts {
		f.kill9(t)
	}
	if n.java != nil {
		if err := n.java.Kill9(); err != nil {
			t.Fatal(err)
		}
	}
}

// stop ends it as an operator would.
func (n *nameServer) stop(t *testing.T) {
	t.Helper()
	for _, f := range n.fronts {
		f.stop(t)
	}
	if n.java != nil {
		if err := n.java.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// forget deletes what it has kept in files.
func (n *nameServer) forget(t *testing.T) {
	t.Helper()
	for _, f := range n.fronts {
		if err := os.RemoveAll(f.kept); err != nil {
			t.Fatal(err)
		}
	}
}

// configured are some keys that it tells of, and their values.
func (n *nameServer) configured() map[string]string {
	_, port, _ := net.SplitHostPort(n.addrs()[0])
	told := map[string]string{"listenPort": port}
	if *shims == 0 { // shims have neither
		told["orderMessageEnable"] = "true"
		if n.java == nil {
			told["kvConfigPath"] = filepath.Join(n.fronts[0].dir, "kvConfig.json")
		}
	}
	return told
}

// addrs are where its processes are.
func (n *nameServer) addrs() []string { return strings.Split(n.addr, ";") }

// ask asks one of its processes, each in its turn.
func (n *nameServer) ask(code remoting.Code, body []byte, ext ...remoting.Field) (remoting.Command, error) {
	addrs := n.addrs()
	n.next++
	return askAt(addrs[n.next%len(addrs)], code, body, ext...)
}

// askAt sends one request on a connection of its own and returns the answer.
func askAt(addr string, code remoting.Code, body []byte, ext ...remoting.Field) (remoting.Command, error) {
	var answer remoting.Command
	conn, err := net.DialTimeout("tcp", addr, askTimeout)
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

// routeTo describes where the topic is, by all its processes.
func (n *nameServer) routeTo(topic string) string {
	var first string
	for i, addr := range n.addrs() {
		got := routeAt(addr, topic)
		if i == 0 {
			first = got
		} else if got != first {
			return fmt.Sprintf("%s says %q, %s %q", n.addrs()[0], first, addr, got)
		}
	}
	return first
}

// routeAt describes where the topic is, in one line. What it lacks, and what
// goes wrong, is said in words too.
func routeAt(addr, topic string) string {
	answer, err := askAt(addr, remoting.GetRouteInfoByTopic, nil, remoting.Field{Key: "topic", Value: topic})
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

// describe is routeAt for the JSON of a route.
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

// metrics are the values of the line of /metrics that starts with the given
// text, of all processes that have it.
func (n *nameServer) metrics(t *testing.T, name string) []string {
	t.Helper()
	var values []string
	for _, f := range n.fronts {
		if v := f.metric(t, name); v != "" {
			values = append(values, v)
		}
	}
	return values
}

// metric is the value of a line of /metrics that starts with the given text,
// and "" if there is none.
func (f *front) metric(t *testing.T, name string) string {
	t.Helper()
	_, text := f.get(t, "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// get asks the HTTP port.
func (f *front) get(t *testing.T, path string) (status int, text string) {
	t.Helper()
	client := http.Client{Timeout: askTimeout}
	answer, err := client.Get("http://" + f.httpAddr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}
