//go:build linux

package shim

import (
	"time"

	"signpost/e2e/functions/stack"
)

// count is what a shim has taken so far.
type count struct {
	at    time.Time
	calls int
	kinds []int
	units stack.Units
	cpu   time.Duration
}

func (w *world) count() (c count, err error) {
	c = count{at: time.Now(), calls: w.link.Calls(""), units: w.cloud.DynamoDB.Units()}
	for _, kind := range kinds {
		c.kinds = append(c.kinds, w.link.Calls(kind))
	}
	c.cpu, err = w.shim.CPU()
	return c, err
}
