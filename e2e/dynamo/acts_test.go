//go:build e2e

package dynamo_test

import (
	"context"
	"time"

	"signpost/core"
)

// said is how long ago that moment was.
func said(moment, now time.Time) time.Duration { return now.Sub(moment) }

// replica is a registration of the group's broker with that id.
func replica(id int64, addr string, version int64, list ...core.Topic) core.Registration {
	reg := registration(group, version, list)
	reg.ID, reg.Addr, reg.HAAddr = id, addr, addr
	return reg
}

// through returns reg as the gateway of a session passes it on.
func through(session string, reg core.Registration) core.Registration {
	reg.Session, reg.Owner = session, owner
	return reg
}

// whole returns reg as of a broker that has nothing but its topics.
func whole(reg core.Registration) core.Registration {
	content := reg.Content
	reg.Content = func() (core.Content, error) {
		c, err := content()
		c.Whole = true
		return c, err
	}
	return reg
}

// register has a broker register that says so at a moment.
func register(moment time.Time, reg core.Registration) func(context.Context, *core.Registry, time.Time) error {
	return func(ctx context.Context, r *core.Registry, now time.Time) error {
		reg.Age = said(moment, now)
		return second(r.Register(ctx, now, reg))
	}
}

func leave(moment time.Time, d core.Departure) func(context.Context, *core.Registry, time.Time) error {
	d.Cluster, d.Broker = cluster, group
	return func(ctx context.Context, r *core.Registry, now time.Time) error {
		d.Age = said(moment, now)
		return second(r.Unregister(ctx, now, d))
	}
}

// step is something done before an act.
type step struct {
	now time.Time
	do  func(context.Context, *core.Registry, time.Time) error
}

func does(steps ...step) []step { return steps }

var (
	registered   = step{before, register(before, replica(0, master, 1, topic(0, 1), topic(1, 1)))}
	withSlave    = step{before, register(before, replica(1, slave, 1, topic(0, 1), topic(1, 1)))}
	bySession    = step{before, register(before, through("s1", replica(0, master, 1, topic(0, 1), topic(1, 1))))}
	byBoth       = step{before, register(before, through("s2", replica(0, master, 1, topic(0, 1), topic(1, 1))))}
	slaveSession = step{before, register(before, through("s3", replica(1, slave, 1)))}
	left         = step{before.Add(time.Second), leave(before.Add(time.Second), core.Departure{Addr: master})}
)

// table is every kind of write.
var table = []act{
	{name: "first registration", do: register(acts, replica(0, master, 2, topic(0, 2), topic(2, 2)))},
	{name: "changed topics", before: does(registered, withSlave), do: register(acts, replica(0, master, 2, topic(0, 2), topic(1, 1), topic(2, 2)))},
	{name: "return with other topics", before: does(registered, left), do: register(acts, replica(0, master, 2, topic(0, 1), topic(2, 2)))},
	{name: "whole body without topics", before: does(registered), do: register(acts, whole(replica(0, master, 2)))},
	{name: "the same through another gateway", before: does(bySession), do: register(acts, through("s2", replica(0, master, 1)))},
	{name: "a slave registers", before: does(registered), do: register(acts, through("s3", replica(1, slave, 1)))},
	{name: "a slave becomes the master", before: does(registered, withSlave, left), do: register(acts, replica(0, slave, 2, topic(0, 2), topic(2, 2)))},
	{name: "another takes the master's place", before: does(registered, slaveSession), do: register(acts, replica(0, other, 2, topic(1, 2), topic(2, 2)))},
	{name: "direct heartbeat", before: does(registered), do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		return second(r.Beat(ctx, now, core.Beat{Cluster: cluster, Broker: group, HasID: true, Addr: master, Age: said(acts, now)}))
	}},
	{name: "unchanged registration", before: does(registered), do: register(acts, replica(0, master, 1))},
	{name: "confirmation by a gateway", before: does(bySession), do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		return second(r.Beat(ctx, now, core.Beat{Cluster: cluster, Broker: group, HasID: true, Addr: master, Session: "s2", Owner: owner, Age: said(acts, now)}))
	}},
	{name: "unregistered", before: does(registered, slaveSession), do: leave(acts, core.Departure{Addr: master})},
	{name: "the last one unregisters", before: does(registered), do: leave(acts, core.Departure{Addr: master})},
	{name: "one of two leases ends", before: does(bySession, byBoth), do: leave(acts, core.Departure{Addr: master, Session: "s1", Owner: owner, LeaseOnly: true})},
	{name: "the last lease ends", before: does(bySession), do: leave(acts, core.Departure{Addr: master, Session: "s1", Owner: owner, LeaseOnly: true})},
	{name: "topic deleted", before: does(registered, withSlave), do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		return second(r.DeleteTopic(ctx, now, names[1], ""))
	}},
	{name: "queues of a topic", before: does(registered), do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		return second(r.RegisterQueues(ctx, now, names[2], []core.Row{{Broker: group, Topic: topic(2, 7)}}))
	}},
	{name: "wiped", before: does(registered), do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		_, _, err := r.WipeWrite(ctx, now, group)
		return err
	}},
	{name: "order configured", before: does(registered), do: func(ctx context.Context, r *core.Registry, _ time.Time) error {
		return second(r.PutKV(ctx, core.OrderNamespace, names[0], group+":2"))
	}},
	{name: "session opened", do: func(ctx context.Context, r *core.Registry, now time.Time) error {
		return r.OpenSession(ctx, now, core.Session{ID: "s4 of " + now.String(), Gateway: "another", Owner: owner})
	}},
	{name: "sweep that evicts", before: does(step{before, register(before, short(replica(0, master, 1, topic(0, 1), topic(1, 1))))}, slaveSession), do: sweep, sweeps: true},
	{name: "sweep that tidies", before: does(step{longAgo, register(longAgo, replica(0, master, 1, topic(0, 1), topic(1, 1)))}, step{longAgo, leave(longAgo, core.Departure{Addr: master})}), do: sweep, sweeps: true},
}

// longAgo is before the grace time of what is gone.
var longAgo = before.Add(-core.GraceTime - time.Hour)

// short returns reg as a broker sends it whose own timeout is over when the
// scene begins.
func short(reg core.Registration) core.Registration {
	reg.Timeout = time.Second
	return reg
}

func sweep(ctx context.Context, r *core.Registry, now time.Time) error {
	return second(r.Sweep(ctx, now))
}
