package parity

import "testing"

// The rules must not accept more than they are named for.
func TestRulesAreNarrow(t *testing.T) {
	row := func(f Facts, about, broker, flag string) {
		f[about+": body.queueDatas["+broker+"].brokerName"] = `"` + broker + `"`
		f[about+": body.queueDatas["+broker+"].topicSysFlag"] = flag
	}
	mapping := "body.topicQueueMappingByBroker.b0.epoch"
	for _, c := range []struct {
		name string
		old  bool
		step Step
		see  func(r *Run)
		d    Difference
		want *Accepted
	}{
		{name: "a member of 5.x", old: true, d: Difference{"105 t0: body.brokerDatas[b0].enableActingMaster", "", "false"}, want: newMembers},
		{name: "the same from a 5.x", d: Difference{"105 t0: body.brokerDatas[b0].enableActingMaster", "", "false"}},
		{name: "another value", old: true, d: Difference{"105 t0: body.brokerDatas[b0].enableActingMaster", "true", "false"}},
		{name: "the help's address", old: true, d: Difference{"105 t0: remark", `"No\nSee a"`, `"No\nSee b"`}, want: helpAddress},
		{name: "another remark", old: true, d: Difference{"105 t0: remark", `"No\nSee a"`, `"Nay\nSee a"`}},
		{name: "some broker's address", d: Difference{"304: body.brokerAddr", `"a"`, `"b"`}, want: systemListAddress},
		{name: "no broker's address", d: Difference{"304: body.brokerAddr", `"a"`, ""}},
		{name: "brokers disagree about a unit", see: func(r *Run) { row(r.java, "105 t0", "b0", "0"); row(r.java, "105 t0", "b1", "1") },
			d: Difference{"311: body.topicList[t0]", "listed 1 x", ""}, want: unitByAnyRow},
		{name: "brokers agree", see: func(r *Run) { row(r.java, "105 t0", "b0", "1"); row(r.java, "105 t0", "b1", "1") },
			d: Difference{"311: body.topicList[t0]", "listed 1 x", ""}},
		{name: "a mapping of who is not in the route", see: func(r *Run) { row(r.here, "105 t0", "b1", "0") },
			d: Difference{"105 t0: " + mapping, "1", ""}, want: staleMapping},
		{name: "a mapping of who is", see: func(r *Run) { row(r.here, "105 t0", "b0", "0") }, d: Difference{"105 t0: " + mapping, "1", ""}},
		{name: "a mapping of who was away", see: func(r *Run) {
			r.noteMappings(Wipe{}, Facts{"105 t0: " + mapping: "1"})
			row(r.here, "105 t0", "b0", "0")
		}, d: Difference{"105 t0: " + mapping, "1", ""}, want: staleMapping},
		{name: "a mapping that should be another", see: func(r *Run) { row(r.here, "105 t0", "b1", "0") }, d: Difference{"105 t0: " + mapping, "1", "2"}},
		{name: "the version of who was replaced", step: QueryVersion{}, d: Difference{"answer: ext.changed", `"false"`, `"true"`}, want: versionOfReplaced},
		{name: "the version of who is there", step: QueryVersion{},
			see: func(r *Run) { r.java["106: body.brokerAddrTable.b0.brokerAddrs.0"] = `"10.0.0.0:10911"` },
			d:   Difference{"answer: ext.changed", `"false"`, `"true"`}},
		{name: "the version of who is gone at a shim", step: QueryVersion{}, see: func(r *Run) {
			r.pair.Settles = true
			r.java["106: body.brokerAddrTable.b0.brokerAddrs.0"] = `"10.0.0.0:10911"`
		}, d: Difference{"answer: body.counter", "1", ""}, want: versionOfGone},
		{name: "another version at a shim", step: QueryVersion{}, see: func(r *Run) {
			r.pair.Settles = true
			r.java["106: body.brokerAddrTable.b0.brokerAddrs.0"] = `"10.0.0.0:10911"`
		}, d: Difference{"answer: body.counter", "1", "2"}},
		{name: "another answer", step: Wipe{}, d: Difference{"answer: ext.wipeTopicCount", `"1"`, `"2"`}},
		{name: "a permission", d: Difference{"105 t0: body.queueDatas[b0].perm", "6", "4"}},
	} {
		r := Pair{Old: c.old}.NewRun(1)
		r.java, r.here = Facts{}, Facts{}
		if c.see != nil {
			c.see(r)
		}
		if got := r.acceptedBy(c.step, c.d); got != c.want {
			t.Errorf("%s: %v is accepted by %v, want %v", c.name, c.d, got, c.want)
		}
	}
}

func TestAcceptedDifferencesAreToldInFull(t *testing.T) {
	names := map[string]bool{}
	for _, a := range List {
		if a.Name == "" || a.Java == "" || a.Here == "" || a.Why == "" || names[a.Name] {
			t.Errorf("%+v is incomplete or twice in the list", *a)
		}
		if a.Where != "4.x" && a.Where != "5.x" && a.Where != "all" {
			t.Errorf("%s is for %q", a.Name, a.Where)
		}
		names[a.Name] = true
	}
}
