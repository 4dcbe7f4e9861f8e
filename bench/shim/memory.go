//go:build linux

package shim

import (
	"context"
	"errors"
	"time"

	"signpost/bench/process"
)

// lookEvery is how often the shim's memory is read in a steady state.
const lookEvery = time.Second

// watched returns the most memory that the shim had while do ran, and Settle
// after it. Peak is of the shim's whole life.
func (w *world) watched(ctx context.Context, do func() error) (most process.Resident, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	look := func() error {
		r, err := w.shim.Memory()
		if r.Now >= most.Now {
			most = r
		}
		most.Peak = r.Peak
		return err
	}
	looked := make(chan error, 1)
	go func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			if err := look(); err != nil {
				looked <- err
				return
			}
			select {
			case <-ctx.Done():
				looked <- nil
				return
			case <-tick.C:
			}
		}
	}()
	err = do()
	if err == nil {
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-time.After(w.Settle):
		}
	}
	stop()
	return most, errors.Join(err, <-looked)
}
