package core_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signpost/core"
)

var (
	someTopics   = []string{"T1", "T2", "T3", "T4", "rmq_sys_SYNC_BROKER_MEMBER_b1"}
	someClusters = []string{"c1", "c1", "c2"}
	someBrokers  = []string{"b1", "b2", "b3"}
)

// TestSequences makes random sequences of everything that brokers, operators
// and time can do, through two registries over one store, and compares all
// that either answers with the model after every step.
func TestSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &sequence{world: newWorld(t), model: newModel()}
		s.both = []*world{s.world, s.beside()}
		t.Repeat(map[string]func(*rapid.T){
			"":            s.compare,
			"register":    s.fresh,
			"re-register": s.again,
			"change":      s.changed,
			"unregister":  s.leaves,
			"beat":        s.beats,
			"topics":      s.administers,
			"permission":  s.permits,
			"order":       s.orders,
			"rules":       s.chooses,
			"time":        s.passes,
		})
	})
}

type sequence struct {
	*world
	both  []*world
	model *model
	said  []broker // every registration so far
}

// one chooses one of the registries, with the time as it is.
func (s *sequence) one(t *rapid.T) *world {
	w := rapid.SampledFrom(s.both).Draw(t, "registry")
	w.now = s.now
	return w
}

// says registers the broker and compares the answers.
func (s *sequence) says(t *rapid.T, b broker) {
	s.said = append(s.said, b)
	w := s.one(t)
	got, err := w.Register(w.ctx, w.now, b.registration())
	master, want := s.model.register(s.now, b)
	if !errors.Is(err, want) {
		t.Fatalf("register: got error %v, want %v", err, want)
	}
	answer := ""
	if got.MasterAddr != "" {
		answer = got.MasterAddr + " " + got.HAAddr
	}
	if answer != master {
		t.Fatalf("register: got master %q, want %q", answer, master)
	}
}

func (s *sequence) fresh(t *rapid.T) {
	name := rapid.SampledFrom(someBrokers).Draw(t, "broker")
	b := a(name, rapid.SampledFrom([]int64{0, 0, 1, 2, -1}).Draw(t, "id"), name+rapid.SampledFrom([]string{":a", ":b", ":c"}).Draw(t, "addr"))
	b.Cluster = rapid.SampledFrom(someClusters).Draw(t, "cluster")
	s.says(t, s.body(t, b))
}

// body gives the broker something to say.
func (s *sequence) body(t *rapid.T, b broker) broker {
	b.Front = rapid.SampledFrom([]string{"tcp", "tcp", "https"}).Draw(t, "front")
	b.Whole = rapid.IntRange(0, 3).Draw(t, "whole") == 0
	b.Zone = rapid.SampledFrom([]string{"", "", "z"}).Draw(t, "zone")
	b.Timeout = rapid.SampledFrom([]time.Duration{0, 0, 10 * time.Second}).Draw(t, "timeout")
	b.ActingMaster = rapid.SampledFrom([]core.ActingMaster{core.ActingMasterUnknown, core.ActingMasterOff, core.ActingMasterOn}).Draw(t, "acting")
	b.DataVersion.StateVersion = rapid.Int64Range(0, 1).Draw(t, "state")
	b.DataVersion.Counter = rapid.Int64Range(1, 3).Draw(t, "counter")
	b.Topics = nil
	for _, name := range someTopics {
		if rapid.Bool().Draw(t, name) {
			b.Topics = append(b.Topics, core.Topic{Name: name, Queues: queues(t)})
		}
	}
	b.Mappings = nil
	if rapid.IntRange(0, 3).Draw(t, "static") == 0 {
		b = b.mapped(rapid.SampledFrom(someTopics).Draw(t, "static topic"), rapid.Int64Range(1, 2).Draw(t, "epoch"))
	}
	switch rapid.IntRange(0, 5).Draw(t, "filter servers") {
	case 0:
		b = b.filters()
	case 1:
		b = b.filters("f1", "f2")
	}
	return b
}

func queues(t *rapid.T) core.Queues {
	return core.Queues{
		Read: rapid.Int32Range(1, 2).Draw(t, "read"), Write: 8, Perm: rapid.SampledFrom([]int32{6, 6, 4, 7, 2}).Draw(t, "perm"),
		SysFlag: rapid.Int32Range(0, 3).Draw(t, "flag"),
	}
}

// known chooses one of the brokers that have said something.
func (s *sequence) known(t *rapid.T) broker {
	if len(s.said) == 0 {
		t.Skip("nobody yet")
	}
	recent := s.said[max(0, len(s.said)-8):]
	return rapid.SampledFrom(recent).Draw(t, "known")
}

