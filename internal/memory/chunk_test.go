package memory

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"signpost/core"
)

func topicsFrom(first, n int, queues int32) []core.Topic {
	topics := make([]core.Topic, n)
	for i := range topics {
		topics[i] = core.Topic{Name: fmt.Sprintf("topic-%06d", first+i), Queues: core.Queues{Read: queues}}
	}
	return topics
}

// written returns how many records the write leaves to be committed, and how
// many bytes they have.
func written(t *testing.T, s *Store, w core.TopicWrite) (records, size int) {
	t.Helper()
	ctx := context.Background()
	s.disk.write = func(dirty map[item][]byte) error {
		for it, record := range dirty {
			if it.bucket == topicsBucket {
				records++
				size += len(record)
			}
		}
		return s.disk.update(dirty)
	}
	if _, err := s.WriteTopics(ctx, w); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Raise(ctx, nil); err != nil {
		t.Fatal(err)
	}
	return records, size
}

func TestOneChangedTopicRewritesOneChunk(t *testing.T) {
	const topics = 10_000
	s, err := Open(filepath.Join(t.TempDir(), "store"), time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	records, size := written(t, s, core.TopicWrite{Broker: "b", Put: topicsFrom(0, topics, 4)})
	if records < topics/chunkMost || records > topics/chunkLeast {
		t.Errorf("%d topics in %d chunks", topics, records)
	}
	for what, w := range map[string]core.TopicWrite{
		"changed": {Broker: "b", Put: topicsFrom(17, 1, 5)},
		"added":   {Broker: "b", Put: topicsFrom(topics, 1, 5)},
		"removed": {Broker: "b", Remove: []string{topicsFrom(18, 1, 5)[0].Name}},
	} {
		if one, oneSize := written(t, s, w); one != 1 || oneSize*20 > size {
			t.Errorf("one %s: %d records of %d bytes, of %d with %d bytes", what, one, oneSize, records, size)
		}
	}
	if none, _ := written(t, s, core.TopicWrite{Broker: "b", Put: topicsFrom(20, 100, 4)}); none != 0 {
		t.Errorf("nothing changed, %d records written", none)
	}
	if all, _ := written(t, s, core.TopicWrite{Broker: "b", Replace: true}); all < records {
		t.Errorf("%d of %d chunks removed", all, records)
	}
	if n := s.disk.counts[topicsBucket]; n != 0 {
		t.Errorf("%d chunks of no topics", n)
	}
}

func TestChunkCount(t *testing.T) {
	for _, c := range []struct{ chunks, topics, want int }{
		{0, 0, 0}, {0, 1, 1}, {0, chunkMost, 1}, {0, chunkMost + 1, 2}, {0, 50_000, 512},
		{1, 0, 0}, {1, 1, 1}, {8, 8 * chunkMost, 8}, {8, 8*chunkMost + 1, 16}, {8, 8 * chunkLeast, 8}, {8, 8*chunkLeast - 1, 4}, {8, 1, 1},
	} {
		if got := chunkCount(c.chunks, c.topics); got != c.want {
			t.Errorf("%d topics that were in %d chunks: %d, want %d", c.topics, c.chunks, got, c.want)
		}
	}
}

// TestHashIsStable: it says where a topic is on disk.
func TestHashIsStable(t *testing.T) {
	for text, want := range map[string]uint32{"": 2166136261, "a": 0xe40c292c, "foobar": 0xbf9cf968} {
		if got := hash(text); got != want {
			t.Errorf("hash of %q: %#x, want %#x", text, got, want)
		}
	}
}

// TestTopicNamesAreShared: rows of one topic and the sets of its brokers hold
// one copy of its name, and not a part of somebody's request.
func TestTopicNamesAreShared(t *testing.T) {
	s, ctx := New(), context.Background()
	for i := range 3 {
		w := core.TopicWrite{Broker: fmt.Sprint("b", i), Put: topicsFrom(0, 1, 4)}
		if _, err := s.WriteTopics(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	rows := s.topicShard("topic-000000").get("topic-000000")
	for _, row := range rows {
		if stringData(row.Name) != stringData(rows[0].Name) {
			t.Errorf("%s has a copy of the name", row.Broker)
		}
		if s.sets[row.Broker].rows[row.Name] != row {
			t.Errorf("%s has a copy of the row", row.Broker)
		}
	}
}

func TestNothingIsKeptOfWhatIsGone(t *testing.T) {
	s, ctx := New(), context.Background()
	for i := range 3 {
		name := fmt.Sprint("b", i)
		g, err := s.PutGroup(ctx, core.Group{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []core.TopicWrite{
			{Broker: name, Put: topicsFrom(0, 500, 4)}, {Broker: name, Remove: []string{"topic-000007"}},
			{Broker: name, Replace: true}, {Broker: "none", Remove: []string{"topic-000007"}},
		} {
			if _, err := s.WriteTopics(ctx, w); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.RemoveGroup(ctx, name, g.Version); err != nil {
			t.Fatal(err)
		}
	}
	left := len(s.sets)
	for i := range shards {
		left += len(s.topics[i].rows) + len(s.groups[i].groups)
	}
	if left != 0 {
		t.Errorf("%d sets, topics and groups of nobody", left)
	}
}
