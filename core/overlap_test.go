package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signpost/core"
	"signpost/internal/memory"
)

// TestSweepBetweenAnyTwoCalls has another process sweep before any one call of
// the store in everything that writes, another sweep included. In the end all
// is as if it had swept before or after, and what lapsed is announced once.
func TestSweepBetweenAnyTwoCalls(t *testing.T) {
	master := a("b1", 0, "a", "T", "U")
	slave := a("b1", 1, "b").change(func(b *broker) { b.Timeout = time.Second })
	gone := a("b2", 0, "c", "T", "V")
	begin := func(store core.Store) *world {
		w := newWorldOver(t, store)
		w.open("s")
		w.register(gone)
		w.unregister(gone)
		w.step(core.GraceTime + time.Minute) // its rows are to be tidied
		w.open("s2")
		w.open("s3")
		w.register(master, slave, master.via("s2", 0), a("b3", 0, "d", "W", "X").change(func(b *broker) { b.Timeout = 20 * time.Second }).via("s3", 0))
		w.step(20 * time.Second)
		w.beatSession("s2")
		w.step(10*time.Second + ms) // the slave and s3 have run out, and with it b3
		return w
	}
	for name, act := range map[string]func(*world) error{
		"sweep":    func(w *world) error { _, err := w.Sweep(w.ctx, w.now); return err },
		"beat":     func(w *world) error { _, err := w.Beat(w.ctx, w.now, master.beat()); return err },
		"confirm":  func(w *world) error { _, err := w.Beat(w.ctx, w.now, master.via("s2", 0).beat()); return err },
		"register": func(w *world) error { return w.registerErr(master) },
		"slave":    func(w *world) error { return w.registerErr(slave) },
		"changed":  func(w *world) error { return w.registerErr(master.only("T", "N")) },
		"returns":  func(w *world) error { return w.registerErr(gone) },
		"leaves": func(w *world) error {
			_, err := w.Unregister(w.ctx, w.now, core.Departure{Cluster: "c1", Broker: "b1", Addr: "a"})
			return err
		},
		"drops": func(w *world) error {
			_, err := w.Unregister(w.ctx, w.now, core.Departure{Cluster: "c1", Broker: "b1", Addr: "a", Session: "s2", Owner: "owner", LeaseOnly: true})
			return err
		},
		"wipes":   func(w *world) error { _, _, err := w.WipeWrite(w.ctx, w.now, "b1"); return err },
		"deletes": func(w *world) error { _, err := w.DeleteTopic(w.ctx, w.now, "T", ""); return err },
		"queues": func(w *world) error {
			_, err := w.RegisterQueues(w.ctx, w.now, "Q", []core.Row{{Broker: "b1", Topic: core.Topic{Queues: core.Queues{Read: 1, Write: 1, Perm: 6}}}})
			return err
		},
		"session": func(w *world) error { _, err := w.BeatSession(w.ctx, w.now, "s2", "owner", 0); return err },
	} {
		t.Run(name, func(t *testing.T) {
			state := func(w *world) string {
				var parts []string
				for _, topic := range []string{"T", "U", "V", "W", "N", "Q"} {
					parts = append(parts, topic+": "+w.route(topic))
				}
				return strings.Join(append(parts, w.groups()), "\n")
			}
			serial := begin(memory.New())
			if err := act(serial); err != nil {
				t.Fatal(err)
			}
			serial.sweep()
			want := state(serial)

			calls := 0
			for n := 1; n == 1 || n <= calls; n++ {
				store := newFaulty(memory.New())
				w := begin(store)
				sweeper := newWorldOver(t, store.Store)
				sweeper.now = epoch.Add(core.GraceTime) // so it has kept what was then
				sweeper.sweep()
				sweeper.now = w.now
				before := store.made(anyCall)
				store.before(anyCall, n, func() { sweeper.sweep() })
				err := act(w)
				for range 3 { // as a broker or an operator tries again
					if err == nil || !errors.Is(err, core.ErrBusy) {
						break
					}
					err = act(w)
				}
				if err != nil {
					t.Fatalf("call %d: %v", n, err)
				}
				calls = store.made(anyCall) - before
				sweeper.sweep()
				w.equal(fmt.Sprint("call ", n), state(w), want)
				w.equal(fmt.Sprint("call ", n, ", the sweeper's"), state(sweeper), want)
				told := slices.Concat(w.sink.all, sweeper.sink.all)
				for _, addr := range []string{"b", "d"} {
					once := map[string]bool{}
					for _, e := range told {
						if e.Kind == core.BrokerEvicted && e.Addr == addr {
							once[fmt.Sprint(e.Revision)] = true
						}
					}
					if len(once) != 1 {
						t.Fatalf("call %d: %s was announced %d times", n, addr, len(once))
					}
				}
				for _, g := range []string{"b1", "b2", "b3"} {
					if g := w.stored(g); g.Writer.ID != "" || g.Intent.Replicas || g.Intent.Many || len(g.Intent.Topics)+len(g.Outbox) > 0 {
						t.Fatalf("call %d: something waits: %+v", n, g)
					}
				}
			}
			if calls < 1 {
				t.Fatal("no calls")
			}
		})
	}
}
