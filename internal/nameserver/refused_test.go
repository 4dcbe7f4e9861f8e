package nameserver_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"signpost/internal/nameserver"
	"signpost/internal/remoting"
)

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) count(part string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), part)
}

// A broker that is turned down says the same every 30 s: a line a minute is
// enough, of each.
func TestARefusedRegistrationIsOneLineAMinute(t *testing.T) {
	log := &logBuffer{}
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
		if n := log.count("registration refused"); n != lines {
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
	if want(3); log.count("refusedBefore=4") != 1 {
		t.Error("it does not say how many were not told")
	}
}
