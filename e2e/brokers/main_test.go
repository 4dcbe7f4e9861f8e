//go:build e2e

package brokers

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"signpost/e2e/peers"
)

var (
	versions = []string{peers.V480, peers.V497, peers.V533}

	// javaNameServer is the release to test instead of our own NameServer.
	javaNameServer = flag.String("nameserver", "", "test the Java NameServer of this `release` instead of ours")

	binary  string            // our NameServer
	classes map[string]string // the folder with the compiled clients, by release
	jars    map[string]string // the folder with RocketMQ's jars, by release
)

// buildTimeout bounds what happens before the first test: a build, and the
// download of the jars where they are not there.
const buildTimeout = 10 * time.Minute

// maxParallel bounds how many tests run at once, on however many processors:
// each runs up to four JVMs.
const maxParallel = 4

func TestMain(m *testing.M) {
	if runtime.GOMAXPROCS(0) > maxParallel {
		_ = flag.Set("test.parallel", strconv.Itoa(maxParallel)) // -parallel wins
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "signpost-brokers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Of all Java options these come last, so they win.
	if err := os.Setenv("_JAVA_OPTIONS", "-Drmq.logback.configurationFile="+filepath.Join(dir, "logback.xml")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := endFleet(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// warnings has what is built on 5.x log little: brokers their warnings, to
// their output, and nobody else anything.
const warnings = `<configuration>
  <appender name="out" class="org.apache.rocketmq.logging.ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%msg%n</pattern></encoder></appender>
  <logger name="RocketmqBroker" level="WARN"><appender-ref ref="out"/></logger>
  <root level="OFF"/>
</configuration>`

// build makes the NameServer, the clients and the configuration of logs.
func build(ctx context.Context, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "logback.xml"), []byte(warnings), 0o600); err != nil {
		return err
	}
	binary = filepath.Join(dir, "namesrv")
	if _, err := output(ctx, "go", "build", "-o", binary, "signpost/cmd/namesrv"); err != nil {
		return err
	}
	classes, jars = map[string]string{}, map[string]string{}
	for _, v := range versions {
		out, err := output(ctx, "bash", "../peers/peer.sh", "fetch", v)
		if err != nil {
			return err
		}
		jars[v] = filepath.Join(strings.TrimSpace(out), "lib", "*")
		classes[v] = filepath.Join(dir, v)
		if _, err := output(ctx, javaTool("javac"), "-proc:none", "-cp", jars[v], "-d", classes[v],
			"java/Producer.java", "java/Consumer.java"); err != nil {
			return err
		}
	}
	return nil
}

func javaTool(name string) string {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", name)
	}
	return name
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return string(out), nil
}
