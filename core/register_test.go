package core_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signpost/core"
)

// TestRegistrationSteps goes through Java's RouteInfoManager.registerBroker
// (5.x) step by step.
func TestRegistrationSteps(t *testing.T) {
	master, slave := a("b1", 0, "a", "T", "U"), a("b1", 1, "b", "T", "U")
	for _, c := range []struct {
		step   string
		say    []broker
		err    error // of the last
		groups string
		route  string
	}{
		{"1, 2: the name enters its cluster", []broker{master}, nil, "b1@c1{0=a}", aRoute},
		{"1, 2: a slave alone", []broker{slave}, nil, "b1@c1{1=b}", "none"},
		{"2: another cluster, the same address: it moves", []broker{master, master.in("c2")}, nil, "b1@c2{0=a}", "b1@c2{0=a} 8/8/6"},
		{"2: another cluster, the same address, not alone", []broker{master, slave, master.in("c2")}, core.ErrNameConflict, "b1@c1{0=a 1=b}", abRoute},
		{"2: another cluster, another address", []broker{master, a("b1", 0, "z", "T", "U").in("c2")}, core.ErrNameConflict, "b1@c1{0=a}", aRoute},
		{"3: enableActingMaster", []broker{master.acting()}, nil, "b1@c1{0=a}", aRoute + " acting"},
		{"3: enableActingMaster, no more", []broker{master.acting(), master}, nil, "b1@c1{0=a}", aRoute},
		{"3: zone", []broker{master.change(func(b *broker) { b.Zone = "z" })}, nil, "b1@c1{0=a}", aRoute + " zone z"},
		{"3: zone, no more", []broker{master.change(func(b *broker) { b.Zone = "z" }), master}, nil, "b1@c1{0=a}", aRoute},
		{"5: slave becomes master", []broker{slave, a("b1", 0, "b", "T", "U")}, nil, "b1@c1{0=b}", "b1@c1{0=b} 8/8/6"},
		{"5: master becomes slave", []broker{master, slave, a("b1", 2, "a", "T", "U")}, nil, "b1@c1{1=b 2=a}", "b1@c1{1=b 2=a} 8/8/6"},
		{"6: a newer one has the id", []broker{master.state(5), a("b1", 0, "z", "T", "V").state(4)}, nil, "b1@c1{0=a}", aRoute},
		{"6: an equally new one has the id", []broker{master.state(5), a("b1", 0, "z", "T", "V").state(5)}, nil, "b1@c1{0=z}", "b1@c1{0=z} 8/8/6"},
		{"6: the same address, an older state", []broker{master.state(5), master.state(4)}, nil, "b1@c1{0=a}", aRoute},
		{"6: refused the master's place, and its own is given up", []broker{master.state(5), slave.state(5), a("b1", 0, "b", "T", "U").state(4)}, nil, "b1@c1{0=a}", aRoute},
		{"7: one topic only, not known", []broker{a("b1", 0, "a", "T")}, core.ErrRefused, "", "none"},
		{"7: one topic only, the id not known", []broker{master, a("b1", 1, "b", "T")}, core.ErrRefused, "b1@c1{0=a}", aRoute},
		{"7: one topic only, another role", []broker{slave, a("b1", 0, "b", "T")}, core.ErrRefused, "b1@c1{1=b}", "none"},
		{"7: one topic only, known", []broker{master, master.only("V")}, nil, "b1@c1{0=a}", aRoute},
		{"7: one topic only, another has the id", []broker{master, a("b1", 0, "z", "T")}, nil, "b1@c1{0=z}", "b1@c1{0=z} 8/8/6"},
		{"7: no topic, not known", []broker{a("b1", 0, "a")}, nil, "b1@c1{0=a}", "none"},
		{"8: another address takes the id", []broker{master, a("b1", 0, "z", "T", "U")}, nil, "b1@c1{0=z}", "b1@c1{0=z} 8/8/6"},
		{"9: a slave contributes nothing", []broker{master, slave.with(core.Topic{Name: "T"})}, nil, "b1@c1{0=a 1=b}", abRoute},
		{"9: the prime slave does", []broker{slave.acting()}, nil, "b1@c1{1=b}", "b1@c1{1=b} 8/8/4 acting"},
		{"9: the prime slave does, without acting", []broker{slave.change(func(b *broker) { b.ActingMaster = core.ActingMasterOff })}, nil, "b1@c1{1=b}", "b1@c1{1=b} 8/8/6"},
		{"9: not the second slave", []broker{slave.acting().only("V", "W"), a("b1", 2, "c", "T", "U").acting()}, nil, "b1@c1{1=b 2=c}", "none"},
		{"10: changed", []broker{master, master.with(core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 2, Perm: 4}})}, nil, "b1@c1{0=a}", "b1@c1{0=a} 1/2/4"},
		{"11: absent topics stay", []broker{master, master.only("V", "W")}, nil, "b1@c1{0=a}", aRoute},
		{"13: flags", []broker{master.with(core.Topic{Name: "T", Queues: core.Queues{Perm: 6, SysFlag: 3}})}, nil, "b1@c1{0=a}", "b1@c1{0=a} 0/0/6 flag 3"},
		{"14: mapping", []broker{master.mapped("T", 1)}, nil, "b1@c1{0=a}", aRoute + " mapping b1:4@1map[0:0]"},
		{"14: mapping, merged", []broker{master.mapped("T", 1), master.only("V", "W")}, nil, "b1@c1{0=a}", aRoute + " mapping b1:4@1map[0:0]"},
		{"14: mapping of an earlier body's topic", []broker{master, master.only("V", "W").mapped("T", 2)}, nil, "b1@c1{0=a}", aRoute + " mapping b1:4@2map[0:0]"},
		{"14: mapping of no topic", []broker{master.only("V", "W").mapped("T", 2)}, nil, "b1@c1{0=a}", "none"},
		{"16: filter servers", []broker{master.filters("f2", "f1")}, nil, "b1@c1{0=a}", aRoute + "; filter a=f2,f1"},
		{"16: filter servers, kept", []broker{master.filters("f"), master}, nil, "b1@c1{0=a}", aRoute + "; filter a=f"},
		{"16: filter servers, removed", []broker{master.filters("f"), master.filters()}, nil, "b1@c1{0=a}", aRoute},
		{"16: filter servers, another address", []broker{master.filters("f"), a("b1", 0, "z", "T", "U")}, nil, "b1@c1{0=z}", "b1@c1{0=z} 8/8/6"},
		{"16: filter servers, another role", []broker{slave.filters("f"), a("b1", 0, "b", "T", "U")}, nil, "b1@c1{0=b}", "b1@c1{0=b} 8/8/6; filter b=f"},
	} {
		t.Run(c.step, func(t *testing.T) {
			w := newWorld(t)
			var err error
			for i, b := range c.say {
				w.step(time.Second)
				if err = w.registerErr(b); err != nil && i+1 < len(c.say) {
					t.Fatal(err)
				}
			}
			if !errors.Is(err, c.err) {
				t.Fatalf("got error %v, want %v", err, c.err)
			}
			w.equal("groups", w.groups(), c.groups)
			w.routes("T", c.route)
		})
	}
}

