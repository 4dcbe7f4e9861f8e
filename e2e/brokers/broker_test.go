//go:build e2e

package brokers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"signpost/e2e/peers"
)

const (
	// brokerTimeout is how long a broker may take to start, and to register.
	brokerTimeout = 90 * time.Second
	// adminTimeout is how long an mqadmin command may take.
	adminTimeout = 120 * time.Second
	// soon is for what has to happen without any timeout of the protocol.
	soon = 30 * time.Second
	// period is how often brokers register here, the shortest they know.
	period = 10 * time.Second
)

// startBroker starts a broker that is killed at the end of the test, at the
// latest.
func startBroker(t *testing.T, version, name, namesrv string, props ...string) *peers.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), brokerTimeout)
	defer cancel()
	props = append([]string{
		// The first transaction check makes a topic, at a time of its own choosing.
		"transactionCheckInterval=3600000",
		// A machine that is too busy to store a message within these is no fault
		// of the NameServer.
		"waitTimeMillsInSendQueue=60000", "osPageCacheBusyTimeOutMills=60000",
	}, props...)
	b, err := peers.StartBroker(ctx, version, name, namesrv, props...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		showIfFailed(t, "broker "+name+" "+version, b.Output)
		remove(t, b)
	})
	return b
}

// remove ends a process and deletes its files.
func remove(t *testing.T, p *peers.Process) {
	t.Helper()
	if err := p.Kill9(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

// again are the properties of a broker that comes back with its files. The
// folder of the ended one stays until the end of the test.
func again(b *peers.Process) []string {
	_, port, _ := strings.Cut(b.Addr, ":")
	return []string{"listenPort=" + port, "storePathRootDir=" + b.Dir + "/store", "storePathCommitLog=" + b.Dir + "/store/commitlog"}
}

// freeze stops the process where it is; its connections stay open.
func freeze(t *testing.T, b *peers.Process) {
	t.Helper()
	if err := syscall.Kill(b.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func thaw(t *testing.T, b *peers.Process) {
	t.Helper()
	if err := syscall.Kill(b.PID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// admin is mqadmin of a version, for one NameServer, or several with ";" between them.
type admin struct {
	version, namesrv string
	options          string // of its JVM
}

// late is what mqadmin prints when it gave up on a peer, after 3 to 5 seconds.
var late = regexp.MustCompile(`wait response on the channel <[^>]*> timeout|sendDefaultImpl call timeout`)

// run runs one subcommand and returns what it printed to standard output, and
// to standard error. The tool ends with 0 also when the command failed; then
// it prints why. It runs twice more when a peer was late: on a busy machine any
// may be, and who never answers is late again.
func (a admin) run(t *testing.T, subcommand string, args ...string) (out, failure string) {
	t.Helper()
	for range 3 {
		if out, failure = a.once(t, subcommand, args...); !late.MatchString(out + failure) {
			break
		}
		t.Logf("mqadmin %s: a peer was late:\n%s%s", subcommand, out, failure)
	}
	return out, failure
}

func (a admin) once(t *testing.T, subcommand string, args ...string) (out, failure string) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), adminTimeout, fmt.Errorf("took longer than %v", adminTimeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{"../peers/peer.sh", "mqadmin", a.version, subcommand, "-n", a.namesrv}, args...)...)
	cmd.Env = append(os.Environ(), "PEER_RUN="+t.TempDir(), "PEER_GUARD=1", "JAVA_TOOL_OPTIONS="+a.options)
	cmd.WaitDelay = time.Second
	if _, err := cmd.StdinPipe(); err != nil { // open as long as this process lives
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("mqadmin %s %s: %v\n%s\n%s", subcommand, strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// expect runs a subcommand that must print all of the wanted texts.
func (a admin) expect(t *testing.T, want []string, subcommand string, args ...string) {
	t.Helper()
	out, failure := a.run(t, subcommand, args...)
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("mqadmin %s %s: no %q in what it printed:\n%s%s", subcommand, strings.Join(args, " "), w, out, failure)
		}
	}
}

// expectRoute runs topicRoute, which must print the route as describe has it.
func (a admin) expectRoute(t *testing.T, topic, want string) {
	t.Helper()
	out, failure := a.run(t, "topicRoute", "-t", topic)
	if got := describe(topic, []byte(out)); got != want {
		t.Errorf("mqadmin topicRoute -t %s: got %q, want %q; it printed:\n%s%s", topic, got, want, out, failure)
	}
}

// client runs one of the programs in java with a version's client library.
func client(t *testing.T, version, program, namesrv, topic, last string) *process {
	t.Helper()
	return start(t, program+" "+version+" of "+topic, javaTool("java"), nil, "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Duser.home="+t.TempDir(),
		"--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
		"-cp", classes[version]+":"+jars[version], program, namesrv, topic, last)
}

// startConsumer starts a consumer of 4.x or 5.x and waits until it runs: one
// whose NameServer goes away before that ends. One whose question about its
// topic is not answered within 3 s, on a busy machine, gives up and stays: it is
// started again.
func startConsumer(t *testing.T, version, namesrv, topic, group string) *process {
	t.Helper()
	p := client(t, version, "Consumer", namesrv, topic, group)
	await(t, brokerTimeout, p.name+" to start", func() string {
		switch {
		case len(p.lines("started")) > 0:
			return ""
		case p.ended():
			t.Fatalf("%s ended", p.name)
		case strings.Contains(p.output(), "RemotingTimeoutException"):
			p.end(t, syscall.SIGKILL)
			p = client(t, version, "Consumer", namesrv, topic, group)
		}
		return "not started yet"
	})
	return p
}

// awaitSends waits until a producer has sent n messages more.
func awaitSends(t *testing.T, producer *process, n int) {
	t.Helper()
	sent := len(producer.lines("ok"))
	await(t, soon+brokerTimeout, producer.name+" to send", func() string {
		if done := len(producer.lines("ok")) - sent; done < n {
			return fmt.Sprintf("%d of %d sent", done, n)
		}
		return ""
	})
}

// sent are the bodies that a producer has sent.
func sent(producer *process) []string {
	var bodies []string
	for _, line := range producer.lines("ok") {
		bodies = append(bodies, strings.Fields(line)[1])
	}
	return bodies
}

// sendFresh has a client that knows nothing yet send a message and returns
// what became of it.
func sendFresh(t *testing.T, producer *process, body string) string {
	t.Helper()
	if _, err := fmt.Fprintln(producer.stdin, body); err != nil {
		t.Fatal(err)
	}
	var result string
	await(t, soon, producer.name+" to send "+body+" by a new client", func() string {
		for _, line := range producer.lines("ok", "failed") {
			if strings.Fields(line)[1] == body {
				result = line
				return ""
			}
		}
		return "no result yet"
	})
	return result
}

// awaitMessages waits until a consumer has got all bodies.
func awaitMessages(t *testing.T, within time.Duration, consumer *process, bodies []string) {
	t.Helper()
	await(t, within, fmt.Sprintf("%s to get %d messages", consumer.name, len(bodies)), func() string {
		got := map[string]bool{}
		for _, line := range consumer.lines("got") {
			got[strings.TrimPrefix(line, "got ")] = true
		}
		for _, b := range bodies {
			if !got[b] {
				return fmt.Sprintf("%q has not come; %d have", b, len(got))
			}
		}
		return ""
	})
}
