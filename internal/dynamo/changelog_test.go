package dynamo

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signpost/core"
)

func logWith(n int, change core.Change) changeLog {
	l := changeLog{revision: core.Revision(n)}
	for range n {
		l.entries = append(l.entries, entryOf(change))
	}
	return l
}

func TestChangesSince(t *testing.T) {
	l := changeLog{revision: 100}
	for n := range 10 {
		l.entries = append(l.entries, entryOf(core.Change{Broker: fmt.Sprint("b", 91+n), Replicas: n%2 == 0, Topics: []string{"t"}}))
	}
	for _, test := range []struct {
		since    core.Revision
		changes  int
		complete bool
	}{{100, 0, true}, {99, 1, true}, {90, 10, true}, {89, 10, false}, {0, 10, false}, {101, 0, false}} {
		changes, complete, err := l.since(test.since)
		if err != nil || len(changes) != test.changes || complete != test.complete {
			t.Errorf("since %d: %d changes, complete %v, %v", test.since, len(changes), complete, err)
		}
		for i, c := range changes {
			want := core.Revision(100 - len(changes) + 1 + i)
			if c.Revision != want || c.Broker != fmt.Sprint("b", want) || c.Replicas != (want%2 == 1) || !slices.Equal(c.Topics, []string{"t"}) {
				t.Errorf("since %d: %+v, want that of %d", test.since, c, want)
			}
		}
	}
}

func TestLogStaysWithinOneWriteUnit(t *testing.T) {
	l := logWith(2000, core.Change{Broker: "broker-production-a", Replicas: true})
	if kept := (changeLog{entries: l.keeping()}); kept.size() > logKept || len(kept.entries) < 25 {
		t.Errorf("%d entries of %d bytes stay", len(kept.entries), kept.size())
	}
	l = logWith(20, core.Change{Broker: strings.Repeat("x", maxName), Replicas: true})
	if kept := l.keeping(); len(kept) != logSurely {
		t.Errorf("%d long entries stay", len(kept))
	}
	item := item{formatAttr: number(1), logRevision: unsigned(1 << 60), logChanges: &types.AttributeValueMemberL{}}
	overhead := 3 + len(revisionSort) + len(headPartition) + 4 // names and keys
	for name := range maps.Keys(item) {
		overhead += len(name) + 12
	}
	if logSize+overhead > 1024 {
		t.Errorf("a log of %d bytes with %d beside it is more than 1 KB", logSize, overhead)
	}
}

func TestEntriesNameFewTopics(t *testing.T) {
	names := func(n, size int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("%0*d", size, i)
		}
		return list
	}
	for _, test := range []struct {
		change core.Change
		many   bool
	}{
		{core.Change{Broker: "b", Topics: names(4, 36)}, false},
		{core.Change{Broker: "b", Topics: names(50, 20)}, true},
		{core.Change{Broker: "b", Topics: names(1, 255)}, true},
		// An order configuration's topic stands in no broker's set.
		{core.Change{Topics: names(1, maxName)}, false},
	} {
		d := newDecoder(entryOf(test.change))
		got := d.change()
		want := test.change
		if test.many {
			want.Topics, want.Many = nil, true
		}
		if err := d.done(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestDamagedLogs(t *testing.T) {
	good := func() item {
		return item{formatAttr: number(1), logRevision: unsigned(2), logChanges: entryList([][]byte{entryOf(core.Change{Broker: "b"}), entryOf(core.Change{})})}
	}
	if l, err := logOf(good()); err != nil || l.revision != 2 || len(l.entries) != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
	for name, damage := range map[string]func(item){
		"no list":                     func(it item) { delete(it, logChanges) },
		"no revision":                 func(it item) { delete(it, logRevision) },
		"more changes than revisions": func(it item) { it[logRevision] = unsigned(1) },
		"a later format":              func(it item) { it[formatAttr] = number(format + 1) },
	} {
		it := good()
		damage(it)
		if l, err := logOf(it); err == nil {
			t.Errorf("%s: read as %+v", name, l)
		}
	}
	l := changeLog{revision: 1, entries: [][]byte{{0xff}}}
	if changes, _, err := l.since(0); err == nil {
		t.Errorf("a damaged entry was read as %+v", changes)
	}
}
