package memory

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
)

// distinct gives every field of a value something of its own, so that one that
// a record forgets is noticed.
func distinct(v reflect.Value, n *int64) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(*n, *n).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				distinct(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		distinct(v.Index(0), n)
		distinct(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		distinct(key, n)
		distinct(value, n)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		distinct(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprint("text", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(-*n)
	default:
		panic(v.Type())
	}
}

func filled[T any]() T {
	var v T
	n := int64(0)
	distinct(reflect.ValueOf(&v).Elem(), &n)
	return v
}

func equal(t rapid.TB, what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		t.Helper()
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func TestRecordsKeepEveryField(t *testing.T) {
	g := filled[core.Group]()
	got, err := decodeGroup(appendGroup(nil, &g))
	g.Version = 0
	equal(t, "group", got, &g)
	equal(t, "group's error", err, nil)

	row := filled[core.Row]()
	topics, chunks, err := decodeTopics(appendTopics(nil, 4, []*core.Row{&row}))
	equal(t, "topics", topics, []core.Topic{row.Topic})
	equal(t, "chunks", chunks, 4)
	equal(t, "topics' error", err, nil)

	s := filled[core.Session]()
	gotSession, err := decodeSession(appendSession(nil, &s))
	equal(t, "session", gotSession, s)
	equal(t, "session's error", err, nil)
}

// someTime is a time as it comes out of a record.
func someTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		sec := rapid.Int64Range(-1<<40, 1<<40).Draw(t, "sec")
		return time.Unix(sec, rapid.Int64Range(0, 1e9-1).Draw(t, "nsec")).UTC()
	})
}

func slice[T any](g *rapid.Generator[T]) *rapid.Generator[[]T] {
	return rapid.Map(rapid.SliceOfN(g, 0, 3), func(s []T) []T {
		if len(s) == 0 {
			return nil
		}
		return s
	})
}

func someGroup(t *rapid.T) core.Group {
	text := rapid.String()
	lease := rapid.Custom(func(t *rapid.T) core.Lease {
		return core.Lease{Session: text.Draw(t, "session"), Front: text.Draw(t, "front"), Said: someTime().Draw(t, "said")}
	})
	replica := rapid.Custom(func(t *rapid.T) core.Replica {
		return core.Replica{
			ID: rapid.Int64().Draw(t, "id"), Addr: text.Draw(t, "addr"), HAAddr: text.Draw(t, "ha"), Zone: text.Draw(t, "zone"),
			Timeout: time.Duration(rapid.Int64().Draw(t, "timeout")), ActingMaster: core.ActingMaster(rapid.Uint8().Draw(t, "acting")),
			DataVersion: core.DataVersion{
				StateVersion: rapid.Int64().Draw(t, "state"), Timestamp: rapid.Int64().Draw(t, "time"), Counter: rapid.Int64().Draw(t, "counter"),
			},
			FilterServers: slice(text).Draw(t, "filters"), Digest: rapid.Uint64().Draw(t, "digest"),
			Registered: someTime().Draw(t, "registered"), Said: someTime().Draw(t, "said"), Leases: slice(lease).Draw(t, "leases"),
		}
	})
	event := rapid.Custom(func(t *rapid.T) core.Event {
		return core.Event{
			Kind: core.EventKind(text.Draw(t, "kind")), Revision: core.Revision(rapid.Uint64().Draw(t, "revision")), At: someTime().Draw(t, "at"),
			Cluster: text.Draw(t, "cluster"), Broker: text.Draw(t, "broker"), ID: rapid.Int64().Draw(t, "id"), Addr: text.Draw(t, "addr"),
			OldAddr: text.Draw(t, "old"), Topics: slice(text).Draw(t, "topics"), Count: rapid.Int().Draw(t, "count"),
		}
	})
	return core.Group{
		Name: text.Draw(t, "name"), Cluster: text.Draw(t, "cluster"), Replicas: slice(replica).Draw(t, "replicas"),
		Override: core.Override(rapid.Uint8().Draw(t, "override")), Said: someTime().Draw(t, "said"), Gone: someTime().Draw(t, "gone"),
		Deleted: someTime().Draw(t, "deleted"), Overridden: someTime().Draw(t, "overridden"),
		Intent: core.Change{Replicas: rapid.Bool().Draw(t, "intent"), Topics: slice(text).Draw(t, "topics"), Many: rapid.Bool().Draw(t, "many")},
		Writer: core.Writer{ID: text.Draw(t, "writer"), Until: someTime().Draw(t, "until")},
		Outbox: slice(event).Draw(t, "outbox"), Dropped: rapid.Int64().Draw(t, "dropped"), Refused: text.Draw(t, "refused"),
	}
}

