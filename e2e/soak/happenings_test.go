//go:build soak

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"signpost/bench/load"
	"signpost/e2e/shim/link"
	"signpost/internal/remoting"
)

// adminTime is how long an operator goes on trying.
const adminTime = time.Minute

// pick calls do with so many brokers, each in a goroutine of its own, to which
// nothing else happens until do returns.
func (s *soak) pick(n int, do func(*broker)) {
	for range n {
		b := s.brokers[rand.IntN(len(s.brokers))]
		if b.busy.TryLock() {
			s.happening.Go(func() {
				defer b.busy.Unlock()
				do(b)
			})
		}
	}
}

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
	if i := rand.IntN(len(fronts) + 2); i < len(fronts) {
		fronts = fronts[i : i+1]
	}
	fault, d := faults[rand.IntN(len(faults))], 500*time.Millisecond+rand.N(7500*time.Millisecond)
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
	if !s.dying.TryLock() {
		return
	}
	f, d := s.fronts[rand.IntN(len(s.fronts))], rand.N(3*time.Second)
	s.log("%s is killed, for %v", f.name, d)
	s.happening.Go(func() {
		defer s.dying.Unlock()
		if err := f.kill(); err != nil {
			s.report("%v", err)
			return
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
	i, n := rand.IntN(len(s.fronts)), 1+rand.IntN(len(s.brokers)/4)
	s.log("%d connections to %s close", n, s.fronts[i].name)
	s.pick(n, func(b *broker) {
		if !b.isWiped() { // which Java forgets with the connection
			b.lines[i].hangUp()
			b.lines[i].poke()
		}
	})
}

// brokersMove has brokers know of another shim instead of this one, or of both.
func (s *soak) brokersMove(context.Context) {
	n := 1 + rand.IntN(30)
	s.log("%d brokers move", n)
	s.pick(n, func(b *broker) {
		if b.isWiped() {
			return
		}
		from := rand.IntN(len(b.lines))
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
	n := 1 + rand.IntN(50)
	s.log("%d brokers change", n)
	s.pick(n, func(b *broker) {
		b.change(func(topics map[string]int32) {
			for topic := range topics {
				if rand.IntN(2) == 0 {
					topics[topic] = 1 + rand.Int32N(16)
				}
			}
			topics[b.own(rand.IntN(ownTopics))] = 4
		})
	})
}

// brokersStop has brokers stop, and return: some at another address, and some
// of them never.
func (s *soak) brokersStop(ctx context.Context) {
	n, inOrder := 1+rand.IntN(30), rand.IntN(2) == 0
	s.log("%d brokers stop, in order: %v", n, inOrder)
	s.pick(n, func(b *broker) {
		if b.isWiped() || !b.lives(time.Now()) {
			return
		}
		b.stop(inOrder)
		wait(ctx, rand.N(5*time.Second))
		if rand.IntN(5) == 0 {
			return
		}
		b.change(func(map[string]int32) {
			if rand.IntN(2) == 0 {
				b.addr = fmt.Sprintf("10.2.%d.%d:10911", rand.IntN(250), rand.IntN(250))
			}
		})
		b.start()
	})
}

// permissionsWiped takes the write permission off brokers, as who drains them
// does.
func (s *soak) permissionsWiped(ctx context.Context) {
	n := 1 + rand.IntN(5)
	s.log("the permissions of %d brokers are wiped", n)
	s.pick(n, func(b *broker) {
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
	n := 1 + rand.IntN(5)
	s.log("topics of %d brokers are deleted", n)
	s.pick(n, func(b *broker) {
		if b.isWiped() { // which Java forgets with the topic
			return
		}
		topic := b.own(rand.IntN(ownTopics))
		if rand.IntN(2) == 0 {
			b.change(func(topics map[string]int32) { delete(topics, topic) })
		}
		s.admin(ctx, remoting.DeleteTopicInNameServer, "topic", topic)
	})
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
