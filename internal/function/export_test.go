package function

import (
	"context"
	"time"
)

// Wait replaces how a sweeper waits.
func (s *Sweeper) Wait(f func(ctx context.Context, d time.Duration) error) { s.wait = f }
