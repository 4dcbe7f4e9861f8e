//go:build e2e

package soak

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"signpost/bench/load"
	"signpost/e2e/shim/link"
	"signpost/internal/remoting"
)

// adminTime is how long an operator goes on trying, and waits for a broker.
const adminTime = 2 * time.Minute

// pick calls do with so many brokers and a source of what is to happen to each,
// in a goroutine of its own. Nothing else happens to it until do returns.
func (s *soak) pick(n int, do func(*broker, *rand.Rand)) {
	for range n {
		b, r := s.brokers[s.random.IntN(len(s.brokers))], rand.New(rand.NewPCG(s.random.Uint64(), 0))
		if b.busy.TryLock() {
			s.happening.Go(func() {
				defer b.busy.Unlock()
				do(b, r)
			})
		}
	}
}

// upTo is a random time.
func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// wait sleeps for that long, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// happenings are the happenings, each as likely as the others.
func (s *soak) happenings() []func(ctx context.Context) {
	return []func(context.Context){s.linkBreaks, s.linkBreaks, s.linkBreaks, s.shimDies, s.connectionsClose, s.brokersMove, s.topicsChange, s.topicsChange, s.brokersStop, s.permissionsWiped, s.topicsDeleted}
}

// linkBreaks has a link, or both, be faulty for a while.
func (s *soak) linkBreaks(ctx context.Context) {
	fronts := s.fronts[:]
	if i := s.random.IntN(len(fronts) + 2); i < len(fronts) {
		fronts = fronts[i : i+1]
	}
	fault, d := faults[s.random.IntN(len(faults))], 500*time.Millisecond+upTo(s.random, 7500*time.Millisecond)
	s.log("the links of %d shims: %v for %v", len(fronts), fault, d)
	for _, f := range fronts {
		s.happening.Go(func() {
			if !f.faulty.TryLock() {
				return
			}
			defer f.faulty.Unlock()
			f.broken(fault)
			wait(ctx, d)
			f.broken(link.Pass)
		})
	}
}

// linkIsCut has one link be cut for longer than a lease.
func (s *soak) linkIsCut(ctx context.Context, f *front) {
	f.faulty.Lock()
	defer f.faulty.Unlock()
	s.log("the link of %s is cut for longer than a lease", f.name)
	f.broken(link.Cut)
	wait(ctx, lease+5*time.Second)
	f.broken(link.Pass)
}

// shimDies kills a shim and starts it again; the other one lives.
func (s *soak) shimDies(ctx context.Context) {
	f, d := s.fronts[s.random.IntN(len(s.fronts))], upTo(s.random, 3*time.Second)
	if !s.dying.TryLock() {
		return
	}
	s.log("%s is killed, for %v", f.name, d)
	s.happening.Go(func() {
		defer s.dying.Unlock()
		if err := f.kill(); err != nil {
			s.report("%v", err)
			return
		}
		for _, b := range s.brokers { // whose connections have ended, which they notice when they speak
			b.lines[f.index].hangUp()
		}
		wait(ctx, d)
		if err := f.start(); err != nil {
			s.report("%v", err)
			return
		}
		wait(ctx, 10*time.Second) // and lives for a while
	})
}

// connectionsClose closes connections that are made again at once.
func (s *soak) connectionsClose(context.Context) {
	i, n := s.random.IntN(len(s.fronts)), 1+s.random.IntN(len(s.brokers)/4)
	s.log("%d connections to %s close", n, s.fronts[i].name)
	s.pick(n, func(b *broker, r *rand.Rand) {
		if !b.isWiped() { // which Java forgets with the connection
			b.lines[i].hangUp()
			b.lines[i].poke()
		}
	})
}

// brokersMove has brokers know of another shim instead of this one, or of both.
func (s *soak) brokersMove(context.Context) {
	n := 1 + s.random.IntN(30)
	s.log("%d brokers move", n)
	s.pick(n, func(b *broker, r *rand.Rand) {
		if b.isWiped() {
			return
		}
		from := r.IntN(len(b.lines))
		if !b.lines[from].isWanted() {
			b.lines[from].want(true)
			return
		}
		for i, l := range b.lines {
			if i != from {
				l.want(true)
			}
		}
		b.lines[from].want(false)
	})
}

