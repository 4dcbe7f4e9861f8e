//go:build linux

package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"signpost/bench/load"
	"signpost/bench/process"
	"signpost/bench/report"
	"signpost/e2e/shim/link"
	"signpost/internal/remoting"
)

const (
	// Codes of answers.
	success       = int32(remoting.Success)
	systemError   = int32(remoting.SystemError)
	topicNotExist = int32(remoting.TopicNotExist)
	// watchTime is how long a change may take at all, poll how often the shim is
	// asked meanwhile, again how often a broker says the same again.
	watchTime = time.Minute
	poll      = 10 * time.Millisecond
	again     = 100 * time.Millisecond
)

// changes measures how changes travel between two shims, while the fleet and
// the clients go on as in the last part.
func (w *world) changes(ctx context.Context, t *traffic) error {
	t.exact = false // newcomers come to its topics
	over := errors.New("all changes are measured")
	going, end := context.WithCancelCause(ctx)
	gone := make(chan error, 1)
	go func() {
		_, err := w.loop.Run(going, firstTime, false, t.brokers(w.brokers), t.clients(w.clients))
		if errors.Is(err, over) {
			err = nil
		}
		end(err) // without them there is nothing to measure
		gone <- err
	}()
	err := w.pair(going)
	end(over)
	return errors.Join(<-gone, err)
}

func (w *world) pair(ctx context.Context) error {
	return w.shimOf(ctx, w.cloud, w.LoadCore, func(other *process.Process, _ *link.Link) error {
		here, err := load.DialClient(w.shim.Addr, answerTime)
		if err != nil {
			return err
		}
		there, err := load.DialClient(other.Addr, answerTime)
		if err != nil {
			return errors.Join(err, here.Close())
		}
		p := &pair{world: w, here: here, there: there}
		return errors.Join(p.seen(ctx), p.superseded(ctx), here.Close(), there.Close())
	})
}

// pair is a connection to the shim that is measured, and one to another.
type pair struct {
	*world
	here, there *load.Client
}

// say says something and takes no for an error.
func say(c *load.Client, r *load.Request) error {
	a, _, err := c.Do(r, answerTime)
	if err == nil && a.Code != success {
		err = fmt.Errorf("a broker is answered code %d: %q", a.Code, a.Header)
	}
	return err
}

// newcomer is a broker that has, with others, a topic that clients use.
func (p *pair) newcomer(name string, topic int) (load.Request, error) {
	f := load.Fleet{Name: name, Brokers: 1, TopicsPerBroker: 1, Topics: 1}
	body := bytes.ReplaceAll(f.Body(0, 0), []byte(f.Topic(0)), []byte(many.Topic(topic)))
	b := f.Broker(0)
	b.Addr, b.HAAddr = fmt.Sprintf("10.2.0.%d:10911", topic), fmt.Sprintf("10.2.0.%d:10912", topic)
	return load.RegisterRequest(b, withTopic(body, b.Name)) // one topic alone is not taken
}

// seen measures when a new broker is in the route that this shim answers.
func (p *pair) seen(ctx context.Context) error {
	for i := range 2 * p.Changes {
		through, name := p.there, fmt.Sprintf("tr%d", i)
		if i%2 == 1 {
			through = p.here
		}
		register, err := p.newcomer(name, i)
		if err != nil {
			return err
		}
		ask, err := load.RouteRequest(many.Topic(i))
		if err != nil {
			return err
		}
		if err := say(through, &register); err != nil {
			return err
		}
		start, queries := time.Now(), 0
		err = until(ctx, poll, func() (bool, error) {
			queries++
			a, _, err := p.here.Do(&ask, answerTime)
			return bytes.Contains(a.Body, []byte(name+"-b0000")), err
		})
		if err != nil {
			return fmt.Errorf("the route with %s: %w", name, err)
		}
		if through == p.here {
			p.most("seen-own", float64(queries))
		} else {
			p.most("seen-other", float64(time.Since(start))/float64(time.Millisecond))
		}
	}
	return nil
}

// superseded measures when the shim notices that a broker it holds was taken
// over through another one: then what that broker says goes to the API again,
// though it says nothing new.
func (p *pair) superseded(ctx context.Context) error {
	puts := func() int { return p.link.Calls("PUT /v1/register/broker") }
	for i := range p.Changes {
		f := load.Fleet{Name: fmt.Sprintf("sp%d", i), Brokers: 1, TopicsPerBroker: 4, Topics: 4}
		old, taking := f.Broker(0), f.Broker(0)
		old.Addr, taking.Addr = fmt.Sprintf("10.3.0.%d:10911", i), fmt.Sprintf("10.3.1.%d:10911", i)
		first, err := load.RegisterRequest(old, f.Body(0, 0))
		if err != nil {
			return err
		}
		second, err := load.RegisterRequest(taking, f.Body(0, 0))
		if err != nil {
			return err
		}
		if err := say(p.here, &first); err != nil {
			return err
		}
		before := puts()
		if err := say(p.here, &first); err != nil {
			return err
		}
		if puts() != before {
			return fmt.Errorf("an unchanged registration of %s went to the API", old.Name)
		}
		if err := say(p.there, &second); err != nil {
			return err
		}
		start := time.Now()
		err = until(ctx, again, func() (bool, error) {
			_, _, err := p.here.Do(&first, answerTime) // whatever the answer is then
			return puts() != before, err
		})
		if err != nil {
			return fmt.Errorf("%s is superseded: %w", old.Name, err)
		}
		p.most("noticed", float64(time.Since(start))/float64(time.Millisecond))
	}
	return nil
}

// most records a value, of which the highest counts.
func (p *pair) most(row string, value float64) {
	p.log.Info("measured", "row", row, "value", fmt.Sprintf("%.3g", value))
	if all := p.values[row][report.Ours]; len(all) == 0 {
		p.values.Add(row, report.Ours, value)
	} else {
		all[0] = max(all[0], value)
	}
}

// until asks every so often, and errs when that takes longer than watchTime.
func until(ctx context.Context, each time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for end := time.Now().Add(watchTime); time.Now().Before(end); {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return fmt.Errorf("not within %v", watchTime)
}