func (b broker) state(v int64) broker {
	b.DataVersion.StateVersion = v
	return b
}

func (b broker) filters(addrs ...string) broker {
	b.FilterServers = append([]string{}, addrs...)
	return b
}

func (b broker) mapped(topic string, epoch int64) broker {
	b.Mappings = []*core.Mapping{{Topic: topic, Broker: b.Broker, TotalQueues: 4, Epoch: epoch, Current: map[int32]int32{0: 0}}}
	return b
}

// Step 9: a slave's topics count from when it is the lowest, though it says
// nothing new.
func TestTheNextSlaveIsHeardInFull(t *testing.T) {
	master, slave := a("b1", 0, "a", "U", "V").acting(), a("b1", 1, "b", "T", "U").acting()
	for name, leave := range map[string]func(*world){
		"unregistered":      func(w *world) { w.unregister(master) },
		"connection closed": func(w *world) { w.drop(master) },
		"lapsed":            func(w *world) { w.step(100 * time.Second); w.register(slave); w.step(21 * time.Second) },
		"evicted":           func(w *world) { w.step(100 * time.Second); w.register(slave); w.step(21 * time.Second); w.sweep() },
		"demoted":           func(w *world) { w.register(a("b1", 2, "a", "U", "V").acting()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.register(master, slave)
			w.routes("T", "none")
			w.step(time.Second)
			leave(w)
			w.routes("T", "none")
			w.step(time.Second)
			w.register(slave)
			if got := w.route("T"); !strings.HasSuffix(got, " 8/8/4 acting") {
				t.Fatal("the slave stands in for its master, and its topic has the route", got)
			}
		})
	}
}