// topicsChange has brokers have other numbers of queues, and topics more.
func (s *soak) topicsChange(context.Context) {
	n := 1 + s.random.IntN(50)
	s.log("%d brokers change", n)
	s.pick(n, func(b *broker, r *rand.Rand) {
		b.change(func(topics map[string]int32) {
			for _, topic := range slices.Sorted(maps.Keys(topics)) {
				if r.IntN(2) == 0 {
					topics[topic] = 1 + r.Int32N(16)
				}
			}
			topics[b.own(r.IntN(ownTopics))] = 4
		})
	})
}

// brokersStop has brokers stop, and return: some at another address, and some
// of them never.
func (s *soak) brokersStop(ctx context.Context) {
	n, inOrder := 1+s.random.IntN(30), s.random.IntN(2) == 0
	s.log("%d brokers stop, in order: %v", n, inOrder)
	s.pick(n, func(b *broker, r *rand.Rand) {
		if b.isWiped() || !b.lives(time.Now()) {
			return
		}
		b.stop(inOrder)
		wait(ctx, upTo(r, 5*time.Second))
		if r.IntN(5) == 0 {
			return
		}
		b.change(func(map[string]int32) {
			if r.IntN(2) == 0 {
				b.addr = fmt.Sprintf("10.2.%d.%d:10911", r.IntN(250), r.IntN(250))
			}
		})
		b.start()
	})
}

// permissionsWiped takes the write permission off brokers, as who drains them
// does. A broker whose leases run out is a new one when it is back, and not wiped:
// DynamoDB Local on a busy machine may not take in a shim's brokers before.
func (s *soak) permissionsWiped(ctx context.Context) {
	if *functionsFlag {
		return
	}
	n := 1 + s.random.IntN(5)
	s.log("the permissions of %d brokers are wiped", n)
	s.pick(n, func(b *broker, r *rand.Rand) {
		// What the API has not heard of is not wiped there, and clears the wipe later.
		if !b.lives(time.Now()) || !b.lines[0].isWanted() || !b.lines[1].isWanted() || !b.isKnown() {
			return
		}
		if s.admin(ctx, remoting.WipeWritePermOfBroker, "brokerName", b.name) {
			b.mu.Lock()
			b.wiped = true
			b.mu.Unlock()
		}
	})
}

// topicsDeleted deletes topics that a broker alone has: some brokers have them
// no more, which is how they are deleted, and some still do, and say so again.
func (s *soak) topicsDeleted(ctx context.Context) {
	n := 1 + s.random.IntN(5)
	s.log("topics of %d brokers are deleted", n)
	s.pick(n, func(b *broker, r *rand.Rand) {
		if b.isWiped() { // which Java forgets with the topic
			return
		}
		topic := b.own(r.IntN(ownTopics))
		if r.IntN(2) == 0 {
			// What the API has not heard of is not deleted there, and comes later; and
			// what a shim has not heard the broker say without it is a part of its
			// registration as far as that knows.
			if !b.lives(time.Now()) || !b.isKnown() {
				return
			}
			b.change(func(topics map[string]int32) { delete(topics, topic) })
			if !eventually(b.isHeard) {
				s.report("%s is not heard within %v", b.name, adminTime)
				return
			}
		}
		s.admin(ctx, remoting.DeleteTopicInNameServer, "topic", topic)
	})
}

// eventually waits until it is so; false if it takes too long.
func eventually(is func() bool) bool {
	for end := time.Now().Add(adminTime); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// admin sends a command to shims until one has done it.
func (s *soak) admin(ctx context.Context, code remoting.Code, key, value string) bool {
	r, err := load.NewRequest(remoting.Command{Code: code, Language: "JAVA", Version: remoting.V5_3_3, ExtFields: remoting.Fields{{Key: key, Value: value}}})
	if err != nil {
		s.report("%v", err)
		return false
	}
	for end := time.Now().Add(adminTime); time.Now().Before(end); wait(ctx, 500*time.Millisecond) {
		c := client{front: s.fronts[rand.IntN(len(s.fronts))]}
		a, ok := c.ask(&r)
		said, header := a.Code, string(a.Header)
		c.close()
		switch {
		case !ok || said == int32(remoting.SystemError):
		case said == int32(remoting.Success):
			return true
		default:
			s.report("request %d of %s: code %d: %s", code, value, said, header)
			return false
		}
	}
	s.report("%s is not done after %v", value, adminTime)
	return false
}
