package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"signpost/core"
)

// half accepts half of what it is told.
type half struct{ err error }

func (h half) Publish(_ context.Context, events []core.Event) (int, error) {
	return len(events) / 2, h.err
}

// TestWhatTheBusRefusesIsNotLogged: it comes again, and is logged then.
func TestWhatTheBusRefusesIsNotLogged(t *testing.T) {
	var out bytes.Buffer
	counted := 0
	l := eventLog{to: half{errors.New("no")}, log: slog.New(slog.NewTextHandler(&out, nil)), events: func(core.EventKind) { counted++ }}
	n, err := l.Publish(t.Context(), []core.Event{{Kind: core.BrokerRegistered, Broker: "b1"}, {Kind: core.BrokerEvicted, Broker: "b1"}})
	if n != 1 || err == nil || counted != 1 {
		t.Errorf("%d accepted, %d counted, %v", n, counted, err)
	}
	if s := out.String(); !strings.Contains(s, "BrokerRegistered") || strings.Contains(s, "BrokerEvicted") {
		t.Errorf("logged %s", s)
	}
}
