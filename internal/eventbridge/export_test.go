package eventbridge

import "time"

// SetClock sets what tells the time.
func (s *Sink) SetClock(now func() time.Time) { s.now = now }
