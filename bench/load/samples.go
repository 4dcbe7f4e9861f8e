package load

import (
	"slices"
	"time"
)

// Samples are the latencies of answers, each kept, so that percentiles are
// exact.
type Samples struct {
	micros []uint32
	sorted bool
}

// maxSamples bounds the memory of one measurement; what comes after is
// counted by nobody. It is minutes of the fastest server.
const maxSamples = 1 << 25

// Add adds one latency, with a resolution of a microsecond and up to an hour.
func (s *Samples) Add(d time.Duration) {
	if len(s.micros) < maxSamples {
		s.micros = append(s.micros, uint32(min(max(d, 0), time.Hour).Microseconds()))
		s.sorted = false
	}
}

// Merge adds those of other, which stays as it is.
func (s *Samples) Merge(other *Samples) {
	s.micros = append(s.micros, other.micros[:min(len(other.micros), maxSamples-len(s.micros))]...)
	s.sorted = false
}

// Len returns the number of samples.
func (s *Samples) Len() int { return len(s.micros) }

// Percentile returns the smallest sample that at least p percent of all do not
// exceed (the nearest-rank method), and 0 without samples.
func (s *Samples) Percentile(p float64) time.Duration {
	n := len(s.micros)
	if n == 0 {
		return 0
	}
	if !s.sorted {
		slices.Sort(s.micros)
		s.sorted = true
	}
	rank := int(p / 100 * float64(n))
	if float64(rank) < p/100*float64(n) {
		rank++
	}
	rank = min(max(rank, 1), n)
	return time.Duration(s.micros[rank-1]) * time.Microsecond
}
