//go:build e2e

package parity

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"signpost/e2e/functions/stack"
	"signpost/e2e/shim/fleet"
	"signpost/internal/daemon/daemontest"
)

// shims is how many shims over the functions and DynamoDB Local are compared
// with Java, all told the same, instead of the NameServer in this process.
var shims = flag.Int("shims", 0, "compare `many` shims over the functions and DynamoDB Local instead of the NameServer")

// startOurs starts what is compared with Java, and returns the addresses.
func startOurs(t *testing.T, s setting) []string {
	t.Helper()
	if *shims == 0 {
		return []string{startHere(t, s.rules)}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // a machine without the SAM CLI downloads it
	defer cancel()
	f, err := fleet.New(ctx, "../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := f.Cloud(ctx, stack.Options{Parameters: fleet.Parameters(s.properties)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var addrs []string
	for range *shims {
		addrs = append(addrs, startShim(t, c, s.properties))
	}
	return addrs
}

var bootLine = regexp.MustCompile(`boot success\. serializeType=JSON, address (\S+)`)

// startShim starts a shim, which ends with the test at the latest, and returns
// its address.
func startShim(t *testing.T, c *fleet.Cloud, props []string) string {
	t.Helper()
	s, err := c.Shim(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out := &daemontest.Output{}
	args := append(s.Args, "--listenPort", "0", "--bindAddress", "127.0.0.1", "--beatMillis", "200")
	for _, p := range props {
		if key, value, _ := strings.Cut(p, "="); key != "scanNotActiveBrokerInterval" { // there is no such loop
			args = append(args, "--"+key, value)
		}
	}
	cmd := exec.Command(s.Program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), s.Env...), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // sent when the thread ends that started it
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		err := cmd.Start()
		if started <- err; err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("a shim said: %.4000s", out)
		}
	})
	var addr string
	err = poll(t.Context(), patience, func() (bool, error) {
		select {
		case <-ended:
			return false, fmt.Errorf("the shim ended: %s", out)
		default:
		}
		if m := bootLine.FindStringSubmatch(out.String()); m != nil {
			addr = m[1]
		}
		return addr != "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
