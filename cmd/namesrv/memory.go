package main

import (
	"context"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// gcPercent trades a little work for a heap that stays near what it
	// holds: nearly all work here is reading and writing sockets.
	gcPercent = 50
	// trimInterval is how often trimMemory looks, and quietBytes how much may
	// have been allocated since for the server to count as quiet.
	trimInterval = time.Second
	quietBytes   = 4 << 20
	// slackBytes may lie about unused, beside half of what is in use.
	slackBytes = 4 << 20
)

// trimMemory gives memory back to the system once a storm is over. The
// collector alone would keep what a thousand registrations at once have taken,
// for minutes or until as much is allocated again.
func trimMemory(ctx context.Context) {
	debug.SetGCPercent(gcPercent)
	ticker := time.NewTicker(trimInterval)
	defer ticker.Stop()
	samples := []runtimemetrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"}, // as of the last collection
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, // not given back yet
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	var allocated uint64
	trimmed := false // and nothing was done since
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		runtimemetrics.Read(samples)
		v := func(i int) uint64 { return samples[i].Value.Uint64() }
		quiet := v(0)-allocated < quietBytes
		trimmed = trimmed && v(0)-allocated < quietBytes/16
		allocated = v(0)
		if live, held := v(1), v(2)+v(3)+v(4); quiet && !trimmed && held > live+live/2+slackBytes {
			debug.FreeOSMemory()
			trimmed = true
		}
	}
}
