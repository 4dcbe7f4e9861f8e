//go:build e2e

package parity

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
	"signpost/e2e/peers"
	"signpost/internal/remoting"
)

// sequencesVariable names the environment variable that says how many random
// sequences each pair gets.
const sequencesVariable = "PARITY_SEQUENCES"

const defaultSequences = 60

// setting is a Java NameServer with its properties, and what they are here.
type setting struct {
	name       string
	version    string
	properties []string
	rules      core.Rules
	client     int32
}

var settings = []setting{
	{name: "5.3.3", version: peers.V533, client: remoting.V5_3_3, properties: []string{"scanNotActiveBrokerInterval=20"}},
	{
		name: "5.3.3 with options", version: peers.V533, client: remoting.V5_3_3,
		properties: []string{"scanNotActiveBrokerInterval=20", "supportActingMaster=true", "deleteTopicWithBrokerRegistration=true", "orderMessageEnable=true"},
		rules:      core.Rules{ActingMaster: true, DeleteTopicsOnRegistration: true, OrderMessages: true},
	},
	{name: "4.9.7", version: peers.V497, client: remoting.V4_9_7, properties: []string{"orderMessageEnable=true"}, rules: core.Rules{OrderMessages: true}},
}

// bench is a pair that is up, for many sequences.
type bench struct {
	setting
	pair Pair
	next int // number of the next sequence
}

func TestSameAsJava(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			b := start(t, s)
			t.Run("past failures", b.pastFailures)
			t.Run("random", b.random)
		})
	}
}

// start starts both servers and makes them alike in what outlives a sequence:
// the namespace of order configurations exists.
func start(t *testing.T, s setting) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	java, err := peers.StartNameServer(ctx, s.version, s.properties...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := java.Stop(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{setting: s, pair: Pair{
		Java: NewServer(java.Addr, s.client), Here: NewServer(startHere(t, s.rules), s.client), Old: s.client < remoting.V5_0_0,
		Deletes: s.rules.DeleteTopicsOnRegistration,
	}}
	t.Cleanup(func() { b.pair.Java.Close(); b.pair.Here.Close() })
	run := b.pair.NewRun(b.number())
	for _, step := range []Step{PutKV{0, 0, "x"}, DeleteKV{0, 0}} {
		if rest, err := run.Do(ctx, step); err != nil || len(rest) > 0 {
			t.Fatalf("%v: %v, %v", step, rest, err)
		}
	}
	return b
}

func (b *bench) number() int { b.next++; return b.next }

// random compares the servers over random sequences.
func (b *bench) random(t *testing.T) {
	setChecks(t)
	accepted := map[string]int{}
	steps := 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		run := b.pair.NewRun(b.number())
		defer func() {
			if err := run.CleanUp(ctx); err != nil {
				t.Errorf("after sequence %d: %v", b.next, err)
			}
			for name, n := range run.Accepted {
				accepted[name] += n
			}
			steps += len(run.Steps)
		}()
		m := newModel(b.pair.Old, b.rules)
		rt.Repeat(generator{m}.actions(func(rt *rapid.T, s Step) {
			rest, err := run.Do(ctx, s)
			if err != nil {
				rt.Fatalf("%v\nafter\n%s", err, Source(run.Steps))
			}
			if len(rest) > 0 {
				rt.Fatalf("different from Java %s:\n%s\nafter\n%s", b.name, Summary(rest), Source(run.Steps))
			}
			m.apply(s)
		}))
	})
	t.Logf("%d steps; accepted differences met: %v", steps, accepted)
}

// setChecks tells rapid how many sequences to run, unless the command line did.
func setChecks(t *testing.T) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if given {
		return
	}
	n := defaultSequences
	if v := os.Getenv(sequencesVariable); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n <= 0 {
			t.Fatalf("%s=%q is no positive number", sequencesVariable, v)
		}
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // failures go to the table as programs
		t.Fatal(err)
	}
}

func (b *bench) pastFailures(t *testing.T) {
	for _, p := range past {
		if p.old != b.pair.Old && p.only {
			continue
		}
	}
}

var past []struct{ old, only bool }
