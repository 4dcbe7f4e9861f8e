package dynamo

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"signpost/core"
)

func testTopics(n int) []core.Topic {
	list := make([]core.Topic, n)
	for i := range list {
		list[i] = core.Topic{Name: fmt.Sprintf("order-service-events-%05d", i), Queues: core.Queues{Read: 4, Write: 4, Perm: 6}}
	}
	return list
}

func TestChunksFor(t *testing.T) {
	for topics, want := range map[int]int{0: 1, 128: 1, 129: 2, 10_000: 128, 60_000: 512, 1 << 30: maxChunks} {
		if got := chunksFor(topics); got != want {
			t.Errorf("%d topics in %d chunks, want %d", topics, got, want)
		}
	}
}

// A request's plans, carried out on the rows of a set, leave what the request
// says, however the set is divided; what the manifest shows to be as wanted is
// left alone.
func TestPlansLeaveWhatIsAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "chunks")
		names := []string{"a", "b", "c", "d", "e", "f"}
		topic := func(name string) core.Topic {
			return core.Topic{Name: name, Queues: core.Queues{Read: rapid.Int32Range(1, 2).Draw(t, "queues")}, Mapping: drawMapping(t, name)}
		}
		before := map[string]core.Topic{}
		w := core.TopicWrite{Replace: rapid.Bool().Draw(t, "replace")}
		for _, name := range names {
			if rapid.Bool().Draw(t, "there") {
				before[name] = topic(name)
			}
			switch rapid.IntRange(0, 3).Draw(t, "nothing, remove, put") {
			case 1:
				w.Remove = append(w.Remove, name)
			case 2, 3:
				w.Put = append(w.Put, topic(name))
			}
			if m := drawMapping(t, name); m != nil {
				w.Mappings = append(w.Mappings, m)
			}
		}
		was, m := divided(before, chunks)
		for n := range m.sums { // another stopped half way
			if rapid.IntRange(0, 4).Draw(t, "unsettled if 0") == 0 {
				m.sums[n] = unsettled
			}
		}
		r := newRequest(w, chunks)
		after := maps.Clone(before)
		for _, n := range r.suspects(m) {
			c := r.plan(n, was[n], r.parts[n])
			for name := range c.leaving {
				delete(after, name)
			}
			for _, topic := range c.put {
				if slices.Contains(c.keep, topic.Name) {
					topic.Mapping = before[topic.Name].Mapping
				}
				if old, there := before[topic.Name]; there && old.Equal(topic) {
					t.Errorf("%s is written as it was", topic.Name)
				}
				after[topic.Name] = topic
			}
			if rows, _ := divided(after, chunks); rows[n].sum() != c.sum {
				t.Errorf("chunk %d is vouched for as %v, its rows are %v", n, c.topics, rows[n])
			}
		}
		if want := asked(before, w); !maps.EqualFunc(after, want, core.Topic.Equal) {
			t.Errorf("%+v makes of\n%v\n%v, want\n%v", w, before, after, want)
		}
	})
}

func drawMapping(t *rapid.T, name string) *core.Mapping {
	if n := rapid.Int64Range(0, 2).Draw(t, "mapping"); n > 0 {
		return &core.Mapping{Topic: name, Epoch: n}
	}
	return nil
}

func divided(topics map[string]core.Topic, chunks int) ([]entries, manifest) {
	parts, m := make([]entries, chunks), manifest{sums: make([]sum, chunks)}
	for name, t := range topics {
		n := chunkOf(name, chunks)
		parts[n] = parts[n].with(name, entryOfTopic(t))
	}
	for n := range parts {
		m.sums[n] = parts[n].sum()
	}
	return parts, m
}

// asked is what core.TopicWrite says, in its plainest form.
func asked(before map[string]core.Topic, w core.TopicWrite) map[string]core.Topic {
	after := map[string]core.Topic{}
	if !w.Replace {
		maps.Copy(after, before)
	}
	for _, name := range w.Remove {
		delete(after, name)
	}
	for _, t := range w.Put {
		if t.Mapping == nil && !w.Replace {
			t.Mapping = before[t.Name].Mapping
		}
		after[t.Name] = t
	}
	for _, m := range w.Mappings {
		if t, ok := after[m.Topic]; ok {
			t.Mapping = m
			after[m.Topic] = t
		}
	}
	return after
}

func TestTheUnchangedIsJudgedByTheManifest(t *testing.T) {
	topics := testTopics(1000)
	before := map[string]core.Topic{}
	for _, t := range topics {
		before[t.Name] = t
	}
	_, m := divided(before, 8)
	for _, replace := range []bool{false, true} {
		w := core.TopicWrite{Put: slices.Clone(topics), Replace: replace}
		if got := newRequest(w, 8).suspects(m); len(got) > 0 {
			t.Errorf("unchanged, yet chunks %v are read", got)
		}
		w.Put[500].Queues.Read++
		if got := newRequest(w, 8).suspects(m); !slices.Equal(got, []int{chunkOf(topics[500].Name, 8)}) {
			t.Errorf("chunks %v are read for %s", got, topics[500].Name)
		}
	}
}

func TestSetsCoverWhatIsUnsettled(t *testing.T) {
	stay, leave := entries{"stays": {}}, entries{"leaves": {queues: core.Queues{SysFlag: 1}}}
	it, err := chunkItem(stay, leave)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		sum  sum
		want []core.TopicFlag
	}{
		{stay.sum(), []core.TopicFlag{{Name: "stays"}}},
		{unsettled, []core.TopicFlag{{Name: "leaves", SysFlag: 1}, {Name: "stays"}}},
		{sum{1}, []core.TopicFlag{{Name: "leaves", SysFlag: 1}, {Name: "stays"}}}, // changed after the chunk was read
		{noEntries, nil},
	} {
		maps.Copy(it, chunkKey("b", 1, 0).attributes())
		manifest := manifestKey("b").attributes()
		maps.Copy(manifest, item{formatAttr: number(1), versionAttr: unsigned(1), manifestSums: blob(test.sum[:]), manifestCount: number(1)})
		set, err := readSet([]item{it, manifest}, false)
		if err != nil || !slices.Equal(set.flags(), test.want) {
			t.Errorf("%v: %v, %v", test.sum, set.flags(), err)
		}
	}
	manifest := manifestKey("b").attributes()
	settled := stay.sum()
	maps.Copy(manifest, item{formatAttr: number(1), versionAttr: unsigned(1), manifestSums: blob(settled[:]), manifestCount: number(1)})
	if _, err := readSet([]item{manifest}, false); err != errMoving {
		t.Errorf("a chunk that is not there: %v", err)
	}
	if set, err := readSet([]item{manifest}, true); err != nil || !slices.Equal(set.damaged(), []int{0}) {
		t.Errorf("a chunk that never comes: %v, damaged %v", err, set.damaged())
	}
}
