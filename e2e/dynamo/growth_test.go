//go:build e2e

package dynamo_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"signpost/core"
)

// TestWriteThatStopsWhileTheSetGrows lets a write die before and after each
// of its calls which changes some of a set's topics, removes one and adds so
// many that the set is divided anew.
func TestWriteThatStopsWhileTheSetGrows(t *testing.T) {
	w := newWorld(t)
	old := manyTopics(100)
	next := manyTopics(330)
	for i := range 20 {
		next[5*i].Queues.Read++
	}
	gone := next[7].Name
	next = slices.Delete(next, 7, 8)
	write := func(s core.Store, broker string, list []core.Topic, replace bool) ([]string, error) {
		g, err := s.Group(t.Context(), broker)
		must(t, err)
		g.Writer = core.Writer{ID: fmt.Sprint(len(list)), Until: began.Add(30 * time.Second)}
		if _, err := s.PutGroup(t.Context(), g); err != nil {
			return nil, err
		}
		return s.WriteTopics(t.Context(), core.TopicWrite{Broker: broker, Writer: g.Writer.ID, Put: list, Replace: replace, Remove: []string{gone}})
	}
	calls := 1
	for call := 3; call <= calls+2; call++ { // the first two take the token
		for i, what := range []fault{diesBefore, dies} {
			replace := (call+i)%2 == 0
			t.Run(fmt.Sprintf("call %d %v, replacing: %v", call, what, replace), func(t *testing.T) {
				broker := fmt.Sprintf("broker-%d-%v", call, what)
				s := w.healthy()
				must(t, second(write(s, broker, old, false)))
				f := &saboteur{at: call, fault: what}
				told, _ := write(w.process(f), broker, next, replace)
				calls = max(calls, f.calls)
				// The set covers every row, and each row is an old or a new one.
				cover(t, s, broker, old, next)
				again, err := write(s, broker, next, replace)
				must(t, err)
				var want []core.TopicFlag
				for _, topic := range next {
					want = append(want, core.TopicFlag{Name: topic.Name})
				}
				slices.SortFunc(want, func(a, b core.TopicFlag) int { return cmp.Compare(a.Name, b.Name) })
				set, err := s.TopicSet(t.Context(), broker)
				must(t, err)
				if !slices.Equal(set, want) {
					t.Errorf("the set has %d topics, want %d", len(set), len(want))
				}
				cover(t, s, broker, nil, next)
				// Both writes together tell of all that changed.
				told = append(told, again...)
				slices.Sort(told)
				if changed := slices.Compact(told); len(changed) != 230+20+1-1 && len(changed) != 230+20+1 {
					t.Errorf("told of %d changed topics", len(changed))
				}
				if more, err := write(s, broker, next, replace); err != nil || len(more) > 0 {
					t.Errorf("repeated, it changed %v, %v", more, err)
				}
			})
		}
	}
}

// cover reads some topics' rows and whether the set names them.
func cover(t *testing.T, s core.Store, broker string, old, next []core.Topic) {
	t.Helper()
	set, err := s.TopicSet(t.Context(), broker)
	must(t, err)
	for i := 0; i < 330; i += 15 {
		var allowed []core.Topic
		for _, list := range [][]core.Topic{old, next} {
			name := manyTopics(i + 1)[i].Name
			if n := slices.IndexFunc(list, func(t core.Topic) bool { return t.Name == name }); n >= 0 {
				allowed = append(allowed, list[n])
			}
		}
		if len(allowed) == 0 {
			continue
		}
		rows, err := s.Rows(t.Context(), allowed[0].Name)
		must(t, err)
		for _, row := range rows {
			if row.Broker != broker {
				continue
			}
			if !slices.ContainsFunc(allowed, row.Equal) {
				t.Errorf("%s is neither as before nor as it is to be: %+v", row.Name, row)
			}
			if !slices.ContainsFunc(set, func(f core.TopicFlag) bool { return f.Name == row.Name }) {
				t.Errorf("%s is not in the set", row.Name)
			}
		}
	}
}
