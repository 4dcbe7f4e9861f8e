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

// How many there are without it. Through shims each step takes many calls of
// functions.
const (
	defaultSequences = 80
	shimSequences    = 4
)

// shimTime ends a sequence through shims on a slow machine: nothing in it renews
// what it registers, and after two minutes that is gone.
const shimTime = time.Minute

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
			if *shims == 0 { // they are decided on the same way, a hundred steps further away
				t.Run("accepted", b.acceptedDifferences)
			}
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
		Java: NewServer(java.Addr, s.client), Old: s.client < remoting.V5_0_0,
		Deletes: s.rules.DeleteTopicsOnRegistration, Settles: *shims > 0,
	}}
	for i, addr := range startOurs(t, s) {
		if i == 0 {
			b.pair.Here = NewServer(addr, s.client)
		} else {
			b.pair.Beside = append(b.pair.Beside, NewServer(addr, s.client))
		}
	}
	t.Cleanup(b.pair.Close)
	run := b.pair.NewRun(b.number())
	if err := b.pair.awaitReady(ctx, run.names); err != nil {
		t.Fatal(err)
	}
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
	setRapid(t)
	accepted, met := map[string]int{}, map[string]int{}
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
		m := newModel(b.pair.Old, b.rules, met)
		began := time.Now()
		rt.Repeat(generator{m}.actions(func(rt *rapid.T, s Step) {
			if *shims > 0 && time.Since(began) > shimTime {
				return
			}
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
	if !t.Failed() && *shims == 0 { // some sequences more would be too slow
		b.reached(t, met)
	}
	t.Logf("%d steps\nsituations met: %v\naccepted differences met: %v", steps, met, accepted)
}

// reached fails the test if the generator has not come to what it is for.
func (b *bench) reached(t *testing.T, met map[string]int) {
	situations := []string{
		"absent topic", "another connection", "another id", "connection closes", "overridden", "return", "slave beside its master", "takeover",
		"topic deleted",
	}
	if !b.pair.Old {
		situations = append(situations, "queues set", "refused", "slave contributes", "static topic")
	}
	for _, s := range situations {
		if met[s] == 0 {
			t.Errorf("no sequence had this: %s", s)
		}
	}
}

// setRapid tells rapid how many sequences to run, and how long, unless the
// command line did.
func setRapid(t *testing.T) {
	sequences := strconv.Itoa(defaultSequences)
	if *shims > 0 {
		sequences = strconv.Itoa(shimSequences)
	}
	if v := os.Getenv(sequencesVariable); v != "" {
		if n, err := strconv.Atoi(v); err != nil || n <= 0 {
			t.Fatalf("%s=%q is no positive number", sequencesVariable, v)
		}
		sequences = v
	}
	set := map[string]string{
		"rapid.checks": sequences, "rapid.steps": "45",
		"rapid.nofailfile": "true", // failures go to the table as programs
	}
	if *shims > 0 {
		set["rapid.shrinktime"] = "1ms" // the program of a failure is long; it would take hours
	}
	flag.Visit(func(f *flag.Flag) { delete(set, f.Name) })
	for name, value := range set {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
}