func (s *sequence) again(t *rapid.T)   { s.says(t, s.known(t)) }
func (s *sequence) changed(t *rapid.T) { s.says(t, s.body(t, s.known(t))) }

func (s *sequence) leaves(t *rapid.T) {
	b := s.known(t)
	w := s.one(t)
	if rapid.Bool().Draw(t, "connection") {
		w.drop(b)
		s.model.drop(s.now, b)
	} else {
		w.unregister(b)
		s.model.unregister(s.now, b)
	}
}

func (s *sequence) beats(t *rapid.T) {
	b := s.known(t)
	s.one(t).beat(b)
	s.model.beat(s.now, b)
}

func (s *sequence) administers(t *rapid.T) {
	topic, w := rapid.SampledFrom(someTopics).Draw(t, "topic"), s.one(t)
	if rapid.Bool().Draw(t, "delete") {
		cluster := rapid.SampledFrom([]string{"", "c1", "c2"}).Draw(t, "cluster")
		w.did(w.DeleteTopic(w.ctx, w.now, topic, cluster))
		s.model.deleteTopic(s.now, topic, cluster)
		return
	}
	var rows []core.Row
	for range rapid.IntRange(0, 2).Draw(t, "rows") {
		name := rapid.SampledFrom(someBrokers).Draw(t, "broker")
		rows = append(rows, core.Row{Broker: name, Topic: core.Topic{Queues: queues(t)}})
	}
	w.did(w.RegisterQueues(w.ctx, w.now, topic, rows))
	s.model.registerQueues(s.now, topic, rows)
}

func (s *sequence) permits(t *rapid.T) {
	name, w := rapid.SampledFrom(someBrokers).Draw(t, "broker"), s.one(t)
	change, add := w.WipeWrite, rapid.Bool().Draw(t, "add")
	if add {
		change = w.AddWrite
	}
	got, _, err := change(w.ctx, w.now, name)
	w.must(err)
	if want := s.model.permission(s.now, name, add); got != want {
		t.Fatalf("permission of %d topics, want %d", got, want)
	}
}

func (s *sequence) orders(t *rapid.T) {
	topic, w := rapid.SampledFrom(someTopics).Draw(t, "topic"), s.one(t)
	if rapid.Bool().Draw(t, "delete") {
		w.did(w.DeleteKV(w.ctx, core.OrderNamespace, topic))
		delete(s.model.order, topic)
		return
	}
	value := fmt.Sprint("b1:", rapid.IntRange(0, 1).Draw(t, "value"))
	w.did(w.PutKV(w.ctx, core.OrderNamespace, topic, value))
	s.model.order[topic] = value
}

func (s *sequence) chooses(t *rapid.T) {
	rules := core.Rules{
		OrderMessages:              rapid.Bool().Draw(t, "order"),
		ActingMaster:               rapid.Bool().Draw(t, "acting"),
		DeleteTopicsOnRegistration: rapid.IntRange(0, 3).Draw(t, "delete") == 0,
	}
	s.model.rules = rules
	for _, w := range s.both {
		w.SetRules(rules)
	}
}

// passes lets time pass, mostly to where something lapses, and perhaps a sweep.
func (s *sequence) passes(t *rapid.T) {
	s.step(rapid.SampledFrom([]time.Duration{
		time.Millisecond, time.Second, 9999 * ms, 10 * time.Second, 60 * time.Second, 119_999 * ms, 120 * time.Second, 121 * time.Second, time.Hour,
	}).Draw(t, "time"))
	if rapid.Bool().Draw(t, "sweep") {
		s.one(t).sweep()
	}
}

func (s *sequence) compare(t *rapid.T) {
	for i, w := range s.both {
		w.now = s.now
		for _, topic := range append(someTopics, "unknown") {
			want, until := s.model.route(s.now, topic)
			if got := w.route(topic); got != want {
				t.Fatalf("registry %d, route of %s:\n got %s\nwant %s", i, topic, got, want)
			}
			if want == "none" {
				continue
			}
			r, err := w.Route(w.ctx, w.now, topic)
			w.must(err)
			if v := r.ValidUntil(); v.Before(s.now) || v.After(until) {
				t.Fatalf("registry %d, route of %s is valid until %v, now is %v and the first deadline %v", i, topic, v, s.now, until)
			}
		}
		for _, cluster := range []string{"", "c1", "c2", "c3"} {
			for kind := core.AllTopics; kind <= core.UnitSubNotUnit; kind++ {
				w.equal(fmt.Sprint("topics ", kind, " of ", cluster), w.topics(kind, cluster), s.model.topics(s.now, kind, cluster))
			}
		}
		w.equal("groups", w.groups(), s.model.allGroups(s.now))
	}
}