func someRow(t *rapid.T) *core.Row {
	number := rapid.Int32()
	row := &core.Row{Topic: core.Topic{Name: rapid.String().Draw(t, "name"), Queues: core.Queues{
		Read: number.Draw(t, "read"), Write: number.Draw(t, "write"), Perm: number.Draw(t, "perm"), SysFlag: number.Draw(t, "flag"),
	}}}
	if rapid.Bool().Draw(t, "mapping") {
		row.Mapping = &core.Mapping{
			Topic: rapid.String().Draw(t, "topic"), Broker: rapid.String().Draw(t, "bname"), Scope: rapid.String().Draw(t, "scope"),
			TotalQueues: number.Draw(t, "total"), Epoch: rapid.Int64().Draw(t, "epoch"), Dirty: rapid.Bool().Draw(t, "dirty"),
		}
		if rapid.Bool().Draw(t, "current") {
			row.Mapping.Current = rapid.MapOfN(number, number, 0, 3).Draw(t, "ids")
		}
	}
	return row
}

// TestRecordsRoundTrip also cuts each record at a random place: all of it is
// needed.
func TestRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cut := func(b []byte) []byte { return b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")] }
		damaged := func(err error) {
			if !errors.Is(err, errRecord) {
				t.Fatalf("error of a record cut short: %v", err)
			}
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			g := someGroup(t)
			b := appendGroup(nil, &g)
			got, err := decodeGroup(b)
			equal(t, "error", err, nil)
			equal(t, "group", got, &g)
			_, err = decodeGroup(cut(b))
			damaged(err)
		case 1:
			rows := rapid.SliceOfN(rapid.Custom(someRow), 0, 4).Draw(t, "rows")
			var want []core.Topic
			for _, row := range rows {
				want = append(want, row.Topic)
			}
			chunks := 1 << rapid.IntRange(0, 20).Draw(t, "chunks")
			b := appendTopics(nil, chunks, rows)
			got, gotChunks, err := decodeTopics(b)
			equal(t, "error", err, nil)
			equal(t, "chunks", gotChunks, chunks)
			equal(t, "topics", got, want)
			_, _, err = decodeTopics(cut(b))
			damaged(err)
		case 2:
			s := core.Session{
				ID: rapid.String().Draw(t, "id"), Gateway: rapid.String().Draw(t, "gateway"), Owner: rapid.String().Draw(t, "owner"),
				Opened: someTime().Draw(t, "opened"), Last: someTime().Draw(t, "last"), Closed: rapid.Bool().Draw(t, "closed"),
			}
			b := appendSession(nil, &s)
			got, err := decodeSession(b)
			equal(t, "error", err, nil)
			equal(t, "session", got, s)
			_, err = decodeSession(cut(b))
			damaged(err)
		default:
			table := rapid.MapOfN(rapid.String(), rapid.MapOfN(rapid.String(), rapid.String(), 0, 3), 0, 3).Draw(t, "table")
			b := appendKV(nil, table)
			got, err := decodeKV(b)
			equal(t, "error", err, nil)
			equal(t, "table", got, table)
			_, err = decodeKV(cut(b))
			damaged(err)
		}
	})
}