// A master's topics always count, whoever lapses below it and whoever notices.
func TestAMasterIsNotHeardAgainForWhoLapsedBelowIt(t *testing.T) {
	master, below := a("b1", 0, "a", "T", "U"), a("b1", -1, "b").acting().change(func(b *broker) { b.Timeout = time.Second })
	below = below.with(core.Topic{Name: "T", Queues: core.Queues{Read: 1, Write: 1, Perm: 6}})
	below = below.with(core.Topic{Name: "V"})
	for _, sweep := range []bool{false, true} {
		w := newWorld(t)
		w.register(master, below)
		w.step(2 * time.Second)
		if sweep {
			w.sweep()
		}
		w.register(master)
		w.routes("T", "b1@c1{0=a} 1/1/6")
	}
}

// Step 17: a slave is told where its living master is.
func TestRegistrationTellsTheMaster(t *testing.T) {
	w := newWorld(t)
	slave := a("b1", 1, "b", "T", "U")
	tell := func(want string) {
		t.Helper()
		got := w.register(slave)
		w.equal("answer", got.MasterAddr+" "+got.HAAddr, want)
	}
	tell(" ")
	w.register(a("b1", 0, "a", "T", "U"))
	tell("a a-ha")
	if got := w.register(a("b1", 0, "a", "T", "U")); got.MasterAddr != "" || got.HAAddr != "" {
		t.Fatal("a master was told of", got)
	}
	w.step(60 * time.Second)
	tell("a a-ha")
	w.step(60_001 * ms) // the master has lapsed, and nobody has swept
	tell(" ")
	slave = slave.only("V", "W")
	tell(" ")

	w.register(a("b1", 0, "a", "T", "U").state(9), slave.state(9))
	if got := w.register(a("b1", 1, "z", "T", "U").state(8)); got.MasterAddr != "" {
		t.Fatal("one that was not registered was told of", got)
	}
}

func TestRegistrationIsCheckedFirst(t *testing.T) {
	for field, b := range map[string]broker{
		"brokerName":  a(" ", 0, "a", "T", "U"),
		"clusterName": a("b1", 0, "a", "T", "U").in(""),
		"brokerAddr":  a("b1", 0, "", "T", "U"),
	} {
		w := newWorld(t)
		var bad *core.FieldError
		if err := w.registerErr(b); !errors.As(err, &bad) || bad.Field != field {
			t.Fatalf("%s: %v", field, err)
		}
	}

	w := newWorld(t)
	b := a("b1", 0, "a", "T", "U").registration()
	damaged := errors.New("damaged body")
	b.Content = func() (core.Content, error) { return core.Content{}, damaged }
	_, err := w.Register(w.ctx, w.now, b)
	w.refused(err, damaged)
	if g := w.stored("b1"); g.Version != 0 {
		t.Fatal("something was stored", g)
	}
}

func TestUnchangedRegistrationReadsNoBody(t *testing.T) {
	w := newWorld(t)
	w.open("s")
	w.open("s2")
	calls := 0
	say := func(b broker, want int) {
		t.Helper()
		r := b.registration()
		r.Content = func() (core.Content, error) { calls++; return b.Content, nil }
		calls = 0
		_, err := w.Register(w.ctx, w.now, r)
		w.must(err)
		if calls != want {
			t.Fatalf("body read %d times, want %d", calls, want)
		}
	}
	b := a("b1", 0, "a", "T", "U")
	say(b, 1)
	say(b, 0)
	say(b.via("s", 0), 0)
	say(b.via("s2", 0), 0)
	w.drop(b)
	say(b, 0) // the sessions hold it; this makes a direct lease
	say(b.only("V", "W"), 1)
	say(b, 1) // the second body of a split registration replaced its digest
	w.unregister(b)
	say(b, 1)
	w.step(120_001 * ms)
	say(b, 1)
	w.did(w.DeleteTopic(w.ctx, w.now, "T", ""))
	say(b, 1)
	say(b, 0)

	zero := b.registration()
	zero.Digest = 0
	for range 2 {
		_, err := w.Register(w.ctx, w.now, zero)
		w.must(err)
	}
}

// An unchanged registration and a heartbeat are one write each, and read no group.
func TestRenewalIsOneWrite(t *testing.T) {
	store := newFaulty(newWorld(t).store)
	w := newWorldOver(t, store)
	b := a("b1", 0, "a", "T", "U")
	w.register(b)
	clear(store.calls)
	w.register(b)
	w.beat(b)
	if n := store.calls["Renew"]; n != 2 || len(store.calls) != 1 {
		t.Fatal(store.calls)
	}
}

