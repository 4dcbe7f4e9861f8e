package config

import (
	"path/filepath"
	"testing"
)

func TestConfigFileFromTheEnvironment(t *testing.T) {
	one, two := file(t, "listenPort=1"), file(t, "listenPort=2")
	if c := mustLoad(t, nil, []string{"SIGNPOST_CONFIG_FILE=" + one}); c.Listen.Port != 1 || c.File != one {
		t.Errorf("%+v", c)
	}
	if c := mustLoad(t, []string{"-c", two}, []string{"SIGNPOST_CONFIG_FILE=" + one}); c.Listen.Port != 2 || c.File != two {
		t.Errorf("%+v", c)
	}
}

// Java's default of rocketmqHome is ROCKETMQ_HOME, so the file wins over it.
func TestRocketmqHome(t *testing.T) {
	environ := []string{"ROCKETMQ_HOME=/opt/env"}
	c := mustLoad(t, nil, environ)
	if got := listing(t, c)["rocketmqHome"]; got != "/opt/env" {
		t.Errorf("%q", got)
	}
	if n := c.Notices(); len(n) > 0 {
		t.Errorf("everybody has ROCKETMQ_HOME: %q", n)
	}
	c = mustLoad(t, []string{"-c", file(t, "rocketmqHome=/opt/file")}, environ)
	if got := listing(t, c)["rocketmqHome"]; got != "/opt/file" {
		t.Errorf("%q", got)
	}
}

func TestUnknownVariablesAreNoticed(t *testing.T) {
	c := mustLoad(t, nil, []string{"SIGNPOST_LISTENPORT=1", "SIGNPOST_HTTP_ADDRESS=:80", "SIGNPOSTS=2", "HOME=/root", "SIGNPOST_PPROF",
		// of a Kubernetes service called signpost
		"SIGNPOST_SERVICE_HOST=10.0.0.1", "SIGNPOST_SERVICE_PORT=9876", "SIGNPOST_SERVICE_PORT_TCP=9876", "SIGNPOST_PORT=tcp://10.0.0.1:9876",
		"SIGNPOST_PORT_9876_TCP=tcp://10.0.0.1:9876", "SIGNPOST_PORT_9876_TCP_PROTO=tcp", "SIGNPOST_PORT_9876_TCP_PORT=9876", "SIGNPOST_PORT_9876_TCP_ADDR=10.0.0.1"})
	wantNotices(t, c, "SIGNPOST_HTTP_ADDRESS in the environment", "SIGNPOST_LISTENPORT in the environment")
}

func TestHomeDirIsAbsolute(t *testing.T) {
	if home := HomeDir(); !filepath.IsAbs(home) {
		t.Errorf("home directory %q", home)
	}
}
