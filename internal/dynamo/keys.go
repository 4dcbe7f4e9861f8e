package dynamo

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

// The table's key. Every key of every item is made in this file.
const (
	partitionKey = "pk"
	sortKey      = "sk"
)

// maxName bounds the names that become keys, in bytes. A sort key holds 1024.
const maxName = 1000

// groupShards is how many partitions the groups are spread over, so that they
// can be listed without meeting in one.
const groupShards = 16

type key struct{ pk, sk string }

func (k key) attributes() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{partitionKey: text(k.pk), sortKey: text(k.sk)}
}

// keyOf returns an item's key; empty names if it has none.
func keyOf(it map[string]types.AttributeValue) key {
	return key{textOf(it[partitionKey]), textOf(it[sortKey])}
}

func groupKey(name string) key { return key{groupPartition(int(hash32(name) % groupShards)), name} }

func groupPartition(shard int) string { return fmt.Sprintf("G#%x", shard) }

// The partition where all changes and all sessions meet.
const headPartition = "V"

const (
	revisionSort  = "rev"
	sessionPrefix = "s#"
)

func revisionKey() key { return key{headPartition, revisionSort} }

func sessionKey(id string) key { return key{headPartition, sessionPrefix + id} }

// claimKey is of the item that remembers that a session's id was used.
func claimKey(id string) key { return key{"S#" + id, "used"} }

func rowPartition(topic string) string { return "R#" + topic }

func rowKey(topic, broker string) key { return key{rowPartition(topic), broker} }

func setPartition(broker string) string { return "T#" + broker }

// Chunks sort before the manifest, so that one query reads it last.
const (
	chunkPrefix  = "chunk#"
	manifestSort = "manifest"
)

func manifestKey(broker string) key { return key{setPartition(broker), manifestSort} }

// chunkKey is that of the n-th of chunks parts. A set that is divided anew
// keeps its old parts until the manifest names the new ones.
func chunkKey(broker string, chunks, n int) key {
	return key{setPartition(broker), chunkSort(chunks, n)}
}

func chunkSort(chunks, n int) string { return fmt.Sprintf("%s%04x", divisionPrefix(chunks), n) }

// divisionPrefix begins the sort keys of the parts of a set divided into chunks.
func divisionPrefix(chunks int) string { return fmt.Sprintf("%s%04x#", chunkPrefix, chunks) }

func kvPartition(namespace string) string { return "K#" + namespace }

func kvKey(namespace, name string) key { return key{kvPartition(namespace), name} }

// checkName refuses a name that cannot be a key. The field is RocketMQ's name
// for it.
func checkName(field, name string) error {
	switch {
	case name == "":
		return &core.FieldError{Field: field, Reason: "is missing"}
	case len(name) > maxName:
		return &core.FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d bytes", maxName)}
	case !utf8.ValidString(name):
		return &core.FieldError{Field: field, Reason: "is not UTF-8"}
	}
	return nil
}

// hash32 is FNV-1a: it decides where items are, so it never changes.
func hash32(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// chunkOf returns which of a set's chunks has the topic. The hash is mixed
// once more: the low bits of FNV-1a are weak.
func chunkOf(topic string, chunks int) int {
	h := hash32(topic)
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	return int(h % uint32(chunks))
}

func sessionID(sort string) (string, bool) { return strings.CutPrefix(sort, sessionPrefix) }