func TestRecordsOfAnotherVersionAreNotRead(t *testing.T) {
	g := filled[core.Group]()
	b := appendGroup(nil, &g)
	for _, version := range []byte{0, groupRecord + 1, math.MaxUint8} {
		b[0] = version
		if _, err := decodeGroup(b); !errors.Is(err, errRecord) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

// A group as version 1 wrote it, which knew no fronts.
func TestGroupRecordOfVersion1(t *testing.T) {
	b, err := hex.DecodeString("0101620163000000000000000000000000000001000e31302e302e302e313a3130393131000080c0f588fe06000000000005" +
		"81eba5c302cad4ea8d0e81eba5c302cad4ea8d0e020081eba5c302cad4ea8d0e017381eba5c302cad4ea8d0e00")
	equal(t, "hex", err, nil)
	at := time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC)
	got, err := decodeGroup(b)
	equal(t, "error", err, nil)
	equal(t, "group", got, &core.Group{Name: "b", Cluster: "c", Replicas: []core.Replica{{
		Addr: "10.0.0.1:10911", Timeout: 120 * time.Second, Digest: 5, Registered: at, Said: at,
		Leases: []core.Lease{{Front: "tcp", Said: at}, {Session: "s", Said: at}},
	}}})
}

func TestSealCoversKeyAndContent(t *testing.T) {
	record := seal("key", []byte("content"))
	content, err := unseal([]byte("key"), record)
	equal(t, "error", err, nil)
	equal(t, "content", string(content), "content")
	for i := range record {
		record[i] ^= 1
		if _, err := unseal([]byte("key"), record); !errors.Is(err, errRecord) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		record[i] ^= 1
	}
	for key, record := range map[string][]byte{"kez": record, "key": record[:len(record)-1], "": {1, 2, 3}} {
		if _, err := unseal([]byte(key), record); !errors.Is(err, errRecord) {
			t.Errorf("%d bytes under the key %q: %v", len(record), key, err)
		}
	}
}

func TestChunkKeysAreApart(t *testing.T) {
	seen := map[string]bool{}
	for _, broker := range []string{"", "a", "ab", "a\x00\x00\x00\x00", "\x00", string(make([]byte, 300))} {
		for _, n := range []int{0, 1, 255, 1 << 20} {
			key := chunkKey(broker, n)
			if seen[key] {
				t.Errorf("key %q twice", key)
			}
			seen[key] = true
			gotBroker, gotN, err := parseChunkKey([]byte(key))
			equal(t, "error", err, nil)
			equal(t, "broker", string(gotBroker), broker)
			equal(t, "number", gotN, n)
			if _, _, err := parseChunkKey([]byte(key[:len(key)-1])); !errors.Is(err, errRecord) {
				t.Errorf("key %q cut short: %v", key, err)
			}
		}
	}
}

func FuzzGroupRecord(f *testing.F) {
	g := filled[core.Group]()
	f.Add(appendGroup(nil, &g))
	f.Add(appendGroup(nil, &core.Group{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decodeGroup(b)
		if err != nil {
			return
		}
		again, err := decodeGroup(appendGroup(nil, g))
		equal(t, "error", err, nil)
		equal(t, "group", again, g)
	})
}

func FuzzTopicsRecord(f *testing.F) {
	row := filled[core.Row]()
	f.Add(appendTopics(nil, 4, []*core.Row{&row, {}}))
	f.Add(appendTopics(nil, 1, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		topics, chunks, err := decodeTopics(b)
		if err != nil {
			return
		}
		var rows []*core.Row
		for _, t := range topics {
			rows = append(rows, &core.Row{Topic: t})
		}
		again, chunksAgain, err := decodeTopics(appendTopics(nil, chunks, rows))
		equal(t, "error", err, nil)
		equal(t, "chunks", chunksAgain, chunks)
		equal(t, "topics", again, topics)
	})
}

func FuzzSmallRecords(f *testing.F) {
	s := filled[core.Session]()
	f.Add(appendSession(nil, &s))
	f.Add(appendKV(nil, map[string]map[string]string{"n": {"k": "v"}, "e": {}}))
	f.Add(appendRevision(nil, 300))
	f.Add([]byte(chunkKey("broker", 7)))
	f.Add(appendCounts(nil, &counts{0, 1, 200, 3, 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeSession(b); err == nil {
			again, err := decodeSession(appendSession(nil, &s))
			equal(t, "session's error", err, nil)
			equal(t, "session", again, s)
		}
		if table, err := decodeKV(b); err == nil {
			again, err := decodeKV(appendKV(nil, table))
			equal(t, "table's error", err, nil)
			equal(t, "table", again, table)
		}
		if r, err := decodeRevision(b); err == nil {
			again, err := decodeRevision(appendRevision(nil, r))
			equal(t, "revision's error", err, nil)
			equal(t, "revision", again, r)
		}
		if c, err := decodeCounts(b); err == nil {
			again, err := decodeCounts(appendCounts(nil, &c))
			equal(t, "counts' error", err, nil)
			equal(t, "counts", again, c)
		}
		if broker, n, err := parseChunkKey(b); err == nil {
			again, m, err := parseChunkKey([]byte(chunkKey(string(broker), n)))
			equal(t, "key's error", err, nil)
			equal(t, "key", []any{string(again), m}, []any{string(broker), n})
		}
	})
}
