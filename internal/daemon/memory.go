package daemon

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// lookInterval is how often saveMemory looks, quietBytes how much may have
	// been allocated since for the server to count as quiet, stormBytes how
	// much must have been since the last trim for one to be worth it, and
	// trimPause the least time between two.
	lookInterval = time.Second
	quietBytes   = 16 << 20
	stormBytes   = 16 << 20
	trimPause    = 10 * time.Second
	// leastRoom is about what may be allocated between two collections at least
	// while the server is quiet, in bytes, and leastPercent how much of what is
	// in use; usualPercent is that of a server that has just become busy (GOGC).
	leastRoom    = 4 << 20
	leastPercent = 15
	usualPercent = 100
	percentStep  = 25
	// busyRoom is leastRoom of a server that has been busy for busyLooks in a
	// row: one that answers 400,000 lookups in a second allocates 60 MB, and with
	// few brokers it would collect ten times in it. Nor need it have much more,
	// up to busyPercent: what stays from a storm is strewn over all that it took.
	busyRoom    = 32 << 20
	busyLooks   = 3
	busyPercent = 50
	// leastLive is what is in use at least, as far as percentages go.
	leastLive = 4 << 20
)

// saveMemory keeps the heap close to what is in use while the server is quiet,
// and gives memory back to the system once a storm is over. The collector
// alone would let the heap double, and keep what a thousand registrations at
// once have taken until as much is allocated again. A server that stays busy
// has room, so that it does not collect all the time.
func saveMemory(ctx context.Context, log *slog.Logger) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	samples := []runtimemetrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	t := thrift{percent: usualPercent}
	_, set := os.LookupEnv("GOGC")
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-ticker.C:
		}
		runtimemetrics.Read(samples)
		before := t.percent
		trim := t.look(now, samples[0].Value.Uint64(), samples[1].Value.Uint64())
		if t.percent != before && !set { // whoever set it knows better
			debug.SetGCPercent(t.percent)
		}
		if trim {
			debug.FreeOSMemory()
			if err := forgetCode(); err != nil {
				log.Debug("the memory of what is over is kept", "error", err)
			}
		}
	}
}

// thrift is what saveMemory has seen so far.
type thrift struct {
	before, trimmed uint64 // allocated until then, in all
	last            time.Time
	busy            int // looks in a row at which the server was
	percent         int // by which the heap may grow between two collections
}

// look takes in how much was allocated in all and how much was in use at the
// last collection. It sets percent, and says whether to trim.
func (t *thrift) look(now time.Time, allocated, live uint64) (trim bool) {
	quiet := allocated-t.before < quietBytes
	t.before = allocated
	switch t.busy++; {
	case quiet:
		t.busy, t.percent = 0, min(usualPercent, max(leastPercent, percentOf(leastRoom, live)))
	case t.busy >= busyLooks:
		t.percent = max(busyPercent, percentOf(busyRoom, live))
	default:
		t.percent = min(usualPercent, max(busyPercent, percentOf(busyRoom, live)))
	}
	if trim = quiet && allocated-t.trimmed > stormBytes && now.Sub(t.last) >= trimPause; trim {
		t.trimmed, t.last = allocated, now
	}
	return trim
}

// percentOf is how much of what is in use so many bytes are, in steps, for a
// new percentage stops the world for a moment.
func percentOf(room, live uint64) int {
	return int(room * 100 / max(live, leastLive) / percentStep * percentStep)
}
