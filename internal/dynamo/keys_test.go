package dynamo

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"signpost/core"
)

func TestKeysAreDistinct(t *testing.T) {
	names := []string{"a", "b", "%RETRY%a", "a#b", "G#1", "rev", "manifest", "chunk#0001#0000", "s#a", "Größe 主题"}
	seen := map[key]string{}
	add := func(what string, k key) {
		if was, twice := seen[k]; twice {
			t.Errorf("%s and %s have one key: %v", was, what, k)
		}
		seen[k] = what
	}
	add("revision", revisionKey())
	for _, a := range names {
		add("group "+a, groupKey(a))
		add("session "+a, sessionKey(a))
		add("claim "+a, claimKey(a))
		add("manifest "+a, manifestKey(a))
		for _, chunks := range []int{1, 16, maxChunks} {
			add("chunk of "+a, chunkKey(a, chunks, chunks-1))
		}
		for _, b := range names {
			add("row "+a+" "+b, rowKey(a, b))
			add("kv "+a+" "+b, kvKey(a, b))
		}
	}
}

// Stored items are found by these: none may ever change.
func TestKeysStayAsTheyAre(t *testing.T) {
	for _, test := range []struct {
		got  key
		want string
	}{
		{groupKey("broker-a"), "G#e broker-a"},
		{revisionKey(), "V rev"},
		{sessionKey("x"), "V s#x"},
		{claimKey("x"), "S#x used"},
		{rowKey("%RETRY%g", "broker-a"), "R#%RETRY%g broker-a"},
		{manifestKey("broker-a"), "T#broker-a manifest"},
		{chunkKey("broker-a", 128, 5), "T#broker-a chunk#0080#0005"},
		{kvKey("ORDER_TOPIC_CONFIG", "t"), "K#ORDER_TOPIC_CONFIG t"},
	} {
		if got := test.got.pk + " " + test.got.sk; got != test.want {
			t.Errorf("key %q, want %q", got, test.want)
		}
	}
	if got := []int{chunkOf("topic-a", 128), chunkOf("topic-b", 128), chunkOf("%RETRY%g", 4096)}; !slices.Equal(got, []int{1, 86, 766}) {
		t.Errorf("chunks %v", got)
	}
}

func TestTheOrderOfKeysIsWhatQueriesRelyOn(t *testing.T) {
	if chunkSort(maxChunks, maxChunks-1) >= manifestSort {
		t.Error("a manifest is not read after all chunks")
	}
	if revisionSort >= sessionPrefix {
		t.Error("the revision is not read before all sessions")
	}
	for chunks := 2; chunks <= maxChunks; chunks *= 2 {
		for _, topic := range []string{"a", "b", "%RETRY%group", "topic-00017"} {
			if chunkOf(topic, chunks)%(chunks/2) != chunkOf(topic, chunks/2) {
				t.Fatalf("divided into %d, %s comes from another chunk", chunks, topic)
			}
		}
	}
}

func TestTopicsAreSpreadEvenly(t *testing.T) {
	var count [128]int
	for _, topic := range testTopics(12_800) {
		count[chunkOf(topic.Name, 128)]++
	}
	if most := slices.Max(count[:]); most > 150 {
		t.Errorf("%d topics in one chunk where 100 are the mean", most)
	}
	var groups [groupShards]int
	for _, topic := range testTopics(1600) {
		groups[hash32(topic.Name)%groupShards]++
	}
	if most := slices.Max(groups[:]); most > 150 {
		t.Errorf("%d groups in one partition where 100 are the mean", most)
	}
}

func TestNamesThatCannotBeKeys(t *testing.T) {
	for _, name := range []string{"", strings.Repeat("x", maxName+1), "a\xff"} {
		var field *core.FieldError
		if err := checkName("topicName", name); !errors.As(err, &field) || field.Field != "topicName" {
			t.Errorf("name of %d bytes: %v", len(name), err)
		}
	}
	for _, name := range []string{"a", "a\x00b", strings.Repeat("x", maxName)} {
		if err := checkName("topicName", name); err != nil {
			t.Error(err)
		}
	}
}
