//go:build linux

package measure

import (
	"context"
	"fmt"
	"time"

	"signpost/bench/load"
	"signpost/bench/process"
)

// Small is the fleet of the rates: each topic is on 4 brokers.
var Small = load.Fleet{Name: "app", Brokers: 100, TopicsPerBroker: 40, Topics: 1000}

const (
	readers        = 32
	readerInFlight = 8
	// bigTopics make a body of 8.3 MB.
	bigTopics = 50_000
	// bigRepeats is how often the big broker registers unchanged; the median
	// counts.
	bigRepeats = 5
	// onceTime bounds works that end by themselves.
	onceTime = 60 * time.Second
	// changedSets is how many versions of the topic sets take turns.
	changedSets = 10
)

// rates measures the rows of one process. With late set it goes on with the
// load for so long and measures again.
func (b *bench) rates(ctx context.Context, late time.Duration) error {
	if b.options.wants(PartSingle, PartRegister) || late > 0 && b.options.wants(PartRoute) {
		if err := b.small(ctx, late); err != nil {
			return err
		}
	}
	if b.options.wants(PartBig) {
		return b.big(ctx)
	}
	return nil
}

// small measures the rates of the small fleet.
func (b *bench) small(ctx context.Context, late time.Duration) error {
	o := b.options
	t, err := newTraffic(Small, b.Canned)
	if err != nil {
		return err
	}
	loop, err := load.NewLoop()
	if err != nil {
		return err
	}
	defer loop.Close()
	brokers, err := loop.Dial(b.process.Addr, Small.Brokers)
	if err != nil {
		return err
	}
	clients, err := loop.Dial(b.process.Addr, readers)
	if err != nil {
		return err
	}
	reads := t.reads(clients, readerInFlight, true)
	single := t.reads(clients[:1], 1, true)
	unchanged := t.registrations(brokers, t.bodies)
	if err := b.know(ctx, loop, once(t.registrations(brokers, t.bodies))); err != nil {
		return err
	}
	if _, err := loop.Run(ctx, o.Warmup/2, false, reads); err != nil {
		return fmt.Errorf("warm up reads: %w", err)
	}
	if _, err := loop.Run(ctx, o.Warmup/2, false, unchanged); err != nil {
		return fmt.Errorf("warm up registrations: %w", err)
	}
	if o.wants(PartSingle) {
		r, err := b.rate(ctx, loop, "single", single)
		if err != nil {
			return err
		}
		b.record("single-p99", ms(r.Latency.Percentile(99)))
	}
	if o.wants(PartRegister) {
		r, err := b.rate(ctx, loop, "register", unchanged)
		if err != nil {
			return err
		}
		b.record("register-server", r.server())
	}
	if late > 0 {
		for _, w := range []struct {
			part, row string
			work      *load.Work
		}{{PartSingle, "single-late", single}, {PartRegister, "register-late", unchanged}, {PartRoute, "route-late", reads}} {
			if !o.wants(w.part) {
				continue
			}
			if _, err := loop.Run(ctx, late/3, false, w.work); err != nil {
				return fmt.Errorf("%s: %w", w.row, err)
			}
			if _, err := b.rate(ctx, loop, w.row, w.work); err != nil {
				return err
			}
		}
	}
	if !o.wants(PartRegister) {
		return nil
	}
	sets := make([][]load.Request, changedSets)
	for v := range sets {
		if sets[v], err = t.version(v + 1); err != nil {
			return err
		}
	}
	_, err = b.rate(ctx, loop, "register-changed", t.registrations(brokers, sets...))
	return err
}

// rate measures w, and records its rate.
func (b *bench) rate(ctx context.Context, loop *load.Loop, row string, w *load.Work) (*taken, error) {
	t := &taken{}
	if err := b.take(ctx, loop, w, b.options.Time, t); err != nil {
		return nil, fmt.Errorf("%s: %w", row, err)
	}
	b.tell(row, t)
	return t, nil
}

// taken is what a server took of a work in one turn or some.
type taken struct {
	load.Result
	took time.Duration    // with the last answers
	cpu  [3]time.Duration // in that time: of the server, of the load, of all programs
}

// take runs w for so long, after a short while without counting, and adds what
// became of it to t. The load does not sleep: waking it would be at the cost of
// the server's core, and the more the slower the server is.
func (b *bench) take(ctx context.Context, loop *load.Loop, w *load.Work, d time.Duration, t *taken) error {
	if _, err := loop.Run(ctx, d/8, true, w); err != nil {
		return err
	}
	before, err := b.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	results, err := loop.Run(ctx, d, true, w)
	if err != nil {
		return err
	}
	t.took += time.Since(start)
	after, err := b.cpu()
	if err != nil {
		return err
	}
	for i := range t.cpu {
		t.cpu[i] += after[i] - before[i]
	}
	t.Add(results[0])
	return nil
}

// tell records a rate, and how busy other programs kept the machine.
func (b *bench) tell(row string, t *taken) {
	b.record(row, t.PerSecond())
	b.record("others", max(0, t.percent(2)-t.server()-t.load()))
}

func (t *taken) percent(of int) float64 { return 100 * float64(t.cpu[of]) / float64(t.took) }

// server and load are how busy the two cores were, in percent.
func (t *taken) server() float64 { return t.percent(0) }
func (t *taken) load() float64   { return t.percent(1) }

// cpu returns the processor times of the server, of the load and of all
// programs on the machine.
func (b *bench) cpu() (t [3]time.Duration, err error) {
	if t[0], err = b.process.CPU(); err != nil {
		return t, err
	}
	if t[1], err = process.OwnCPU(); err != nil {
		return t, err
	}
	t[2], err = process.MachineCPU()
	return t, err
}

// big registers a broker with very many topics, then the same again, and takes
// it off.
func (b *bench) big(ctx context.Context) error {
	fleet := load.Fleet{Name: "big", Brokers: 1, TopicsPerBroker: bigTopics, Topics: bigTopics}
	register, err := load.RegisterRequest(fleet.Broker(0), fleet.Body(0, 0))
	if err != nil {
		return err
	}
	unregister, err := load.UnregisterRequest(fleet.Broker(0))
	if err != nil {
		return err
	}
	query, err := load.RouteRequest(fleet.Topic(bigTopics - 1))
	if err != nil {
		return err
	}
	c, err := load.DialClient(b.process.Addr, answerTime)
	if err != nil {
		return err
	}
	defer c.Close()
	var again load.Samples
	for i := range 1 + bigRepeats {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		a, took, err := c.Do(&register, answerTime)
		if err != nil || a.Code != 0 {
			return fmt.Errorf("register %d topics: code %d: %w", bigTopics, a.Code, err)
		}
		if i > 0 {
			again.Add(took)
			continue
		}
		b.record("big-first", ms(took))
		a, _, err = c.Do(&query, answerTime)
		if err == nil && !b.Canned {
			err = fleet.CheckRoute(bigTopics-1, a.Body, true)
		}
		if err != nil {
			return fmt.Errorf("the last of %d topics: %w", bigTopics, err)
		}
	}
	b.record("big-unchanged", ms(again.Percentile(50)))
	if a, _, err := c.Do(&unregister, answerTime); err != nil || a.Code != 0 {
		return fmt.Errorf("unregister the broker with %d topics: code %d: %w", bigTopics, a.Code, err)
	}
	return nil
}
