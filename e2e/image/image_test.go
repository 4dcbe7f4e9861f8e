//go:build e2e

package image_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signpost/e2e/docker"
)

const (
	buildTimeout = 5 * time.Minute
	startTimeout = time.Minute
	image        = "signpost-e2e"
)

// TestImage builds the image and runs both programs as their user, with their
// state in the volume.
func TestImage(t *testing.T) {
	e := engine{t, docker.Host(t)}
	e.run(buildTimeout, "make", "-C", "../..", "image", "IMAGE="+image)
	defer e.run(startTimeout, "docker", "rmi", "-f", image)
	for _, c := range []struct {
		program, ready string
		args           []string
	}{
		{"shim", "nothing is known, and the API cannot be asked", []string{"--endpoint", "http://" + freeAddr(t), "--signing", "none"}},
		{"namesrv", "ready", nil},
	} {
		t.Run(c.program, func(t *testing.T) {
			e := engine{t, e.host}
			listen, web := freeAddr(t), freeAddr(t)
			_, port, _ := net.SplitHostPort(listen)
			args := []string{"docker", "run", "-d", "--network", "host", "--entrypoint", "/usr/local/bin/" + c.program, image,
				"--listenPort", port, "--bindAddress", "127.0.0.1", "--httpAddr", web}
			id := strings.TrimSpace(e.run(startTimeout, append(args, c.args...)...))
			defer e.run(startTimeout, "docker", "rm", "-f", "-v", id)
			if got := e.ready("http://" + web); !strings.Contains(got, c.ready) {
				t.Errorf("/readyz says %q, not %q", got, c.ready)
			}
			e.run(startTimeout, "docker", "stop", id)
			if code := strings.TrimSpace(e.run(startTimeout, "docker", "inspect", "-f", "{{.State.ExitCode}}", id)); code != "0" {
				t.Errorf("it ends with %s\n%s", code, e.run(startTimeout, "docker", "logs", id))
			}
		})
	}
}

type engine struct {
	t    *testing.T
	host string
}

// run runs a command that has to succeed, and returns what it prints.
func (e engine) run(within time.Duration, command ...string) string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.t.Context()), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host)
	out, err := cmd.CombinedOutput()
	if err != nil {
		e.t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

// ready waits until the program lives, and returns what it says of itself.
func (e engine) ready(url string) string {
	e.t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	var last error
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var text string
		if text, last = get(&client, url+"/healthz"); last != nil {
			continue
		}
		if text, last = get(&client, url+"/readyz"); last == nil && !strings.Contains(text, "starting") {
			return text
		}
	}
	e.t.Fatalf("it does not start: %v", last)
	return ""
}

func get(client *http.Client, url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, 4096))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", url, err)
	}
	return string(text), nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
