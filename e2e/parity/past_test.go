//go:build e2e

package parity

import (
	"strings"
	"testing"

	"signpost/internal/wire"
)

// past are sequences that once went differently here, as they were printed, and
// some that random ones seldom come to.
var past = []struct {
	name  string
	where string // as in Accepted
	steps []Step
}{
	{"a slave's topics count from when it is the lowest", "5.x", []Step{
		Register{Addr: 1, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{{Name: 1, Read: 4, Write: 4, Perm: 4}, {Name: 5, Read: 4, Write: 4, Perm: 4}}},
		Register{ID: 3, Form: wire.JSON5, Acting: true, Version: 2, Topics: []Topic{{Name: 4, Read: 4, Write: 4}, {Name: 5, Read: 4, Write: 4, Perm: 4}}},
		Unregister{Addr: 1},
		Register{ID: 3, Form: wire.JSON5, Acting: true, Version: 2, Topics: []Topic{{Name: 4, Read: 4, Write: 4}, {Name: 5, Read: 4, Write: 4, Perm: 4}}},
	}},
	{"a slave of an older state is told of no master", "5.x", []Step{
		Register{Form: wire.JSON5, Version: 1, State: 2, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Version: 1, State: 2, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 2, Form: wire.JSON5, Version: 2, State: 1, Topics: []Topic{t0, t1}},
		Register{ID: 2, Addr: 2, Form: wire.JSON5, Version: 3, State: 1, Topics: []Topic{t0, t1}},
	}},
	{"a slave of an older state loses its own place", "5.x", []Step{
		Register{Form: wire.JSON5, Version: 1, State: 2, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Version: 1, State: 1, Topics: []Topic{t0, t1}},
		Register{ID: 0, Addr: 1, Form: wire.JSON5, Version: 2, State: 1, Topics: []Topic{t0, t1}},
		Close{Addr: 1},
	}},
	{"a replaced master says goodbye", "5.x", []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Register{Addr: 1, Version: 2, Topics: []Topic{t0, t1}},
		Unregister{},
		QueryVersion{Version: 1},
		Register{Version: 1, Topics: []Topic{t0, t1, t2}},
	}},
	{"a replaced master's connection closes", "all", []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}, Filters: []int{1}},
		Register{Addr: 1, Version: 2, Topics: []Topic{t0, t1}},
		Close{},
		Close{Addr: 1},
	}},
	{"a master lapses beside its slave and returns", "5.x", []Step{
		Register{Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
		Register{Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}, Lapse: true},
		Register{Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
	}},
	{"who took another's id goes", "all", []Step{
		Register{ID: 1, Addr: 1, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 1, Version: 1, Topics: []Topic{t0, t1}},
		Close{},
	}},
	{"a topic is set after its broker registered", "5.x", []Step{
		Register{Form: wire.JSON5, Version: 1, Topics: []Topic{t0, t1}},
		SetQueues{Topic: 0, Rows: []Queues{{Read: 16, Write: 16, Perm: 6}}},
		SetQueues{Topic: 2, Rows: []Queues{{Read: 16, Write: 16, Perm: 6}}},
	}},
	{"wiped, a master comes back to all it had", "all", []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Wipe{},
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Add{},
		Wipe{},
		Unregister{},
		Register{Version: 1, Topics: []Topic{t0, t1}},
	}},
}

// isAt says whether what is written for 4.x, 5.x or all is for this pair.
func (b *bench) isAt(where string) bool {
	return where == "all" || strings.HasPrefix(b.version, strings.TrimSuffix(where, "x"))
}

func (b *bench) pastFailures(t *testing.T) {
	for _, p := range past {
		if !b.isAt(p.where) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			run := b.pair.NewRun(b.number())
			defer b.cleanUp(t, run)
			for _, s := range p.steps {
				rest, err := run.Do(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				if len(rest) > 0 {
					t.Fatalf("different from Java %s:\n%s\nafter\n%s", b.name, Summary(rest), Source(run.Steps))
				}
			}
		})
	}
}

func (b *bench) cleanUp(t *testing.T, run *Run) {
	if err := run.CleanUp(t.Context()); err != nil {
		t.Error(err)
	}
}
