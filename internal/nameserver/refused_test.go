package nameserver_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"signpost/internal/daemon/daemontest"
	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

// A broker that is turned down says the same every 30 s: a line a minute is
// enough, of each.
func TestARefusedRegistrationIsOneLineAMinute(t *testing.T) {
	log := &daemontest.Output{}
	f := start(t, func(o *nameserver.Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	c := f.dial()
	c.mustRegister(registration("b1", "10.0.0.1:10911", 0, "T", "U"))
	refused := func(addr string) {
		t.Helper()
		one := registration("b1", addr, 1, "T", "U")
		one.ExtFields[2].Value = "another" // clusterName
		if got := c.call(one); got.Code == remoting.Success {
			t.Fatal("it is accepted")
		}
	}
	want := func(lines int) {
		t.Helper()
		if n := strings.Count(log.String(), "registration refused"); n != lines {
			t.Errorf("%d lines, want %d", n, lines)
		}
	}
	for range 5 {
		refused("10.0.0.2:10911")
	}
	want(1)
	refused("10.0.0.3:10911")
	want(2)
	f.clock.Store(int64(time.Minute))
	refused("10.0.0.2:10911")
	if want(3); strings.Count(log.String(), "refusedBefore=4") != 1 {
		t.Error("it does not say how many were not told")
	}
}
