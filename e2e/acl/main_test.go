//go:build e2e

package acl

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signpost/e2e/peers"
)

// buildTimeout bounds what happens before the first test: a build, and the
// download of the jars where they are not there.
const buildTimeout = 10 * time.Minute

var (
	versions = []string{peers.V480, peers.V497, peers.V533}

	update = flag.Bool("update", false, "write internal/acl/testdata/signed.tsv")

	binary   string            // the NameServer
	logback  string            // a configuration of logs: none, but for brokers' warnings
	programs map[string]string // the class path of the programs in java, by release
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "signpost-acl-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(ctx context.Context, dir string) error {
	logback = filepath.Join(dir, "logback.xml")
	if err := os.WriteFile(logback, []byte(`<configuration>
  <appender name="out" class="org.apache.rocketmq.logging.ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%msg%n</pattern></encoder></appender>
  <logger name="RocketmqBroker" level="WARN"><appender-ref ref="out"/></logger>
  <root level="OFF"/>
</configuration>`), 0o600); err != nil {
		return err
	}
	binary = filepath.Join(dir, "namesrv")
	if _, err := output(ctx, "go", "build", "-o", binary, "signpost/cmd/namesrv"); err != nil {
		return err
	}
	programs = map[string]string{}
	for _, v := range versions {
		out, err := output(ctx, "bash", "../peers/peer.sh", "fetch", v)
		if err != nil {
			return err
		}
		jars, classes := filepath.Join(strings.TrimSpace(out), "lib", "*"), filepath.Join(dir, v)
		if _, err := output(ctx, javaTool("javac"), "-encoding", "UTF-8", "-proc:none", "-cp", jars, "-d", classes,
			"java/Vectors.java", "java/Client.java"); err != nil {
			return err
		}
		programs[v] = classes + ":" + jars
	}
	return nil
}

func javaTool(name string) string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", name)
	}
	return name
}

// java runs one of the programs in java with a release's jars and returns what
// it printed.
func java(ctx context.Context, version, home string, options []string, program string, args ...string) (string, error) {
	all := append([]string{"-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Duser.home=" + home,
		"-Drmq.logback.configurationFile=" + logback, "--add-opens=java.base/java.nio=ALL-UNNAMED",
		"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED"}, options...)
	all = append(all, "-cp", programs[version], program)
	return output(ctx, javaTool("java"), append(all, args...)...)
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s\n%s", name, strings.Join(args, " "), err, out, said.String())
	}
	return string(out), nil
}
