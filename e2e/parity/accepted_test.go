//go:build e2e

package parity

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"signpost/internal/wire"
)

// program shows an accepted difference. All its steps but the last go alike.
// After that the servers differ in what is written here and in nothing else;
// or, if nothing is written, in nothing but what the rule accepts.
type program struct {
	by    *Accepted
	what  string
	where string // by.Where unless set
	steps []Step
	// after are regular expressions of whole differences, those seen from a
	// zone left out. Each matches one at least, unless it starts with "?", and
	// each difference is matched by one.
	after []string
	// kept says that topics that a registration does not name have to stay, as
	// they do without deleteTopicWithBrokerRegistration.
	kept bool
	// order, if set, chooses a sequence in whose names Java's hash tables have
	// broker 1 before broker 0.
	order bool
}

// Topics of brokers.
var (
	t0      = Topic{Name: 0, Read: 4, Write: 4, Perm: 6}
	t0wide  = Topic{Name: 0, Read: 8, Write: 8, Perm: 6}
	t0unit  = Topic{Name: 0, Read: 4, Write: 4, Perm: 6, SysFlag: 1}
	t0fixed = Topic{Name: 0, Read: 4, Write: 4, Perm: 6, Epoch: 1}
	t1      = Topic{Name: 1, Read: 4, Write: 4, Perm: 6}
	t2      = Topic{Name: 2, Read: 4, Write: 4, Perm: 6}
)

