// Package storetest is the contract of core.Store as tests: every
// implementation passes Run.
//
// Nothing is assumed that a store on the far side of a network could not
// promise: no atomicity over two calls, no particular versions or revisions,
// and times to the millisecond. Names are unique to each test, so that a store
// may hold what earlier tests left.
package storetest

import (
	"context"
	"testing"
	"time"

	"signpost/core"
)

// epoch is when the tests begin. Stores read no clock.
var epoch = time.Date(2031, 5, 6, 7, 8, 9, 123e6, time.UTC)

// Option adjusts how much Run does.
type Option func(*config)

type config struct {
	sequences int
	steps     int
	writers   int
}

// Sequences sets how many random sequences of at most how many calls are
// compared with a model; 40 of 40 if it is not given. After each call about
// ten others read what it left.
func Sequences(n, steps int) Option { return func(c *config) { c.sequences, c.steps = n, steps } }

// Writers sets how many goroutines contend where some do; 4 if it is not given.
func Writers(n int) Option { return func(c *config) { c.writers = n } }

// Run tests the contract. Each test opens a store for itself. It may be one
// that others have used, but nobody else may use it at the time.
func Run(t *testing.T, open func(t *testing.T) core.Store, opts ...Option) {
	cfg := config{sequences: 40, steps: 40, writers: 4}
	for _, o := range opts {
		o(&cfg)
	}
	for _, part := range []struct {
		name  string
		tests []test
	}{
		{"Group", groupTests},
		{"Renew", renewTests},
		{"Topics", topicTests},
		{"Mappings", mappingTests},
		{"Revision", revisionTests},
		{"Session", sessionTests},
		{"KV", kvTests},
		{"Contention", contentionTests},
		{"Model", modelTests},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, test := range part.tests {
				t.Run(test.name, func(t *testing.T) {
					test.run(newClient(t, open(t), cfg))
				})
			}
		})
	}
}

// test is one test of the contract.
type test struct {
	name string
	run  func(*client)
}

// timeout bounds one test against a slow store.
const timeout = 2 * time.Minute

func newContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(cancel)
	return ctx
}
