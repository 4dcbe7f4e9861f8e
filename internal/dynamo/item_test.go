package dynamo

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC)

// fullGroup says something in every field; TestFullGroupIsFull sees to it.
func fullGroup() core.Group {
	g := core.Group{
		Name: "broker-a", Cluster: "c", Override: core.AddedThenWiped,
		Said: epoch, Deleted: epoch.Add(1e9), Overridden: epoch.Add(2e9), Gone: epoch.Add(3e9),
		Writer: core.Writer{ID: "writer", Until: epoch.Add(30e9)}, Dropped: 7, Refused: "other", Version: math.MaxUint64,
		Intent: core.Change{Revision: 3, Broker: "broker-a", Replicas: true, Topics: []string{"t1", "t2"}, Many: true},
	}
	for _, id := range []int64{math.MinInt64, -1, 0, 2, math.MaxInt64} {
		g.Replicas = append(g.Replicas, core.Replica{
			ID: id, Addr: fmt.Sprintf("10.0.0.1:%d", id), HAAddr: "10.0.0.1:2", Zone: "z", Timeout: 10 * time.Second, ActingMaster: core.ActingMasterOn,
			DataVersion:   core.DataVersion{StateVersion: math.MaxInt64, Timestamp: -1, Counter: 5},
			FilterServers: []string{"f1", "f2"}, Digest: 1<<63 + 1, Registered: epoch, Said: epoch.Add(1e6),
			Leases: []core.Lease{{Said: epoch}, {Front: "https", Said: epoch.Add(2e9)}, {Session: "s1", Said: epoch}, {Session: "s2", Said: epoch.Add(1e9)}},
		})
	}
	g.Outbox = []core.Event{{
		Kind: core.MasterChanged, Revision: math.MaxUint64, At: epoch, Cluster: "c", Broker: "broker-a", ID: -1, Addr: "a", OldAddr: "b",
		Topics: []string{"t2", "t3"}, Count: 1000,
	}, {Kind: "a later release's", Broker: "broker-a"}}
	return g
}

// storedGroup returns the item as it would be read.
func storedGroup(t testing.TB, g core.Group) item {
	t.Helper()
	it, err := groupItem(g)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(it, groupKey(g.Name).attributes())
	it[versionAttr] = unsigned(g.Version)
	return it
}

func TestGroupsComeBack(t *testing.T) {
	for name, g := range map[string]core.Group{
		"full":  fullGroup(),
		"empty": {Name: "b", Version: 1},
		"held by sessions only": {Name: "b", Version: 1, Replicas: []core.Replica{
			{ID: 1, Addr: "a", Leases: []core.Lease{{Session: "s", Said: epoch}}},
		}},
		"said never": {Name: "b", Version: 1, Replicas: []core.Replica{{ID: 1, Addr: "a", Leases: []core.Lease{{}}}}},
	} {
		got, err := groupOf(storedGroup(t, g))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, g) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, g)
		}
	}
}

// A field that core gains has to be stored: fullGroup must set it, and
// TestGroupsComeBack then asks for it.
func TestFullGroupIsFull(t *testing.T) {
	g := fullGroup()
	lease := g.Replicas[0].Leases[1] // which is direct or of a session
	lease.Session = g.Replicas[0].Leases[2].Session
	for _, v := range []any{g, g.Writer, g.Intent, g.Replicas[0], g.Replicas[0].DataVersion, lease, g.Outbox[0]} {
		value := reflect.ValueOf(v)
		for i := range value.NumField() {
			if value.Field(i).IsZero() {
				t.Errorf("%s.%s is not set", value.Type(), value.Type().Field(i).Name)
			}
		}
	}
}

func TestTimesAreKeptToTheMillisecond(t *testing.T) {
	g := core.Group{Name: "b", Version: 1, Said: epoch.Add(999_999)}
	got, err := groupOf(storedGroup(t, g))
	if err != nil || !got.Said.Equal(epoch) {
		t.Errorf("said %v, %v", got.Said, err)
	}
}

func TestWhatALaterReleaseStored(t *testing.T) {
	it := storedGroup(t, fullGroup())
	it["new"] = text("x")
	if _, err := groupOf(it); err != nil {
		t.Errorf("an attribute that is not known: %v", err)
	}
	it[formatAttr] = number(format + 1)
	if _, err := groupOf(it); !errors.Is(err, errFormat) {
		t.Errorf("a later format: %v", err)
	}
}

