//go:build linux

package measure

import (
	"context"
	"fmt"
	"time"

	"signpost/bench/load"
)

// large is the fleet of the p99 rows: each topic is on 8 brokers.
var large = load.Fleet{Name: "svc", Brokers: 1000, TopicsPerBroker: 80, Topics: 10000}

const (
	// heartbeats is how often every broker has registered when memory is
	// read, and then every topic was asked for when it is read again.
	heartbeats = 3
	// spread is the part of a broker's usual 30 s in which all brokers
	// register once: a fleet six times as busy as a real one.
	spread = 5 * time.Second
	// bursts is how often all brokers register at once, burstRate how many of
	// them a second "at once" means: more than any server takes, and few
	// enough for the reads to go out on time.
	bursts    = 3
	burstRate = 10_000
)

// fleets measures memory and p99.
func (b *bench) fleets(ctx context.Context) error {
	if b.options.wants(PartMemory) {
		err := b.with(ctx, Small, "memory-small", func(*traffic, *load.Loop, []*load.Conn, []*load.Conn) error {
			if !b.Durable {
				return nil
			}
			return b.restart(ctx)
		})
		if err != nil {
			return err
		}
	}
	return b.with(ctx, large, "memory-large", func(t *traffic, loop *load.Loop, brokers, clients []*load.Conn) error {
		if b.options.wants(PartP99) {
			return b.p99(ctx, t, loop, brokers, clients)
		}
		return nil
	})
}

// with starts the server, lets the fleet register and every topic be asked
// for, with the memory after both, calls do, and stops the server.
func (b *bench) with(ctx context.Context, fleet load.Fleet, row string,
	do func(t *traffic, loop *load.Loop, brokers, clients []*load.Conn) error) error {
	return b.started(ctx, func() error {
		t, err := newTraffic(fleet, false)
		if err != nil {
			return err
		}
		loop, err := load.NewLoop()
		if err != nil {
			return err
		}
		defer loop.Close()
		brokers, err := loop.Dial(b.process.Addr, fleet.Brokers)
		if err != nil {
			return err
		}
		clients, err := loop.Dial(b.process.Addr, readers)
		if err != nil {
			return err
		}
		for range heartbeats {
			if _, err := loop.Run(ctx, onceTime, false, once(t.registrations(brokers, t.bodies))); err != nil {
				return fmt.Errorf("register the fleet: %w", err)
			}
		}
		if err := b.memory(ctx, row); err != nil {
			return err
		}
		for range heartbeats {
			if _, err := loop.Run(ctx, onceTime, false, t.everyRoute(clients)); err != nil {
				return fmt.Errorf("ask for every topic: %w", err)
			}
		}
		if err := b.memory(ctx, row+"-asked"); err != nil {
			return err
		}
		return do(t, loop, brokers, clients)
	})
}

// memory reads the resident memory when the server has been left alone.
func (b *bench) memory(ctx context.Context, row string) error {
	if !b.options.wants(PartMemory) {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(b.options.Settle):
	}
	memory, err := b.process.Memory()
	if err != nil {
		return err
	}
	b.record(row, mb(memory.Now))
	return nil
}

// restart kills the process, starts it again and waits for its first answer,
// which must be the route as it was.
func (b *bench) restart(ctx context.Context) error {
	req, err := load.RouteRequest(Small.Topic(0))
	if err != nil {
		return err
	}
	if b.process, err = b.process.Restart(); err != nil {
		return err
	}
	took, err := b.firstAnswer(ctx, &req, func(a load.Answer) error {
		if a.Code != 0 {
			return fmt.Errorf("the first route after a restart: code %d: %q", a.Code, a.Header)
		}
		return Small.CheckRoute(0, a.Body, true)
	})
	if err != nil {
		return err
	}
	b.record("restart", ms(took))
	return nil
}

// p99 measures the latency of reads, idle and while all brokers register with
// changed topics, with the same load of reads in both.
func (b *bench) p99(ctx context.Context, t *traffic, loop *load.Loop, brokers, clients []*load.Conn) error {
	version := 0
	storm := func(rate float64) (*load.Work, error) {
		version++
		set, err := t.version(version)
		if err != nil {
			return nil, err
		}
		w := once(t.registrations(brokers, set))
		w.Rate = rate
		return w, nil
	}
	full := t.reads(clients, readerInFlight, false)
	// A slow answer must not keep later requests from going out on time.
	paced := t.reads(clients, load.MaxInFlight, false)
	paced.Rate = b.options.Rate

	first, err := storm(0)
	if err != nil {
		return err
	}
	if _, err := loop.Run(ctx, onceTime, false, first); err != nil {
		return fmt.Errorf("warm up registrations: %w", err)
	}
	if _, err := loop.Run(ctx, b.options.Warmup/2, false, full); err != nil {
		return fmt.Errorf("warm up reads: %w", err)
	}
	for _, row := range []struct {
		key   string
		reads *load.Work
	}{{"p99-rate", paced}, {"p99-full", full}} {
		results, err := loop.Run(ctx, b.options.Time, true, row.reads)
		if err != nil {
			return fmt.Errorf("%s, idle: %w", row.key, err)
		}
		b.record(row.key+"-idle", ms(results[0].Latency.Percentile(99)))
		writes, err := storm(float64(large.Brokers) / spread.Seconds())
		if err != nil {
			return err
		}
		if results, err = loop.Run(ctx, onceTime, true, row.reads, writes); err != nil {
			return fmt.Errorf("%s: %w", row.key, err)
		}
		b.record(row.key, ms(results[0].Latency.Percentile(99)))
	}
	for range bursts {
		writes, err := storm(burstRate)
		if err != nil {
			return err
		}
		results, err := loop.Run(ctx, onceTime, true, paced, writes)
		if err != nil {
			return fmt.Errorf("burst: %w", err)
		}
		b.record("p99-burst", ms(results[0].Latency.Percentile(99)))
		b.record("burst", ms(results[1].Elapsed))
	}
	return nil
}