var programs = []program{
	{by: refusedLeftover, steps: []Step{Register{Form: wire.JSON5, Version: 1, Topics: []Topic{t0}}}},
	{by: unitByAnyRow, order: true, steps: []Step{
		Register{Broker: 0, Version: 1, Topics: []Topic{t0, t1}},
		Register{Broker: 1, Version: 1, Topics: []Topic{t0unit, t1}},
	}},
	{by: systemListAddress, steps: []Step{
		Register{ID: 16, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Version: 1, Topics: []Topic{t0, t1}},
	}},
	{by: versionOfReplaced, steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Register{Addr: 1, Version: 2, Topics: []Topic{t0, t1}},
		QueryVersion{Version: 1},
	}},
	{by: staleMapping, what: "of a broker that is gone", steps: []Step{
		Register{Broker: 0, Form: wire.JSON5, Version: 1, Topics: []Topic{t0fixed, t1}},
		Register{Broker: 1, Form: wire.JSON5, Version: 1, Topics: []Topic{t0, t1}},
		Unregister{Broker: 0},
	}},
	{by: staleMapping, what: "of a broker that came back without", steps: []Step{
		Register{Form: wire.JSON5, Version: 1, Topics: []Topic{t0fixed, t1}},
		Unregister{},
		Register{Form: wire.JSON5, Version: 2, Topics: []Topic{t0, t1}},
	}},
	{by: newMembers, steps: []Step{Register{Version: 1, Topics: []Topic{t0, t1}}}},
	{by: helpAddress, steps: []Step{Wipe{}}},
	{by: contentNotVersion, what: "known version", steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Register{Version: 1, Topics: []Topic{t0wide, t1}},
	}, after: []string{
		`105 t0: body\.queueDatas\[b0\]\.(read|write)QueueNums: Java 4, here 8`,
	}},
	{by: contentNotVersion, what: "back to an id that another had", steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Register{Addr: 1, Version: 2, Topics: []Topic{t0wide, t1}},
		Register{Version: 1, Topics: []Topic{t0, t1}},
	}, after: []string{
		`105 t0: body\.queueDatas\[b0\]\.(read|write)QueueNums: Java 8, here 4`,
	}},
	{by: overrideOfGroup, what: "a changed registration names a part", steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Wipe{},
		Register{Version: 2, Topics: []Topic{t0}},
	}, kept: true, after: []string{
		`105 t0: body\.queueDatas\[b0\]\.perm: Java 6, here 4`,
	}},
	{by: overrideOfGroup, what: "a deleted topic returns", where: "5.x", steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Wipe{},
		DeleteTopic{Topic: 0},
		Register{Version: 1, Topics: []Topic{t0, t1}},
	}, after: []string{
		`105 t0: body\.queueDatas\[b0\]\.perm: Java 6, here 4`,
	}},
	{by: overrideOfGroup, what: "a topic comes alone", where: "5.x", steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		Wipe{},
		SetQueues{Topic: 2, Rows: []Queues{{Read: 4, Write: 4, Perm: 6}}},
	}, after: []string{
		`105 t2: body\.queueDatas\[b0\]\.perm: Java 6, here 4`,
	}},
	{by: masterless, what: "permission added", steps: []Step{
		Register{ID: 1, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
		Add{},
	}, after: []string{
		`105 t[01]: body\.queueDatas\[b0\]\.perm: Java 6, here 4`,
		`?105 t[01]: body\.brokerDatas\[b0\]\.brokerAddrs\.[01]: Java .*`,
	}},
	{by: masterless, what: "a topic comes alone", steps: []Step{
		Register{ID: 1, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
		SetQueues{Topic: 2, Rows: []Queues{{Read: 4, Write: 4, Perm: 6}}},
	}, after: []string{
		`105 t2: body\.queueDatas\[b0\]\.perm: Java 6, here 4`,
		`?105 t2: body\.brokerDatas\[b0\]\.brokerAddrs\.[01]: Java .*`,
	}},
	{by: masterless, what: "the master becomes a slave behind another", steps: []Step{
		Register{Addr: 0, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 2, Addr: 0, Form: wire.JSON5, Acting: true, Version: 2, Topics: []Topic{t0, t1}},
	}, after: []string{
		`105 t[01]: body\.queueDatas\[b0\]\.perm: Java 6, here 4`,
		`?105 t[01]: body\.brokerDatas\[b0\]\.brokerAddrs\.[01]: Java .*`,
	}},
	{by: masterless, what: "the master returns with a part", steps: []Step{
		Register{Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1, t2}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Acting: true, Version: 1, Topics: []Topic{t0, t1, t2}},
		Unregister{},
		Register{Form: wire.JSON5, Acting: true, Version: 2, Topics: []Topic{t0, t1}},
	}, kept: true, after: []string{
		`105 t2: body\.queueDatas\[b0\]\.perm: Java 4, here 6`,
	}},
	{by: nameConflict, steps: []Step{
		Register{Addr: 0, Cluster: 0, Version: 1, Topics: []Topic{t0, t1}},
		Register{Addr: 1, ID: 1, Cluster: 1, Version: 1, Topics: []Topic{t0, t1}},
	}, after: []string{
		`answer: code: Java 0, here 1`,
		`105 t[01]: body\.brokerDatas\[b0\]\.brokerAddrs\.1: Java "10\.0\.0\.1:10911", here nothing`,
		`106: body\.brokerAddrTable\.b0\.brokerAddrs\.1: Java "10\.0\.0\.1:10911", here nothing`,
		`106: body\.clusterAddrTable\.c1.*: Java .*, here nothing`,
		`224 c1: body\.topicList\[t[01]\]: Java listed 1 x, here nothing`,
		`304: body\.topicList\[c1\]: Java listed 1 x, here nothing`,
		`?901 b0: body\.brokerMemberGroup\.brokerAddrs\.1: Java "10\.0\.0\.1:10911", here nothing`,
	}},
	{by: nameConflict, what: "the same address moves", steps: []Step{
		Register{Cluster: 0, Version: 1, Topics: []Topic{t0, t1}},
		Register{Cluster: 1, Version: 1, Topics: []Topic{t0, t1}},
	}, after: []string{
		`105 t[01]: body\.brokerDatas\[b0\]\.cluster: Java "c0", here "c1"`,
		`106: body\.brokerAddrTable\.b0\.cluster: Java "c0", here "c1"`,
		`106: body\.clusterAddrTable\.c0.*: Java .*, here nothing`,
		`224 c0: body\.topicList\[t[01]\]: Java listed 1 x, here nothing`,
		`304: body\.topicList\[c0\]: Java listed 1 x, here nothing`,
	}},
	{by: foreignDeparture, steps: []Step{
		Register{Cluster: 0, Version: 1, Topics: []Topic{t0, t1}},
		Unregister{Cluster: 1},
	}, after: []string{
		`105 t[01]: code: Java 17, here 0`,
		`106: body\.brokerAddrTable\.b0.*: Java nothing, here .*`,
		`206: body\.topicList\[t[01]\]: Java nothing, here .*`,
		`224 c0: body\.topicList\[t[01]\]: Java nothing, here .*`,
		`304: body\.brokerAddr: Java nothing, here .*`,
		`?901 b0: body\.brokerMemberGroup\.brokerAddrs\.0: Java nothing, here .*`,
	}},
	{by: lowestCounts, steps: []Step{
		Register{ID: 0, Addr: 0, Form: wire.JSON5, Zone: 1, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Zone: 2, Acting: true, Version: 1, Topics: []Topic{t0, t1}},
	}, after: []string{
		`(105 t[01]: body\.brokerDatas\[b0\]|106: body\.brokerAddrTable\.b0)\.zoneName: Java "zone2", here "zone1"`,
		`(105 t[01]: body\.brokerDatas\[b0\]|106: body\.brokerAddrTable\.b0)\.enableActingMaster: Java true, here false`,
	}},
	{by: refusedSwitch, steps: []Step{
		Register{ID: 0, Addr: 0, Form: wire.JSON5, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 1, Addr: 1, Form: wire.JSON5, Version: 1, Topics: []Topic{t0, t1}},
		Register{ID: 2, Addr: 1, Form: wire.JSON5, Version: 2, Topics: []Topic{t0}},
	}, after: []string{
		`105 t[01]: body\.brokerDatas\[b0\]\.brokerAddrs\.1: Java nothing, here "10\.0\.0\.1:10911"`,
		`106: body\.brokerAddrTable\.b0\.brokerAddrs\.1: Java nothing, here "10\.0\.0\.1:10911"`,
		`901 b0: body\.brokerMemberGroup\.brokerAddrs\.1: Java nothing, here "10\.0\.0\.1:10911"`,
	}},
	{by: sharedConnection, steps: []Step{
		Register{Broker: 0, Version: 1, Topics: []Topic{t0, t1}},
		Register{Broker: 1, Shared: true, Version: 1, Topics: []Topic{t0, t1}},
		Close{Broker: 0},
	}, after: []string{
		`105 t[01]: code: Java 0, here 17`,
		`106: body\.brokerAddrTable\.b[01].*: Java .*, here nothing`,
		`206: body\.topicList\[t[01]\]: Java .*, here nothing`,
		`224 c0: body\.topicList\[t[01]\]: Java .*, here nothing`,
		`304: body\.brokerAddr: Java .*, here nothing`,
		`?901 b[01]: body\.brokerMemberGroup\.brokerAddrs\.0: Java .*, here nothing`,
		`106: body\.clusterAddrTable\.c0.*: Java .*, here nothing`,
		`304: body\.topicList\[(b[01]|c0)\]: Java .*, here nothing`,
	}},
	{by: oneTopicOfUnknown, steps: []Step{Register{Version: 1, Topics: []Topic{t0}}}, after: []string{
		`answer: code: Java 0, here 1`,
		`105 t0: code: Java 0, here 17`,
		`106: body\.brokerAddrTable\.b0.*: Java .*, here nothing`,
		`206: body\.topicList\[t0\]: Java .*, here nothing`,
		`224 c0: body\.topicList\[t0\]: Java .*, here nothing`,
		`304: body\.brokerAddr: Java .*, here nothing`,
		`?901 b0: body\.brokerMemberGroup\.brokerAddrs\.0: Java .*, here nothing`,
		`106: body\.clusterAddrTable\.c0.*: Java .*, here nothing`,
		`304: body\.topicList\[(b0|c0)\]: Java .*, here nothing`,
	}},
	{by: deletedReturns, steps: []Step{
		Register{Version: 1, Topics: []Topic{t0, t1}},
		DeleteTopic{Topic: 0},
		Register{Version: 1, Topics: []Topic{t0, t1}},
	}, after: []string{
		`105 t0: code: Java 17, here 0`,
		`206: body\.topicList\[t0\]: Java nothing, here listed 1 x`,
		`224 c0: body\.topicList\[t0\]: Java nothing, here listed 1 x`,
	}},
	{by: goneByID, steps: []Step{
		Register{Addr: 0, Version: 1, Topics: []Topic{t0, t1}},
		Register{Addr: 1, Version: 2, Topics: []Topic{t0, t1}},
		Unregister{Addr: 0},
	}, after: []string{
		`105 t[01]: code: Java 17, here 0`,
		`106: body\.brokerAddrTable\.b0.*: Java nothing, here .*`,
		`206: body\.topicList\[t[01]\]: Java nothing, here .*`,
		`224 c0: body\.topicList\[t[01]\]: Java nothing, here .*`,
		`304: body\.brokerAddr: Java nothing, here .*`,
		`?901 b0: body\.brokerMemberGroup\.brokerAddrs\.0: Java nothing, here .*`,
		`106: body\.clusterAddrTable\.c0.*: Java nothing, here .*`,
		`304: body\.topicList\[(b0|c0)\]: Java nothing, here .*`,
	}},
}