func TestDamagedGroups(t *testing.T) {
	for name, damage := range map[string]func(item){
		"no version":     func(it item) { delete(it, versionAttr) },
		"no format":      func(it item) { delete(it, formatAttr) },
		"no replicas":    func(it item) { delete(it, groupReplicas) },
		"a replica less": func(it item) { delete(it[groupReplicas].(*types.AttributeValueMemberM).Value, "0") },
		"an id that is none": func(it item) {
			m := it[groupReplicas].(*types.AttributeValueMemberM).Value
			m["x"] = m["0"]
			delete(m, "0")
		},
		"cut":            func(it item) { b := bytesOf(it[groupRest]); it[groupRest] = blob(b[:len(b)-1]) },
		"longer":         func(it item) { it[groupRest] = blob(append(bytesOf(it[groupRest]), 0)) },
		"no rest":        func(it item) { delete(it, groupRest) },
		"another's type": func(it item) { it[groupRest] = text("x") },
	} {
		it := storedGroup(t, fullGroup())
		damage(it)
		if g, err := groupOf(it); err == nil {
			t.Errorf("%s: read as %+v", name, g)
		}
	}
}

func TestRowsComeBack(t *testing.T) {
	queues := core.Queues{Read: math.MaxInt32, Write: math.MinInt32, Perm: 6, SysFlag: 3}
	mapping := core.Mapping{Topic: "t", Broker: "b", Scope: "s", TotalQueues: 8, Epoch: math.MaxInt64, Dirty: true, Current: map[int32]int32{0: -1, 5: 6}}
	absent, none := mapping, mapping
	absent.Current, none.Current = nil, map[int32]int32{}
	for _, topic := range []core.Topic{
		{Name: "t", Queues: queues}, {Name: "t", Queues: queues, Mapping: &mapping}, {Name: "t", Mapping: &absent}, {Name: "t", Mapping: &none},
		{Name: "t", Mapping: &core.Mapping{}},
	} {
		it, err := rowItem(topic)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(it, rowKey("t", "b").attributes())
		row, err := rowOf("t", it)
		if err != nil || row.Broker != "b" || !row.Equal(topic) {
			t.Errorf("%+v came back as %+v, %v", topic, row, err)
		}
	}
	large := core.Mapping{Current: map[int32]int32{}}
	for i := range int32(200_000) {
		large.Current[i] = i
	}
	var field *core.FieldError
	if err := checkMapping(&large); !errors.As(err, &field) {
		t.Errorf("a mapping that no item holds: %v", err)
	}
}

func TestManifestsComeBack(t *testing.T) {
	for _, sums := range [][]sum{{noEntries}, {unsettled, {1, 2}, noEntries, {3}}} {
		var b []byte
		for _, s := range sums {
			b = append(b, s[:]...)
		}
		it := item{formatAttr: number(1), versionAttr: unsigned(9), manifestSums: blob(b), manifestCount: number(77)}
		m, err := manifestOf(it)
		if want := (manifest{version: 9, sums: sums, count: 77}); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("got %+v, %v, want %+v", m, err, want)
		}
		for _, bad := range [][]byte{nil, b[1:], slices.Repeat(b, 3)} {
			it[manifestSums] = blob(bad)
			if m, err := manifestOf(it); err == nil {
				t.Errorf("%d bytes read as %+v", len(bad), m)
			}
		}
	}
}

func FuzzGroup(f *testing.F) {
	f.Add(bytesOf(storedGroup(f, fullGroup())[groupRest]))
	f.Fuzz(func(t *testing.T, b []byte) {
		it := storedGroup(t, fullGroup())
		it[groupRest] = blob(b)
		g, err := groupOf(it)
		if err != nil {
			return
		}
		if _, err := groupItem(g); err != nil {
			return // larger than an item may be
		}
		again, err := groupOf(storedGroup(t, g))
		if err != nil || !reflect.DeepEqual(again, g) {
			t.Errorf("read %+v, then %+v, %v", g, again, err)
		}
	})
}

func FuzzRow(f *testing.F) {
	it, err := rowItem(core.Topic{Name: "t", Mapping: &core.Mapping{Topic: "t", Current: map[int32]int32{1: 2}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(it[rowContent]))
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := rowOf("t", item{formatAttr: number(1), rowContent: blob(b)})
		if err != nil {
			return
		}
		it, err := rowItem(row.Topic)
		if err != nil {
			return // larger than an item may be
		}
		it[formatAttr] = number(1)
		if again, err := rowOf("t", it); err != nil || !again.Equal(row.Topic) {
			t.Errorf("read %+v, then %+v, %v", row, again, err)
		}
	})
}

func FuzzChunk(f *testing.F) {
	it, err := chunkItem(entries{"a": {mapping: 5}, "b": {}}, entries{"c": {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(it[chunkTopics]), bytesOf(it[chunkLeaving]))
	f.Fuzz(func(t *testing.T, topics, leaving []byte) {
		c, err := chunkOfItem(item{formatAttr: number(1), chunkTopics: blob(topics), chunkLeaving: blob(leaving)})
		if err != nil {
			return
		}
		it, err := chunkItem(c.topics, c.leaving)
		if err != nil {
			return
		}
		again, err := chunkOfItem(it)
		if err != nil || !maps.Equal(again.topics, c.topics) || len(again.covered()) != len(c.covered()) {
			t.Errorf("read %v, then %v, %v", c, again, err)
		}
	})
}
