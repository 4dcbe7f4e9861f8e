package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"signpost/core"
)

// kvLogInterval is Java's (NamesrvController: kvConfigManager.printAllPeriodically).
const kvLogInterval = 10 * time.Minute

// logKV lists the KV configuration.
func logKV(log *slog.Logger, table map[string]map[string]string) {
	for _, namespace := range slices.Sorted(maps.Keys(table)) {
		for _, key := range slices.Sorted(maps.Keys(table[namespace])) {
			log.Info("KV", "namespace", namespace, "key", key, "value", table[namespace][key])
		}
	}
}

// eventLog is the Sink of the local NameServer: a line and a count for each
// change of state, none for a heartbeat.
type eventLog struct {
	to     core.Sink // told first, if not nil; what it does not accept comes again
	log    *slog.Logger
	events func(core.EventKind)
}

// Publish accepts what to accepts, and everything without it.
func (l eventLog) Publish(ctx context.Context, events []core.Event) (n int, err error) {
	n = len(events)
	if l.to != nil {
		n, err = l.to.Publish(ctx, events)
	}
	for _, e := range events[:n] {
		attrs := []any{"cluster", e.Cluster, "broker", e.Broker}
		switch e.Kind {
		case core.MassExpiryHeld:
			attrs = []any{"since", e.At, "gateways", e.Count}
		case core.TopicRouteChanged:
			attrs = append(attrs, "topics", e.Count, "first", e.Topics[:min(len(e.Topics), 3)])
		default:
			attrs = append(attrs, "id", e.ID, "addr", e.Addr)
		}
		if e.OldAddr != "" {
			attrs = append(attrs, "other", e.OldAddr)
		}
		l.log.Info(string(e.Kind), append(attrs, "revision", e.Revision)...)
		l.events(e.Kind)
	}
	return n, err
}
