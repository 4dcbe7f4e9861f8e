package dynamo

import (
	"sync"
	"time"

	"signpost/core"
)

// NearUnits is half of the 1,000 write units a second that one partition of
// DynamoDB takes: there it is time to tell somebody.
const NearUnits = 500

// beatPeriod is how often a gateway beats for its session at least.
const beatPeriod = 5 * time.Second

// loadWindow is the shortest time over which a rate is told.
const loadWindow = time.Second

// load is what the partition of the revision and the sessions takes, the one
// place where all changes meet: of all processes together, for the revision
// counts everybody's changes.
type load struct {
	mu    sync.Mutex
	since time.Time // when the revision was from
	from  core.Revision
	beats float64 // write units a second by sessions' beats
	peak  float64
}

// saw takes in what the partition holds at a moment. Whoever does not know of
// sessions says that there are none.
func (l *load) saw(log changeLog, sessions int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sessions > 0 {
		l.beats = float64(sessions) / beatPeriod.Seconds()
	}
	took := now.Sub(l.since)
	if l.since.IsZero() || took < 0 || log.revision < l.from {
		l.since, l.from = now, log.revision
		return
	}
	if took < loadWindow {
		return
	}
	each := 1 + log.size()/1024 // what one change of the log's item takes
	changes := float64(log.revision-l.from) * float64(each) / took.Seconds()
	l.peak = max(l.peak, changes+l.beats)
	l.since, l.from = now, log.revision
}

// PartitionUnits returns the most write units a second that partition V was
// seen to take since it was asked last, by all processes together; 0 if
// nothing was seen. It is an estimate, an average over a second at least.
func (s *Store) PartitionUnits() float64 {
	s.load.mu.Lock()
	defer s.load.mu.Unlock()
	peak := s.load.peak
	s.load.peak = 0
	return peak
}
