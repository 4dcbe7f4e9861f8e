//go:build linux

package measure

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"signpost/bench/canned"
	"signpost/bench/process"
	"signpost/bench/report"
)

// TestRows: keys are unique, targets refer to rows that exist, parts to parts,
// and every part has a row to judge.
func TestRows(t *testing.T) {
	keys := map[string]bool{}
	judged := map[string]bool{}
	for _, r := range Rows {
		if keys[r.Key] {
			t.Errorf("two rows %s", r.Key)
		}
		keys[r.Key] = true
		judged[r.Part] = judged[r.Part] || len(r.Targets) > 0
	}
	for _, r := range Rows {
		for _, target := range r.Targets {
			if target.Of != "" && (!keys[target.Of] || target.OfName == "") {
				t.Errorf("the target %v of %s refers to %q", target, r.Key, target.Of)
			}
		}
	}
	if len(judged) != len(Parts) {
		t.Errorf("rows have parts %v, there are %v", judged, Parts)
	}
	for _, p := range Parts {
		if !judged[p] {
			t.Errorf("part %s has no target", p)
		}
	}
}

func serveCanned(t *testing.T) *process.Process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := canned.Server{Route: Small.Route(0)}
	go func() { _ = s.Serve(l) }()
	return process.Attach(netip.MustParseAddrPort(l.Addr().String()), os.Getpid())
}

var short = Options{
	Parts: []string{PartRoute, PartSingle, PartRegister, PartBig}, Rounds: 1,
	Time: 16 * time.Millisecond, Warmup: 9 * time.Millisecond,
}

// The rows of one process are all filled by a server that answers everything.
func TestRatesFillTheirRows(t *testing.T) {
	b := &bench{
		Subject: Subject{Server: report.Canned, Canned: true}, options: short, values: report.Values{},
		log: slog.New(slog.DiscardHandler), process: serveCanned(t),
	}
	if err := b.rates(context.Background(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := inTurns(context.Background(), []*bench{b}); err != nil {
		t.Fatal(err)
	}
	for _, r := range Rows {
		if !short.wants(r.Part) {
			continue
		}
		if _, ok := b.values.Median(r.Key, report.Canned); !ok {
			t.Errorf("%s is not measured", r.Key)
		}
	}
	for key := range b.values {
		found := false
		for _, r := range Rows {
			found = found || r.Key == key
		}
		if !found {
			t.Errorf("the value %s has no row", key)
		}
	}
}

// A server whose answers are wrong, as the canned one's are for all topics
// but one, gets no numbers.
func TestWrongAnswersEndTheRun(t *testing.T) {
	_, err := short.Attach(context.Background(), slog.New(slog.DiscardHandler), serveCanned(t))
	if err == nil || !strings.Contains(err.Error(), "route of app-t") {
		t.Errorf("the error is %v", err)
	}
}
