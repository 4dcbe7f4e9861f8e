package load

import (
	"bytes"
	"encoding/json"
	"testing"
)

type body struct {
	TopicConfigSerializeWrapper struct {
		DataVersion struct {
			Counter, StateVersion, Timestamp int64
		}
		TopicConfigTable map[string]struct {
			TopicName                                         string
			Perm, ReadQueueNums, WriteQueueNums, TopicSysFlag int
		}
	}
}

func decode(t *testing.T, raw []byte) body {
	t.Helper()
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatalf("%v in %.200s", err, raw)
	}
	return b
}

func TestBodyHasTheFleetsTopics(t *testing.T) {
	f := Fleet{Name: "app", Brokers: 100, TopicsPerBroker: 40, Topics: 1000}
	on := map[string]int{}
	for b := range f.Brokers {
		for name, c := range decode(t, f.Body(b, 0)).TopicConfigSerializeWrapper.TopicConfigTable {
			if c.TopicName != name || c.Perm != 6 || c.ReadQueueNums != queues || c.WriteQueueNums != queues {
				t.Fatalf("topic %s is %+v", name, c)
			}
			on[name]++
		}
	}
	if len(on) != f.Topics {
		t.Errorf("%d topics, want %d", len(on), f.Topics)
	}
	for name, n := range on {
		if n != 4 {
			t.Fatalf("%s is on %d brokers, want 4", name, n)
		}
	}
}

func TestBodyOfManyTopicsIsAsLongAsARealOne(t *testing.T) {
	f := Fleet{Name: "bg0", Brokers: 1, TopicsPerBroker: 50_000, Topics: 50_000}
	if n := len(f.Body(0, 0)); n < 8_250_000 || n > 8_350_000 {
		t.Errorf("%d bytes, want 8.3 million", n)
	}
}

func TestVersionsDifferInSomeTopics(t *testing.T) {
	f := Fleet{Name: "svc", Brokers: 10, TopicsPerBroker: 80, Topics: 400}
	for v := 1; v < 12; v++ {
		old := decode(t, f.Body(3, v-1)).TopicConfigSerializeWrapper
		now := decode(t, f.Body(3, v)).TopicConfigSerializeWrapper
		if old.DataVersion == now.DataVersion {
			t.Errorf("version %d has the DataVersion of the one before", v)
		}
		differ := 0
		for name, c := range now.TopicConfigTable {
			if old.TopicConfigTable[name] != c {
				differ++
			}
		}
		if differ < changed || differ > 2*changed+1 {
			t.Errorf("version %d differs in %d topics", v, differ)
		}
		for name := range decode(t, f.Body(3, 0)).TopicConfigSerializeWrapper.TopicConfigTable {
			if c := now.TopicConfigTable[name]; c.ReadQueueNums < queues {
				t.Errorf("version %d lacks %s of version 0", v, name)
			}
		}
	}
}

func TestCheckRoute(t *testing.T) {
	f := Fleet{Name: "app", Brokers: 100, TopicsPerBroker: 40, Topics: 1000}
	good := f.Route(7)
	if n := bytes.Count(good, []byte(`"brokerAddrs"`)); n != 4 {
		t.Fatalf("%d brokers in %s", n, good)
	}
	for _, exact := range []bool{true, false} {
		if err := f.CheckRoute(7, good, exact); err != nil {
			t.Errorf("exact %v: %v", exact, err)
		}
	}
	replace := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	more := f
	more.Brokers = 125
	for _, tt := range []struct {
		name          string
		body          []byte
		exact, inTurn bool // whether the checks with and without exact refuse it
	}{
		{"another topic's route", f.Route(47), true, true},
		{"empty lists", []byte(`{"brokerDatas":[],"queueDatas":[]}`), true, true},
		{"no JSON", []byte(`{0:`), true, true},
		{"another address", replace("10.1.0.0:", "10.9.0.0:"), true, true},
		{"another cluster", replace(Cluster, "other"), true, true},
		{"no write permission", replace(`"perm":6`, `"perm":4`), true, true},
		{"one more broker", more.Route(7), true, false},
		{"more queues", []byte(string(replace(`"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8`, `"readQueueNums":9,"topicSysFlag":0,"writeQueueNums":9`))), true, false},
	} {
		if err := f.CheckRoute(7, tt.body, true); (err != nil) != tt.exact {
			t.Errorf("%s, exact: %v", tt.name, err)
		}
		if err := f.CheckRoute(7, tt.body, false); (err != nil) != tt.inTurn {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