// Renew is Register for those alone that say nothing new.
func TestRenew(t *testing.T) {
	store := newFaulty(newWorld(t).store)
	w := newWorldOver(t, store)
	b, slave := a("b1", 0, "a", "T", "U"), a("b1", 1, "b", "T", "U")
	renew := func(b broker, want bool) core.Registered {
		t.Helper()
		r := b.registration()
		r.Content = func() (core.Content, error) { t.Error("the body was read"); return core.Content{}, nil }
		answer, done, err := w.Renew(w.ctx, w.now, r)
		if w.must(err); done != want {
			t.Fatalf("renewed: %v", done)
		}
		return answer
	}
	renew(b, false)
	w.register(b, slave)
	renew(b, true)
	if got := renew(slave, true); got.MasterAddr != "a" || got.HAAddr != "a-ha" {
		t.Fatal(got)
	}
	renew(b.only("V", "W"), false)
	renew(a("b1", 0, "z", "T", "U"), false)
	w.step(100 * time.Second)
	renew(b, true)
	w.step(100 * time.Second)
	w.equal("groups", w.groups(), "b1@c1{0=a}")
	renew(slave, false) // it has lapsed
	if _, _, err := w.Renew(w.ctx, w.now, b.in("").registration()); err == nil {
		t.Fatal("not checked")
	}

	// What somebody left behind is for Register, which raises it.
	store.die("Raise", 1, false)
	if w.registerErr(b.with(core.Topic{Name: "T"})) == nil {
		t.Fatal("no error")
	}
	store.dead = false
	renew(b.with(core.Topic{Name: "T"}), false)
}

func TestUnregister(t *testing.T) {
	master, slave := a("b1", 0, "a", "T", "U"), a("b1", 1, "b", "T", "U")
	for name, c := range map[string]struct {
		say    []broker
		leave  broker
		groups string
	}{
		"the last":               {[]broker{master}, master, ""},
		"one of two":             {[]broker{master, slave}, slave, "b1@c1{0=a}"},
		"by address, not by id":  {[]broker{master, a("b1", 0, "z", "T", "U")}, master, "b1@c1{0=z}"},
		"under another id":       {[]broker{master, slave}, a("b1", 7, "b"), "b1@c1{0=a}"},
		"unknown":                {[]broker{master}, a("b2", 0, "a"), "b1@c1{0=a}"},
		"unknown address":        {[]broker{master}, a("b1", 0, "z"), "b1@c1{0=a}"},
		"of another cluster":     {[]broker{master}, master.in("c2"), "b1@c1{0=a}"},
		"of a cluster not named": {[]broker{master}, master.in(""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.register(c.say...)
			w.unregister(c.leave)
			w.equal("groups", w.groups(), c.groups)
			w.unregister(c.leave)
			w.equal("groups", w.groups(), c.groups)
		})
	}

	t.Run("the last takes its topics along", func(t *testing.T) {
		w := newWorld(t)
		w.register(master, a("b2", 0, "z", "U", "V"))
		w.unregister(master)
		w.equal("topics", w.topics(core.AllTopics, ""), "U V")
		w.routes("T", "none")
		w.routes("U", "b2@c1{0=z} 8/8/6")
	})

	t.Run("nothing is made for a name nobody has", func(t *testing.T) {
		w := newWorld(t)
		w.unregister(master)
		w.beat(master)
		_, _, err := w.WipeWrite(w.ctx, w.now, "b1")
		w.must(err)
		if g := w.stored("b1"); g.Version != 0 {
			t.Fatal(g)
		}
	})
}

func TestTwoClustersConflict(t *testing.T) {
	w := newWorld(t)
	holder := a("b1", 0, "a", "T", "U")
	w.register(holder)
	w.sink.told()
	rival := a("b1", 0, "z", "T", "U").in("c2")
	for range 3 {
		w.step(time.Second)
		err := w.registerErr(rival)
		w.refused(err, core.ErrNameConflict)
		for _, name := range []string{"b1", "c1", "c2", "at a", "z of"} {
			if !strings.Contains(err.Error(), name) {
				t.Fatalf("%q does not name %s", err, name)
			}
		}
		w.refused(w.registerErr(a("b1", 1, "y", "T", "U").in("c2")), core.ErrNameConflict)
		w.register(holder)
	}
	w.equal("told", w.sink.told(), "BrokerNameConflict a<-c2 z")
	w.equal("groups", w.groups(), "b1@c1{0=a}")
	w.unregister(rival) // says nothing of the holder
	w.routes("T", aRoute)

	w.unregister(holder)
	w.register(rival)
	w.equal("groups", w.groups(), "b1@c2{0=z}")
	w.routes("T", "b1@c2{0=z} 8/8/6")
	w.equal("topics", w.topics(core.AllTopics, "c1"), "")
	w.sink.told()
	w.refused(w.registerErr(holder), core.ErrNameConflict)
	w.equal("told of the other conflict", w.sink.told(), "BrokerNameConflict z<-c1 a")
}
