package daemon

import (
	"testing"
	"time"
)

// A large heap is kept small while the server is quiet, and trimmed once after
// each storm, not more often than that helps.
func TestThrift(t *testing.T) {
	const large, small = 8 * leastRoom, leastRoom / 8
	var thrift thrift
	var allocated uint64
	now := time.Unix(1000, 0)
	for i, step := range []struct {
		bytes, live uint64
		percent     int
		trim        bool
	}{
		{bytes: 1 << 20, live: small, percent: usualPercent},
		{bytes: 1 << 20, live: large / 2, percent: 25},
		{bytes: 1 << 20, live: large, percent: leastPercent},
		{bytes: 1 << 20, live: 100 * large, percent: leastPercent},
		{bytes: 2 * stormBytes, live: large, percent: usualPercent}, // nothing is trimmed in the midst of it
		{bytes: 2 * stormBytes, live: large, percent: usualPercent},
		{bytes: 1 << 20, live: large, percent: leastPercent, trim: true},
		{bytes: 2 * stormBytes, live: large, percent: usualPercent},
		{live: large, percent: leastPercent}, // too soon
		{live: large, percent: leastPercent}, {live: large, percent: leastPercent}, {live: large, percent: leastPercent},
		{live: large, percent: leastPercent}, {live: large, percent: leastPercent}, {live: large, percent: leastPercent},
		{live: large, percent: leastPercent},
		{live: large, percent: leastPercent, trim: true},
		{live: large, percent: leastPercent},
		// Who stays busy has room, as long as that lasts.
		{bytes: 2 * stormBytes, live: small, percent: usualPercent},
		{bytes: 2 * stormBytes, live: small, percent: usualPercent},
		{bytes: 2 * stormBytes, live: small, percent: 800},
		{bytes: 2 * stormBytes, live: busyRoom / 2, percent: 200},
		{bytes: 2 * stormBytes, live: busyRoom / 2, percent: 200},
		{bytes: 2 * stormBytes, live: large, percent: usualPercent},
		{bytes: 2 * stormBytes, live: small, percent: 800},
		{live: small, percent: usualPercent}, // too soon
		{bytes: 2 * stormBytes, live: small, percent: usualPercent},
		{live: small, percent: usualPercent, trim: true},
		{bytes: 2 * stormBytes, live: 3 * busyRoom, percent: busyPercent},
	} {
		now = now.Add(time.Second)
		allocated += step.bytes
		if trim := thrift.look(now, allocated, step.live); thrift.percent != step.percent || trim != step.trim {
			t.Errorf("%d: %d %%, trim %v, want %d, %v", i, thrift.percent, trim, step.percent, step.trim)
		}
	}
}
