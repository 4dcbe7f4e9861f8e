package daemon

import (
	"context"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// trimInterval is how often trimMemory looks, quietBytes how much may have
	// been allocated since for the server to count as quiet, stormBytes how
	// much must have been since the last trim for one to be worth it, and
	// trimPause the least time between two.
	trimInterval = time.Second
	quietBytes   = 4 << 20
	stormBytes   = 16 << 20
	trimPause    = 10 * time.Second
)

// trimMemory gives memory back to the system once a storm is over. The
// collector alone would keep what a thousand registrations at once have taken,
// until as much is allocated again.
func trimMemory(ctx context.Context) {
	ticker := time.NewTicker(trimInterval)
	defer ticker.Stop()
	samples := []runtimemetrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var before, trimmed uint64 // allocated until then, in all
	var last time.Time
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-ticker.C:
		}
		runtimemetrics.Read(samples)
		allocated := samples[0].Value.Uint64()
		quiet := allocated-before < quietBytes
		before = allocated
		if quiet && allocated-trimmed > stormBytes && now.Sub(last) >= trimPause {
			debug.FreeOSMemory()
			trimmed, last = allocated, now
		}
	}
}