func (b *bench) acceptedDifferences(t *testing.T) {
	for _, a := range List {
		if b.isAt(a.Where) && !slices.ContainsFunc(programs, func(p program) bool { return p.by == a }) {
			t.Errorf("no program shows %s", a.Name)
		}
	}
	for _, p := range programs {
		if p.where == "" {
			p.where = p.by.Where
		}
		if b.isAt(p.where) && !(p.kept && b.pair.Deletes) {
			t.Run(strings.TrimSpace(p.by.Name+" "+p.what), func(t *testing.T) { b.shows(t, p) })
		}
	}
}

func (b *bench) shows(t *testing.T, p program) {
	number := b.number()
	for p.order && !oneBeforeZero(namesOf(number)) {
		number = b.number()
	}
	run := b.pair.NewRun(number)
	defer b.cleanUp(t, run)
	var rest []Difference
	for i, s := range p.steps {
		if len(rest) > 0 {
			t.Fatalf("different before the last step:\n%s", Summary(rest))
		}
		clear(run.Accepted)
		var err error
		if rest, err = run.Do(t.Context(), s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if p.after == nil {
		if len(rest) > 0 || run.Accepted[p.by.Name] == 0 {
			t.Errorf("accepted: %v; not accepted:\n%s", run.Accepted, Summary(rest))
		}
		return
	}
	p.check(t, Summary(slices.DeleteFunc(rest, func(d Difference) bool { return strings.Contains(d.Fact, " in zone") })))
}

// check compares the differences, one a line, with what is expected after the
// program.
func (p program) check(t *testing.T, summary string) {
	lines := strings.Split(strings.TrimSpace(summary), "\n")
	told := make([]bool, len(lines))
	for _, expr := range p.after {
		optional := strings.HasPrefix(expr, "?")
		re := regexp.MustCompile("^(" + strings.TrimPrefix(expr, "?") + ")$")
		met := false
		for i, line := range lines {
			if re.MatchString(line) {
				told[i], met = true, true
			}
		}
		if !met && !optional {
			t.Errorf("no difference is %s", expr)
		}
	}
	for i, line := range lines {
		if !told[i] {
			t.Errorf("not expected: %s", line)
		}
	}
	if t.Failed() {
		t.Log("all differences:\n" + summary)
	}
}

// oneBeforeZero says whether a Java HashMap of the two has broker 1 first.
func oneBeforeZero(n names) bool {
	bucket := func(s string) uint32 {
		h := uint32(0)
		for _, c := range []byte(s) {
			h = 31*h + uint32(c)
		}
		return (h ^ h>>16) & 15
	}
	return bucket(n.broker(1)) < bucket(n.broker(0))
}
