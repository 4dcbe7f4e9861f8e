// Package docker gives tests a Docker engine: the one that answers, or one that
// runs until the test ends. As root on Debian it installs what it needs.
package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	// installTimeout is how long Debian's docker.io may take to download and install.
	installTimeout = 5 * time.Minute
	// engineTimeout is how long an engine may take to answer after its start.
	engineTimeout = 2 * time.Minute
	// stopTimeout is how long a process may take to end when asked to.
	stopTimeout = time.Minute
)

// Host returns a value of DOCKER_HOST at which an engine answers: the
// one that is there, or one that runs until the test ends.
func Host(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("docker"); err == nil && answers(t.Context(), os.Getenv("DOCKER_HOST")) == nil {
		return os.Getenv("DOCKER_HOST")
	}
	if os.Getuid() != 0 {
		t.Fatal("no Docker engine answers, and only root can start one: start it, or set DOCKER_HOST")
	}
	install(t)
	folder := t.TempDir()
	host := "unix://" + filepath.Join(folder, "docker.sock")
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	engine := exec.Command("dockerd", "--host", host, "--data-root", filepath.Join(folder, "data"),
		"--exec-root", filepath.Join(folder, "exec"), "--pidfile", filepath.Join(folder, "pid"))
	engine.Stdout, engine.Stderr = log, log
	if err := engine.Start(); err != nil {
		t.Fatalf("start dockerd: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- engine.Wait() }()
	t.Cleanup(func() {
		Stop(t, "dockerd", engine.Process, ended)
		// The engine leaves the host's network mounted, where a container had it.
		_ = exec.Command("umount", filepath.Join(folder, "exec", "netns", "default")).Run()
	})

	deadline := time.Now().Add(engineTimeout)
	for answers(t.Context(), host) != nil {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("dockerd ended: %v\n%s", err, Output(log.Name()))
		case <-time.After(500 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("dockerd does not answer after %v\n%s", engineTimeout, Output(log.Name()))
		}
	}
	return host
}

// install sees to it that docker and dockerd are there.
func install(t *testing.T) {
	t.Helper()
	_, noClient := exec.LookPath("docker")
	_, noEngine := exec.LookPath("dockerd")
	_, noFilter := exec.LookPath("iptables") // the engine's networks need it
	if errors.Join(noClient, noEngine, noFilter) == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "sh", "-c",
		"apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables").CombinedOutput()
	if err != nil {
		t.Fatalf("no Docker engine answers, and Debian's docker.io could not be installed: %v\n%s", err, out)
	}
}

// answers returns nil if an engine answers at host.
func answers(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "version")
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker version: %w\n%s", err, out)
	}
	return nil
}

// Stop asks a process to end, waits for it, and ends it if it does not.
func Stop(t *testing.T, name string, p *os.Process, ended <-chan error) {
	t.Helper()
	_ = p.Signal(syscall.SIGTERM) // it has ended then
	select {
	case <-ended:
	case <-time.After(stopTimeout):
		_ = p.Kill()
		t.Errorf("%s did not end within %v", name, stopTimeout)
	}
}

// Output is what a process wrote into a file.
func Output(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const shown = 8192
	return string(b[max(0, len(b)-shown):])
}
